"""Starts the studio on http://127.0.0.1:7860; `cinn app` has options."""

import sys

from cinn_app.errors import CinnError

if __name__ == "__main__":
    print("Starting the studio ...", flush=True)
    from cinn_app.studio.app import serve

    try:
        serve()
    except CinnError as error:
        sys.exit(f"Error: {error}")
