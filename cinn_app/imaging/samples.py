"""Pictures to try the program on: photographs that scikit-image carries in its own package."""

from importlib.util import find_spec
from pathlib import Path

from cinn_app.errors import ImageError

__all__ = ["sample_photographs"]

# Free of rights, as the docstrings of `skimage.data` say: public domain (NASA, SpaceX, Brooklyn Museum), or CC0
# by the photographers Stefan van der Walt (chelsea), Rachel Michetti (coffee) and Lav Varshney (camera).
FILES = {
    "astronaut": "astronaut.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "rocket": "rocket.jpg",
}


def sample_photographs() -> dict[str, Path]:
    """Return the files of the sample photographs by name; camera and coins are gray, the others in colour.

    Raises:
        ImageError: scikit-image is not installed, or without its pictures.
    """
    package = find_spec("skimage")  # found, not imported
    folder = Path(package.origin).parent / "data" if package and package.origin else Path()
    found = {name: folder / file for name, file in FILES.items() if (folder / file).is_file()}
    if not found:
        raise ImageError("The sample photographs are missing: install scikit-image with its data.")
    return found
