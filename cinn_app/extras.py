"""The optional parts of the program, and the packages that each of them needs."""

from importlib.util import find_spec

from cinn_app.errors import CinnError

__all__ = ["EXTRAS", "MissingExtraError", "require_extra"]

#: Modules by the extra of `pyproject.toml` that installs them.
EXTRAS = {
    "studio": ("gradio", "prometheus_client"),
    "mcp": ("mcp",),
    "train": ("lightning", "tensorboard", "timm", "torchvision"),
    "classifier": ("timm", "torchvision"),
    "plots": ("matplotlib",),
    "parquet": ("pyarrow",),
}


class MissingExtraError(CinnError):
    """A part of the program needs packages that are not installed."""


def require_extra(extra: str, needed_by: str) -> None:
    """Check, without importing them, that the packages of an extra are installed.

    Args:
        extra: a key of :data:`EXTRAS`.
        needed_by: begins the error's sentence.

    Raises:
        MissingExtraError: with the command that installs them.
    """
    missing = [module for module in EXTRAS[extra] if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            '{needed_by} needs {missing}: run pip install "cinn-app[{extra}]".',
            needed_by=needed_by,
            missing=" and ".join(missing),
            extra=extra,
        )
