"""The options of `cinn colorize`, in the groups that its help shows."""

import os
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from cinn_app.cli.options import not_nan, temperature_option

__all__ = [
    "JOBS",
    "MAX_STEP",
    "Axis",
    "Diverse",
    "Format",
    "Hint",
    "Inputs",
    "Jobs",
    "Mark",
    "Output",
    "Overwrite",
    "Pattern",
    "Quality",
    "Quiet",
    "Recursive",
    "Reference",
    "Report",
    "Samples",
    "Seed",
    "Sheet",
    "Strength",
    "Temperature",
    "Uncertainty",
]

COLOURS, READ, WRITTEN = "Which colours", "What is read", "What is written"
#: More threads than this rarely help: the network works beside them.
JOBS = min(4, os.cpu_count() or 1)
#: How far one may go along an axis of colour, in standard deviations.
MAX_STEP = 3

Inputs: TypeAlias = Annotated[
    list[Path],
    typer.Argument(metavar="INPUT", allow_dash=True, help="Pictures, and folders of pictures; - is one from stdin."),
]
Samples: TypeAlias = Annotated[
    int, typer.Option("--samples", "-n", min=1, max=100, help="Colourings per picture.", rich_help_panel=COLOURS)
]
Diverse: TypeAlias = Annotated[
    bool,
    typer.Option("--diverse", help="Draw four times as many, keep those that differ most.", rich_help_panel=COLOURS),
]
Axis: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Go along one of the model's axes of colour so many standard deviations; may be repeated.",
        rich_help_panel=COLOURS,
    ),
]
Hint: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X,Y=#RRGGBB|FILE.json",
        help="Which colour a place has, in pixels of the upright picture, or a file of hints that the studio or Python "
        "saved; may be repeated.",
        rich_help_panel=COLOURS,
    ),
]
Reference: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Take on the colours of this picture, as far as is plausible.",
        rich_help_panel=COLOURS,
    ),
]
Temperature: TypeAlias = Annotated[
    float | None, temperature_option("How boldly colours vary; 0 not at all, above 1 they break.", COLOURS)
]
Strength: TypeAlias = Annotated[
    float,
    typer.Option(min=0, max=2, callback=not_nan, help="How strong colours are; 0 is gray.", rich_help_panel=COLOURS),
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(min=0, help="Another seed gives other colours, the same one the same.", rich_help_panel=COLOURS),
]
Recursive: TypeAlias = Annotated[
    bool, typer.Option("--recursive", "-r", help="Search subfolders, too.", rich_help_panel=READ)
]
Pattern: TypeAlias = Annotated[
    str,
    typer.Option(metavar="GLOB", help="Of a folder, only pictures of such a name: 'scan*.tif'.", rich_help_panel=READ),
]
Output: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        file_okay=False,
        writable=True,
        allow_dash=True,
        help="Where colourings go; - writes a single one to stdout.",
        rich_help_panel=WRITTEN,
    ),
]
Format: TypeAlias = Annotated[
    Literal["keep", "png", "jpg", "webp", "tiff"],
    typer.Option(help="keep is the input's, or png where it cannot be.", rich_help_panel=WRITTEN),
]
Quality: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, max=100, show_default="95", help="Of JPEG and WebP.", rich_help_panel=WRITTEN),
]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Make anew what is there already.", rich_help_panel=WRITTEN)
]
Mark: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--mark/--no-mark",
        help="Note model, seed and settings in the metadata; by that a stopped run goes on.",
        rich_help_panel=WRITTEN,
    ),
]
Sheet: TypeAlias = Annotated[
    bool, typer.Option("--sheet", help="Add NAME-sheet.jpg: original and colourings.", rich_help_panel=WRITTEN)
]
Uncertainty: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--uncertainty",
        help="Add NAME-uncertainty.png: the lighter, the more the samples differ.",
        rich_help_panel=WRITTEN,
    ),
]
Report: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.jsonl", dir_okay=False, help="Add a line of JSON per colouring.", rich_help_panel=WRITTEN
    ),
]
Jobs: TypeAlias = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Threads that read and write.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Speak only of what went wrong.")]
