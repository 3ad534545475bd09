"""The tutorial's code runs from top to bottom, shortened, on digits that a font draws in place of MNIST's."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytestmark = pytest.mark.slow

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
STEPS = 60


def blocks() -> str:
    """Return the tutorial's code as one program."""
    return "\n".join(
        re.findall(r"^```python\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )


@pytest.fixture(scope="module")
def session(drawn_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is defined after the last line, and the folder that it ran in."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "cache").symlink_to(drawn_mnist)
    program, replaced = re.subn(r"^STEPS = \d+$", f"STEPS = {STEPS}", blocks(), flags=re.MULTILINE)
    assert replaced == 1
    names: dict[str, Any] = {"folder": folder}
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.chdir(folder)
        exec(compile(program, str(TUTORIAL), "exec"), names)
    return names


def test_it_learns(session: dict[str, Any]) -> None:
    losses = session["losses"]
    assert len(losses) == STEPS
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5
    assert session["held_out_bits"].shape == (60,)
    assert session["held_out_bits"].mean() == pytest.approx(np.mean(losses[-5:]), abs=1)


def test_it_counts_bits_from_its_own_density(session: dict[str, Any]) -> None:
    """Pictures that the flow draws at temperature 1 cost, on average, what their latents and volumes say."""
    labels = torch.arange(10)
    with torch.no_grad():
        distribution = session["flow"](session["condition"](labels))
        x, log_prob = distribution.sample_and_log_prob(temperature=0.5)
        torch.testing.assert_close(distribution.log_prob(x), log_prob, rtol=1e-3, atol=1.0)


def test_digits_are_drawn_by_class(session: dict[str, Any]) -> None:
    drawn = session["drawn"]
    assert drawn.shape == (50, 1, 28, 28)
    assert drawn.isfinite().all()
    three, again, eight = (session["draw"](torch.tensor([label]), 0.7) for label in (3, 3, 8))
    torch.testing.assert_close(three, again)
    assert (three - eight).abs().max() > 0.01


def test_a_digit_comes_back_under_its_own_label_and_changes_under_others(session: dict[str, Any]) -> None:
    x, label, restyled = session["x"], int(session["label"]), session["restyled"]
    assert restyled.shape == (10, 1, 28, 28)
    assert session["error"] < 1e-3
    torch.testing.assert_close(restyled[label], x[0], rtol=0, atol=1e-3)
    others = [number for number in range(10) if number != label]
    assert (restyled[others] - x).abs().amax((1, 2, 3)).min() > 0.01
    assert torch.equal(session["grays"](x), session["held_out"].images[:1])


def test_its_pictures_are_written(session: dict[str, Any]) -> None:
    for name, rows in (("samples.png", 5), ("restyled.png", 1)):
        with Image.open(session["folder"] / name) as picture:
            assert picture.size == (10 * 88, rows * 88)


def test_its_steps_are_those_that_the_text_speaks_of() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    (steps,) = re.findall(r"^STEPS = (\d+)$", text, re.MULTILINE)
    assert f"{int(steps):,} steps" in text
