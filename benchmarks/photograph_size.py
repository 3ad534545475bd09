"""Seconds and peak memory of colouring one photograph, by its size in megapixels.

    python benchmarks/photograph_size.py [--model colorize] [--megapixels 1 4 12 24]

Each size runs in a process of its own: the model is loaded, one small picture warms it up, then a JPEG is read,
coloured once and saved as PNG and as JPEG. Peak memory is the whole process's, Python and torch included.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path


def measure(megapixels: float, model: str, folder: str) -> dict[str, float]:
    """Colour one photograph of the given size."""
    from PIL import Image

    from cinn_app import Colorizer
    from cinn_app.imaging import sample_photographs

    source = Path(folder) / "photograph.jpg"
    side = megapixels * 1e6 / 12
    with Image.open(next(iter(sample_photographs().values()))) as sample:
        sample.convert("RGB").resize((round((side * 16) ** 0.5), round((side * 9) ** 0.5))).save(source)
    colorizer = Colorizer.load(model)
    colorizer.colorize(Image.new("L", (200, 200), 128))[0].render()
    figures = {"megapixels": megapixels}
    for suffix in ("png", "jpg"):
        start = time.perf_counter()
        colorizer.colorize(source)[0].save(source.with_name(f"coloured.{suffix}"))
        figures[f"seconds_to_{suffix}"] = round(time.perf_counter() - start, 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["peak_gigabytes"] = round(peak / (1e9 if sys.platform == "darwin" else 1e6 / 1.024), 2)
    return figures


def main() -> None:
    """Measure every size and print a line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="colorize", help="a shipped model's name or a checkpoint's path")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 4, 12, 24])
    options = parser.parse_args()
    for megapixels in options.megapixels:
        with (
            tempfile.TemporaryDirectory() as folder,
            multiprocessing.get_context("spawn").Pool(1) as pool,
        ):
            print(json.dumps(pool.apply(measure, (megapixels, options.model, folder))), flush=True)


if __name__ == "__main__":
    main()
