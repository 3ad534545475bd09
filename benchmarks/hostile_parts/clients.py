"""Many visitors of the studio at once: does each get the answers to their own photographs? See `studio_load.py`."""

import argparse

from studio_load import burden, wait_for
from studio_page import studio

from hostile_parts import Figure


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--model", help="a model or checkpoint in place of the installed one")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Let clients ask at once, and look at what each of them got."""
    with studio(options.model) as address:
        wait_for(address)
        figures = burden(address, options.clients, options.requests)
    return [
        Figure("clients", options.clients),
        Figure("requests", figures["requests"]),
        Figure("wrong answers", len(figures["wrong"]), True, tuple(figures["wrong"][:5])),
        Figure("lost answers", len(figures["lost"]), True, tuple(figures["lost"][:5])),
    ]
