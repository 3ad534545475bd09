"""How well does chroma come back from a small picture? Root mean square error against the true ab, per method.

    python benchmarks/chroma_upsampling.py --data FOLDER_OR_TAR [--pictures 60] [--factor 8]

Each picture's true ab is averaged over blocks of `factor` pixels, as a network would decide it, upsampled by each
method with the picture's lightness as guide, and compared. `soft` blurs the small ab first, as networks tend to.
"""

import argparse
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from kornia.filters import gaussian_blur2d, guided_blur, joint_bilateral_blur
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import INPUT_SUFFIXES, Photograph, read_photograph, upsample_chroma


def bicubic(ab: Tensor, lightness: Tensor) -> Tensor:
    return functional.interpolate(ab[None], size=lightness.shape[-2:], mode="bicubic")[0]


def bilinear(ab: Tensor, lightness: Tensor) -> Tensor:
    return functional.interpolate(ab[None], size=lightness.shape[-2:], mode="bilinear")[0]


def guided(ab: Tensor, lightness: Tensor) -> Tensor:
    """A guided filter over the bicubic enlargement, its coefficients at a quarter of the size."""
    return guided_blur(lightness[None], bicubic(ab, lightness)[None], 9, 10.0, subsample=4)[0]


def joint_bilateral(ab: Tensor, lightness: Tensor) -> Tensor:
    return joint_bilateral_blur(bicubic(ab, lightness)[None], lightness[None], 9, 10.0, (4.0, 4.0))[0]


METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bilinear": bilinear,
    "bicubic": bicubic,
    "guided filter (kornia)": guided,
    "joint bilateral (kornia)": joint_bilateral,
    "upsample_chroma": upsample_chroma,
}


def photographs(data: Path, count: int) -> Iterator[Photograph]:
    """Read pictures spread evenly over a folder or a tar."""
    if data.is_dir():
        paths = sorted(path for path in data.rglob("*") if path.suffix.lower() in INPUT_SUFFIXES)
        for path in paths[:: max(1, len(paths) // count)][:count]:
            yield read_photograph(path, keep_colour=True)
    else:
        with tarfile.open(data) as tar:
            members = [member for member in tar if Path(member.name).suffix.lower() in INPUT_SUFFIXES]
            for member in members[:: max(1, len(members) // count)][:count]:
                content = tar.extractfile(member)
                assert content is not None  # a member with a picture's name is a file
                yield read_photograph(io.BytesIO(content.read()), keep_colour=True)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder or tar of colour photographs")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--factor", type=int, default=8, help="full size over small size")
    options = parser.parse_args()

    squares = {name: torch.zeros(2) for name in METHODS}  # sharp, soft
    biases, seconds, count = dict.fromkeys(METHODS, 0.0), dict.fromkeys(METHODS, 0.0), 0
    for photograph in photographs(options.data, options.pictures):
        if photograph.ab is None:
            continue
        height, width = (side // options.factor * options.factor for side in photograph.size)
        lightness, true_ab = photograph.lightness[:, :height, :width], photograph.ab[:, :height, :width]
        sharp = functional.avg_pool2d(true_ab, options.factor)
        soft = gaussian_blur2d(sharp[None], (5, 5), (0.7, 0.7))[0]
        count += 1
        for name, method in METHODS.items():
            start = time.process_time()
            error = method(sharp, lightness) - true_ab
            seconds[name] += time.process_time() - start
            biases[name] += error.mean((1, 2)).abs().max().item()
            soft_error = method(soft, lightness) - true_ab
            squares[name] += torch.stack([error.square().mean(), soft_error.square().mean()])

    print(f"{count} pictures, small ab at 1/{options.factor}; error and bias in Lab units, CPU time per picture")
    print("| method | error | error, soft ab | bias of the mean | ms |\n|---|---|---|---|---|")
    for name in METHODS:
        sharp_error, soft_error = (squares[name] / count).sqrt().tolist()
        print(
            f"| {name} | {sharp_error:.3f} | {soft_error:.3f} | {biases[name] / count:.4f} "
            f"| {1000 * seconds[name] / count:.1f} |"
        )


if __name__ == "__main__":
    main()
