"""The studio's log: unexpected errors, one line each, with no text of a visitor that could pass for another line."""

import logging
import traceback

__all__ = ["log_error"]

LOG = logging.getLogger(__name__)
# Characters of an error's message, and the innermost places that it came from.
LENGTH, PLACES = 300, 4


def log_error(error: BaseException) -> None:
    """Log an error with where it came from. Its message may quote a request, so it is escaped."""
    frames = traceback.extract_tb(error.__traceback__)[-PLACES:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    LOG.error("%s: %s at %s", type(error).__name__, ascii(str(error)[:LENGTH]), places)
