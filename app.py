"""Starts the studio, as `cinn app` does; `python app.py --help` lists its options."""

import sys

from cinn_app.cli.main import run

if __name__ == "__main__":
    run(["app", *sys.argv[1:]])
