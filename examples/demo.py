"""Colours the sample photographs, four times each: what the program does, from Python.

Run it as `make demo`, or as `python examples/demo.py FOLDER`.
"""

import sys
from pathlib import Path

from cinn_app import Colorizer
from cinn_app.imaging import sample_photographs

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
folder.mkdir(parents=True, exist_ok=True)

colorizer = Colorizer.load("colorize")
for name, photograph in sample_photographs().items():
    for number, colouring in enumerate(colorizer.colorize(photograph, samples=4), start=1):
        target = folder / f"{name}-{number}.png"
        colouring.save(target)
        print(f"{target}  {colouring.bits_per_dim:.2f} bits/dim")
