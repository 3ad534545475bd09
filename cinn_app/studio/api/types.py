"""What goes in and out of the named endpoints: pictures as files of the studio's own folder, numbers with their bounds.

Functions of the interface have these types and know nothing of JSON; :mod:`cinn_app.studio.api.endpoints` reads and
writes it by them, and tells clients what it expects.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import unquote

from gradio import FileData
from gradio.processing_utils import save_base64_to_cache
from gradio.utils import get_upload_folder
from gradio_client.utils import python_type_to_json_schema
from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from cinn_app.errors import CinnError

__all__ = ["Axes", "File", "Line", "Picture", "Seed", "Strength", "Temperature"]

#: How gradio's clients know a file, which they upload before they name it.
FILE = {**python_type_to_json_schema(FileData), "required": ["path", "meta"]}
#: Other programs may name an upload by its path or by its address, which has the path behind this.
UPLOADS = "/gradio_api/file="
#: What to do where no picture arrived.
GIVE_ONE = "upload it to /gradio_api/upload and give the path that comes back, or write it as data:image/png;base64,..."


def _uploaded(payload: Any) -> Path:
    """Find what a client has uploaded; other files of this computer are nobody's business."""
    given = payload.get("path") if isinstance(payload, Mapping) else payload
    if not isinstance(given, str):
        raise CinnError(f"There is no picture: {GIVE_ONE}")
    folder = Path(get_upload_folder()).resolve()
    if given.startswith("data:"):
        return _unpacked(given, folder)
    file = Path(unquote(given.partition(UPLOADS)[2]) if UPLOADS in given else given).resolve()
    if not file.is_relative_to(folder) or not file.is_file():
        raise CinnError(f"There is no upload {given[:200]!r}: {GIVE_ONE}")
    return file


def _unpacked(address: str, folder: Path) -> Path:
    try:
        return Path(save_base64_to_cache(address, str(folder)))
    except ValueError as error:  # binascii's, too
        raise CinnError(f"The picture did not arrive whole: {GIVE_ONE}") from error


def _offered(file: Path) -> dict[str, Any]:
    return FileData(path=str(file), orig_name=file.name, size=file.stat().st_size).model_dump()


Picture: TypeAlias = Annotated[Path, PlainValidator(_uploaded), WithJsonSchema(FILE)]
File: TypeAlias = Annotated[Path, PlainSerializer(_offered), WithJsonSchema(FILE)]
Seed: TypeAlias = Annotated[int, Field(ge=0, le=999_999_999)]
Temperature: TypeAlias = Annotated[float, Field(ge=0, le=2)] | None
Strength: TypeAlias = Annotated[float, Field(ge=0, le=2)]
#: Steps along axes, in standard deviations, by name or by number from 1.
Axes: TypeAlias = dict[str | int, float] | None
#: A report of what was made and how.
Line: TypeAlias = dict[str, Any]
