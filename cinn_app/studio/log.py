"""The studio's log: unexpected errors, one line each, with no text of a visitor that could pass for another line."""

import logging
import traceback

__all__ = ["log_error"]

LOG = logging.getLogger(__name__)
# Characters of an error's message, and the innermost places that it came from.
LENGTH, PLACES = 300, 4


def log_error(error: BaseException, quote: bool = True) -> None:
    """Log an error with where it came from.

    Args:
        error: any.
        quote: whether to log its message, which is escaped; not if it is sure to repeat a visitor's text.
    """
    frames = traceback.extract_tb(error.__traceback__)[-PLACES:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    message = f": {str(error)[:LENGTH]!a}" if quote else ""
    LOG.error("%s%s at %s", type(error).__name__, message, places)
