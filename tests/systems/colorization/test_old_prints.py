"""Old prints, their right colours, and the scores of a painter that knows the truth or leaves all gray."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from cinn_app.imaging import Photograph, read_photograph
from cinn_app.systems.colorization.colorizer import Colouring
from cinn_app.systems.colorization.comparison import compare, compare_print
from cinn_app.systems.colorization.old_prints import INK_LEVELS, KINDS, MAX_SIDE, make_old_print


def in_colour(height: int, width: int) -> Photograph:
    small = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    enlarged = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return read_photograph(np.asarray(enlarged), keep_colour=True)


def chroma(photograph: Photograph) -> float:
    assert photograph.ab is not None
    return float(photograph.ab.norm(dim=0).mean())


class Knowing:
    """Knows the colours of every photograph, and gives a share of their chroma."""

    device = torch.device("cpu")

    def __init__(self, *vividness: float) -> None:
        self.vividness = vividness

    def encode_photograph(self, image: Photograph, /) -> Photograph:
        return image

    def best_guess(self, image: Photograph, /) -> Colouring:
        return self.colorize(image)[0]

    def colorize(
        self, image: Photograph, samples: int = 1, temperature: float | Sequence[float] | None = None, seed: int = 0, /
    ) -> list[Colouring]:
        assert image.ab is not None
        fresh = image.ab / image.levels.contrast  # finished pictures fade as the photograph did
        shares = [self.vividness[number % len(self.vividness)] for number in range(samples)]
        return [Colouring(image, share * fresh, lambda: ((), math.nan), seed) for share in shares]


@pytest.mark.parametrize("kind", KINDS)
def test_a_print_is_determined_by_its_number(kind: str) -> None:
    photograph = in_colour(64, 80)
    once, again, other = (make_old_print(photograph, kind, number) for number in (3, 3, 4))
    assert np.array_equal(once.scan, again.scan)
    assert once.scan.shape != other.scan.shape or not np.array_equal(once.scan, other.scan)
    assert once.scan.shape[:2] == once.photograph.size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (600, 560)])
def test_photographs_of_all_sizes_have_prints(kind: str, size: tuple[int, int]) -> None:
    old = make_old_print(in_colour(*size), kind)
    assert old.photograph.ab is not None and old.photograph.ab.isfinite().all()
    assert (old.mount is not None) == (kind == "mounted") and (old.mount is None or old.mount.any())
    assert min(old.photograph.size) <= MAX_SIDE * 1.2


def test_faded_prints_have_faded_colours() -> None:
    photograph = in_colour(120, 160)
    old = make_old_print(photograph, "faded")
    black, white = old.photograph.lightness.quantile(torch.tensor([0.01, 0.99])).tolist()
    assert 35 < black < 60 and 75 < white < 92
    assert 0.2 < chroma(old.photograph) / chroma(photograph) < 0.5


def test_the_mount_has_no_colour_and_surrounds_the_photograph() -> None:
    photograph = in_colour(120, 160)
    levels = []
    for number in range(8):
        old = make_old_print(photograph, "mounted", number)
        assert old.mount is not None and old.photograph.ab is not None
        assert old.mount[[0, -1]].all() and old.mount[:, [0, -1]].all() and not old.mount[40:80, 40:120].any()
        assert old.photograph.ab[:, old.mount].abs().max() < 1
        levels.append(float(old.photograph.lightness[0, old.mount].mean()))
    assert min(levels) < 15 and max(levels) > 85  # film rims and paper


def test_a_halftone_keeps_the_tones() -> None:
    photograph = in_colour(256, 320)
    old = make_old_print(photograph, "halftone")
    assert old.photograph.lightness.std() > 1.5 * photograph.lightness.std()
    tones, dots = (functional.avg_pool2d(one.lightness, 32) for one in (photograph, old.photograph))
    slope = float(((tones - tones.mean()) * (dots - dots.mean())).mean() / tones.var(correction=0))
    assert slope == pytest.approx(INK_LEVELS[1] - INK_LEVELS[0], abs=0.15)
    assert (dots - dots.mean() - slope * (tones - tones.mean())).abs().max() < 6


@pytest.mark.parametrize("kind", ["sepia", "scratched", "stamped"])
def test_the_damage_of_other_prints_is_local(kind: str) -> None:
    photograph = in_colour(256, 320)
    old = make_old_print(photograph, kind)
    assert old.photograph.ab is not None and photograph.ab is not None
    assert chroma(old.photograph) == pytest.approx(chroma(photograph), rel=0.3 if kind == "sepia" else 0.1)
    assert not np.array_equal(old.scan[..., 0], old.scan[..., 2])  # toned
    changed = ((old.photograph.lightness - photograph.lightness).abs() > 15).float().mean()
    assert changed < 0.2 and (changed > 0.002 or kind == "sepia")


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_colours_score_best(kind: str) -> None:
    old = make_old_print(in_colour(96, 128), kind)
    right = compare_print(Knowing(1.0), old, 3, None)
    gray = compare_print(Knowing(0.0), old, 3, None)
    energy, reference = right["energy_score"]
    assert energy < 0.03 * reference
    assert gray["energy_score"][0] == pytest.approx(gray["energy_score"][1], rel=0.02)
    if kind == "mounted":
        assert right["mount_chroma"][0] < 1


def test_scores_of_a_comparison() -> None:
    photograph = in_colour(96, 128)
    assert photograph.ab is not None
    muted = photograph.ab / 2  # inside the gamut, and so are the samples, whose vividness differs around the truth's
    quotients = compare(Knowing(0.5, 1.5), Photograph(photograph.lightness, muted), 2, None).quotients
    error, gray = quotients["energy_score"]
    assert error / gray == pytest.approx(0.5 - 1.0 / 2, abs=0.03)  # |x - y| is half of |y|, and |x - x'| all of it
    for name, expected in {"energy_score_best_guess": 0.5, "chroma": 1.0, "beyond_tint": 0.0}.items():
        above, below = quotients[name]
        assert above / below == pytest.approx(expected, abs=0.05), name


@pytest.mark.parametrize(
    ("shares", "hit"),
    [
        ((0.2, 1.0, 1.6, 0.5, 1.0, 1.0, 1.0, 1.0), 1.0),
        ((0.2, 1.0, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4), 0.0),
        ((0.2, 0.3, 0.4, 1.0, 1.0, 1.0, 1.0, 1.0), 1.0),  # the nearest to all eight, not to the four
    ],
)
def test_the_colouring_shown_first_is_the_nearest_of_four_or_not(shares: tuple[float, ...], hit: float) -> None:
    photograph = in_colour(96, 128)
    assert photograph.ab is not None
    muted = Photograph(photograph.lightness, photograph.ab / 2)
    assert compare(Knowing(*shares), muted, 8, None).figures["best_first_hit"] == hit
    assert "best_first_hit" not in compare(Knowing(*shares), muted, 3, None).figures
