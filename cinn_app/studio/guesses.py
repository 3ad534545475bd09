"""How fast a password may be guessed."""

import hmac
import math
import time
from collections.abc import Callable

from cinn_app.messages import Message
from cinn_app.studio.language import later
from cinn_app.studio.metrics import WRONG_LOGINS
from cinn_app.studio.refusals import RefusalError

__all__ = ["FREE_GUESSES", "MAX_DELAY", "Guesses"]

#: An address may guess so often before it has to wait: a second, then two, four and so on, up to so many.
FREE_GUESSES, MAX_DELAY = 5, 300
#: How many addresses are remembered that guessed wrongly.
MAX_REMEMBERED = 10_000

TOO_FAST = later("Too many wrong passwords: wait {seconds} seconds.")


class Guesses:
    """Compares with the right name and password, and slows down an address that guesses.

    Args:
        login: name and password.
        clock: returns seconds.
    """

    def __init__(self, login: tuple[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._login, self._clock = login, clock
        self._wrong: dict[str, tuple[int, float]] = {}  # guesses of an address, and until when it has to wait

    def check(self, address: str, name: str, password: str) -> bool:
        """Return whether name and password are right.

        Raises:
            RefusalError: if the address has to wait; it learns nothing about its guess then.
        """
        guesses, until = self._wrong.pop(address, (0, 0.0))
        wait = until - self._clock()
        if wait > 0:
            self._wrong[address] = guesses, until
            raise RefusalError(429, Message(TOO_FAST, seconds=math.ceil(wait)))
        given, right = (f"{one}\0{other}".encode() for one, other in ((name, password), self._login))
        if hmac.compare_digest(given, right):
            return True
        WRONG_LOGINS.inc()
        delay = min(2.0 ** (guesses - FREE_GUESSES), MAX_DELAY) if guesses >= FREE_GUESSES else 0
        self._wrong[address] = min(guesses + 1, 100), self._clock() + delay
        while len(self._wrong) > MAX_REMEMBERED:
            del self._wrong[next(iter(self._wrong))]
        return False
