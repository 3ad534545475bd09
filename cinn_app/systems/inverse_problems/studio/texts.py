"""Texts about the built-in problems, which their own files have in English, for the catalogues."""

from cinn_app.studio.language import later, tr

__all__ = ["BUILT_IN", "short_title"]

#: Titles, names and units of the built-in problems with a trained model.
BUILT_IN = (
    later("Inverse kinematics: which postures of an arm in the plane put its hand at this point?"),
    later("height of the slider"),
    later("joint 1"),
    later("joint 2"),
    later("joint 3"),
    later("hand across"),
    later("hand up"),
    later("Tissue optics: how much oxygen is in the blood of a tissue that a multispectral camera sees?"),
    later("oxygenation"),
    later("blood volume above"),
    later("blood volume below"),
    later("thickness of the layer"),
    later("scattering at 500 nm"),
    later("scattering power"),
    later("reflectance at 480 nm"),
    later("reflectance at 500 nm"),
    later("reflectance at 525 nm"),
    later("reflectance at 545 nm"),
    later("reflectance at 560 nm"),
    later("reflectance at 575 nm"),
    later("reflectance at 600 nm"),
    later("reflectance at 650 nm"),
    later("A star cluster in its cloud: which cloud, and stars of which age, shine in these emission lines?"),
    later("mass of the cloud"),
    later("star formation efficiency"),
    later("density of the cloud"),
    later("age of the first stars"),
    later("log solar masses"),
    later("log"),
    later("log atoms/cm³"),
    later("log erg/s"),
)


def short_title(title: str) -> str:
    """Translate a title, and leave out the question after the colon."""
    return tr(title).partition(tr(": ").strip())[0]
