"""Samples as tables: .csv, .npy or .parquet, whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from cinn_app.errors import ProblemError
from cinn_app.extras import require_extra
from cinn_app.files import check_output, writing

__all__ = ["INDEX", "SUFFIXES", "check_table", "write_samples"]

SUFFIXES = (".csv", ".npy", ".parquet")
#: Column that says which observation a sample explains, from 0.
INDEX = "observation"


def check_table(path: Path, *inputs: str | Path) -> None:
    """Check, before the work, that a table can be written to a file.

    Raises:
        CinnError: if its suffix is unknown, it cannot be written, or is one of the inputs.
        MissingExtraError: if .parquet is wanted and its package is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ProblemError(
            "{path} does not end like a table: name it with one of {known}.", path=path, known=", ".join(SUFFIXES)
        )
    check_output(path, *inputs)
    if path.suffix.lower() == ".parquet":
        require_extra("parquet", "A .parquet file")


def write_samples(path: Path, samples: Tensor, names: Sequence[str]) -> None:
    """Write samples as a table with a column for each parameter.

    Args:
        path: ends with .csv, .npy or .parquet; an array has no names.
        samples: of one observation, ``(count, D)``, or of several, ``(B, count, D)``. For several the first column is
            the number of the observation, from 0.
        names: of the parameters.

    Raises:
        ProblemError: if the file cannot be written.
    """
    table = samples.numpy().reshape(-1, samples.shape[-1])
    index = np.repeat(np.arange(len(samples)), samples.shape[1]) if samples.ndim == 3 else None
    header = [*([] if index is None else [INDEX]), *names]
    with writing(path, ProblemError) as file:
        match path.suffix.lower():
            case ".npy":
                np.save(file, table if index is None else np.column_stack([index.astype(table.dtype), table]))
            case ".parquet":
                import pyarrow
                import pyarrow.parquet

                columns = [*([] if index is None else [index]), *table.T]
                columns_of = pyarrow.Table.from_arrays([pyarrow.array(one) for one in columns], names=header)
                pyarrow.parquet.write_table(columns_of, file)
            case _:
                file.write((",".join(map(_quoted, header)) + "\n").encode())
                row = ",".join(["%d"] * (index is not None) + ["%.7g"] * len(names)) + "\n"
                whole = table if index is None else np.column_stack([index, table.astype(np.float64)])
                for start in range(0, len(whole), 10_000):
                    block = whole[start : start + 10_000]
                    file.write((row * len(block) % tuple(block.ravel().tolist())).encode())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name
