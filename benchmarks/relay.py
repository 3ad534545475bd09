"""A line that can be cut: passes all connections on to a server, until it ends them all."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["Relay", "relayed"]


class Relay:
    """Passes connections on.

    Args:
        port: of the server, on this computer.

    Attributes:
        address: that it listens on.
        broken: set when the line has been cut.
    """

    address: str

    def __init__(self, port: int) -> None:
        self._port, self._loop = port, asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._whole, self._fatal = True, b""
        self.broken = threading.Event()

    def run(self) -> None:
        """Pass on until :meth:`stop`."""
        self._loop.run_forever()

    def start(self) -> None:
        """Listen, once :meth:`run` is running in another thread."""
        listening = asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    def stop(self) -> None:
        """End all connections and :meth:`run`."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def cut(self) -> None:
        """End all connections, and those to come."""
        self._call(self._cut)

    def cut_at(self, text: bytes) -> None:
        """Cut in the middle of the first part from the server with a text in it; :attr:`broken` is set then."""
        self.broken.clear()
        self._fatal = text

    def mend(self) -> None:
        """Pass on again."""
        self._whole = True

    def lead_to(self, port: int) -> None:
        """Pass on to another server."""
        self._port = port

    def _call(self, function: Callable[[], Any]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (function(), done.set()))
        done.wait()

    def _cut(self) -> None:
        self._whole = False
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        self.broken.set()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        self._open.add(writer)
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
            self._open.add(to_server)
            await asyncio.gather(self._copy(reader, to_server), self._copy(from_server, writer, watched=True))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watched: bool = False) -> None:
        with suppress(OSError):
            while part := await reader.read(65536):
                if watched and self._fatal and self._fatal in part:
                    writer.write(part[: part.index(self._fatal) + len(self._fatal) // 2])
                    self._fatal = b""
                    await asyncio.sleep(0.02)
                    self._cut()
                    return
                writer.write(part)
                await writer.drain()
        writer.close()
        self._open.discard(writer)


@contextmanager
def relayed(port: int) -> Iterator[Relay]:
    """Pass connections on in a thread."""
    relay = Relay(port)
    thread = threading.Thread(target=relay.run, daemon=True)
    thread.start()
    relay.start()
    yield relay
    relay.stop()
    thread.join()
