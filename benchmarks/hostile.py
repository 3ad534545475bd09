"""Does the product stand files, kills and clients that mean no good?

    python benchmarks/hostile.py files [--files 1000] [--keep FOLDER]
    python benchmarks/hostile.py kills [--kills 100] [--pictures 60] [--model colorize]
    python benchmarks/hostile.py checkpoints [--files 1000] [--model digits]
    python benchmarks/hostile.py requests [--requests 2000] [--clients 20]
    python benchmarks/hostile.py clients [--clients 20] [--requests 200]

Each part prints its counts, and ends with 1 if there is a fault among them. `--json FILE` writes them, too.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import hostile_parts
from rich.console import Console
from rich.table import Table


def main() -> None:
    """Run a part and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_subparsers(dest="part", required=True)
    parts = {
        name: importlib.import_module(f"hostile_parts.{name}")
        for _, name, _ in pkgutil.iter_modules(hostile_parts.__path__)
    }
    for name, part in parts.items():
        one = chosen.add_parser(name, description=part.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        one.add_argument("--json", type=Path, help="write the figures there")
        part.add_options(one)
    options = parser.parse_args()
    figures = parts[options.part].measure(options)
    table = Table("count", "of what", "", title=f"hostile {options.part}")
    for figure in figures:
        verdict = "" if not figure.bad else "right" if figure.count == 0 else "[red]wrong[/red]"
        table.add_row(f"{figure.count:,}", figure.name, verdict)
    console = Console()
    console.print(table)
    for figure in figures:
        for example in figure.examples:
            console.print(f"{figure.name}: {example}", highlight=False, markup=False, soft_wrap=True)
    if options.json:
        content = [figure._asdict() for figure in figures]
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(figure.bad and figure.count for figure in figures))


if __name__ == "__main__":
    main()
