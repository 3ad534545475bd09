"""The errors that a user may meet.

Every message is a single sentence that says what was given, what was expected and what to do about it. Only the
front ends turn these into exit codes or dialogs; everything below raises them.
"""

from typing import Any

from cinn_app.messages import Message

__all__ = [
    "CheckpointError",
    "CinnError",
    "DataError",
    "DeviceError",
    "DiskFullError",
    "ImageError",
    "ProblemError",
    "RecipeError",
    "SettingError",
    "TrainingError",
]


class CinnError(Exception):
    """Something that the user can mend.

    Args:
        template: one English sentence that says how, with the names of values in braces.
        values: what the braces stand for, see :class:`cinn_app.messages.Message`.

    Attributes:
        message: the sentence, with the template and the values that a front end needs to translate it.
        template, values: those of the message.

    >>> error = CinnError("The seed {seed} is negative: give a whole number from 0.", seed=-1)
    >>> str(error)
    'The seed -1 is negative: give a whole number from 0.'
    """

    def __init__(self, template: str, /, **values: Any) -> None:
        self.message = Message(template, **values)
        self.template, self.values = template, values
        super().__init__(str(self.message))


class ImageError(CinnError):
    """A picture cannot be read, is beyond a limit, or cannot be written."""


class DiskFullError(ImageError):
    """A picture cannot be written because no room is left; the next one would fare no better."""


class RecipeError(CinnError):
    """A recipe has an unknown key, a wrong value or sizes that do not fit together."""


class CheckpointError(CinnError):
    """A checkpoint is missing, damaged, foreign, or made by a newer program."""


class DataError(CinnError):
    """Training or evaluation data are missing or unusable."""


class ProblemError(CinnError):
    """A problem of parameters and measurements cannot be loaded or simulated, or does not fit what it is used for."""


class SettingError(CinnError):
    """A setting is unknown to the model, or out of range."""


class DeviceError(SettingError):
    """The device asked for is unknown or not present."""


class TrainingError(CinnError):
    """Training cannot go on, for example because it diverges."""
