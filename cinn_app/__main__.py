"""`python -m cinn_app` is `cinn`."""

from cinn_app.cli.main import run

if __name__ == "__main__":
    run()
