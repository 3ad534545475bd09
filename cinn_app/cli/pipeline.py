"""Work on many items in three stages, the first and the last of which run in threads.

Files are read and written by threads while the calling thread computes. The results do not depend on the number of
threads: each item passes each stage once, and the middle stage takes one item at a time, in the order given.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["in_stages"]

Item = TypeVar("Item")
Read = TypeVar("Read")
Result = TypeVar("Result")
Written = TypeVar("Written")


def in_stages(
    items: Iterable[Item],
    read: Callable[[Item], Read],
    compute: Callable[[Item, Read], Result],
    write: Callable[[Item, Result], Written],
    threads: int,
    weigh: Callable[[Result], int] = lambda result: 0,
    most: int = 0,
) -> Generator[tuple[Item, Written | Exception], None, None]:
    """Take every item through `read`, `compute` and `write`.

    Args:
        items: what to work on.
        read: first stage, in a thread, a few items ahead.
        compute: second stage, in the calling thread.
        write: third stage, in a thread.
        threads: that read and write.
        weigh: the weight of a result that waits to be written, such as its pixels.
        most: the weight that may wait at once before the second stage pauses; one item may always wait.

    Yields:
        Each item, in order, with what `write` returned or the exception that one of the stages raised.

    When the caller stops early, or Ctrl-C is pressed, files that are being written are finished first, and after
    Ctrl-C still yielded.
    """
    waiting = iter(items)
    ahead: deque[tuple[Item, Future[Read]]] = deque()
    behind: deque[tuple[Item, Future[Written], int]] = deque()
    pool = ThreadPoolExecutor(threads)

    def settled() -> tuple[Item, Written | Exception]:
        """Wait for the oldest, then remove it: removed before, Ctrl-C during the wait would lose it."""
        item, writing, _ = behind[0]
        error = writing.exception()
        behind.popleft()
        if error is not None and not isinstance(error, Exception):
            raise error
        return item, error if error is not None else writing.result()

    try:
        while True:
            for item in islice(waiting, 2 + threads // 2 - len(ahead)):
                ahead.append((item, pool.submit(read, item)))
            if not ahead:
                break
            item, read_ahead = ahead.popleft()
            writing: Future[Written]
            weight = 0
            try:
                result = compute(item, read_ahead.result())
                weight = weigh(result)
                writing = pool.submit(write, item, result)
                del result  # the writer alone holds it now
            except Exception as error:
                writing = Future()
                writing.set_exception(error)
            del read_ahead
            behind.append((item, writing, weight))
            while behind and (
                behind[0][1].done()
                or len(behind) > threads
                or (len(behind) > 1 and sum(weight for _, _, weight in behind) > most)
            ):
                yield settled()
        while behind:
            yield settled()
    except KeyboardInterrupt:
        pool.shutdown(cancel_futures=True)
        while behind:
            if behind[0][1].cancelled():
                behind.popleft()
            else:
                yield settled()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
