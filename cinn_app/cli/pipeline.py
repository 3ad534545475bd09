"""Work on many things in three stages, of which the first and the last run beside the one in the middle.

Files are read and written by threads while the calling thread computes. What comes out does not depend on how many
threads there are: each thing passes each stage once, the middle stage in the order given and one thing at a time.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["in_stages"]

Item = TypeVar("Item")
Read = TypeVar("Read")
Thought = TypeVar("Thought")
Written = TypeVar("Written")


def in_stages(
    items: Iterable[Item],
    read: Callable[[Item], Read],
    think: Callable[[Item, Read], Thought],
    write: Callable[[Item, Thought], Written],
    threads: int,
    weigh: Callable[[Thought], int] = lambda thought: 0,
    most: int = 0,
) -> Generator[tuple[Item, Written | Exception], None, None]:
    """Take every item through `read`, `think` and `write`.

    Args:
        items: what to work on.
        read: first stage, in a thread, a few items ahead.
        think: second stage, in the calling thread.
        write: third stage, in a thread.
        threads: how many read and write.
        weigh: what waiting to be written takes, such as pixels.
        most: how much of that may wait at once before the second stage pauses; one item may, whatever it weighs.

    Yields:
        Each item, in order, with what `write` returned or the exception that one of the stages raised.

    When the caller stops early, or a Ctrl-C arrives, what is being written is finished first, since there are no
    half-written files; after a Ctrl-C that is still yielded.
    """
    waiting = iter(items)
    ahead: deque[tuple[Item, Future[Read]]] = deque()
    behind: deque[tuple[Item, Future[Written], int]] = deque()
    pool = ThreadPoolExecutor(threads)

    def settled() -> tuple[Item, Written | Exception]:
        """Wait for the oldest and take it out; not before it is done, lest a Ctrl-C while waiting lose it."""
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
            item, reading = ahead.popleft()
            writing: Future[Written]
            weight = 0
            try:
                thought = think(item, reading.result())
                weight = weigh(thought)
                writing = pool.submit(write, item, thought)
                del thought  # the writer alone holds it now
            except Exception as error:
                writing = Future()
                writing.set_exception(error)
            del reading
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
