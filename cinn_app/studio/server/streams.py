"""The streams by which pages hear what has become of what they asked: kept open from one question to the next.

Gradio ends a page's stream with its last answer. What the page asks at that very moment may be confirmed before it
hears of the end: then it takes the stream for open, listens to nothing, and never shows the new answer. People do ask
at that moment, since they go on as soon as they see an answer; and so do events that follow others.
"""

import asyncio

import gradio as gr
from gradio.server_messages import ProcessCompletedMessage

from cinn_app.studio.server.visitors import Visitors

__all__ = ["Streams"]

#: Seconds for which a page may ask more before its stream is ended, and by which it has heard of the end.
LINGER, HEARD = 3.0, 0.5
# Stands among the events for which a page waits, so that gradio does not end its stream.
MORE = "more-may-be-asked"


class Streams:
    """Keeps gradio from ending streams early.

    Args:
        studio: the page, whose queue is looked at.
        visitors: knows who is still there.
    """

    def __init__(self, studio: gr.Blocks, visitors: Visitors) -> None:
        self._studio, self._visitors = studio, visitors
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: dict[str, asyncio.Event] = {}

    async def keep(self, session: str) -> None:
        """Keep a page's stream open, as it is about to ask for something; if it is just being ended, wait for that."""
        if session in self._ending:
            await self._ending[session].wait()
        self._studio._queue.pending_event_ids_session.setdefault(session, set()).add(MORE)
        if session in self._timers:
            self._timers[session].cancel()
        self._end_later(session)

    def _end_later(self, session: str) -> None:
        self._timers[session] = asyncio.get_running_loop().call_later(LINGER, self._end, session)

    def _end(self, session: str) -> None:
        awaited = self._studio._queue.pending_event_ids_session.get(session, set())
        if awaited - {MORE} and self._visitors.is_here(session):
            self._end_later(session)
            return
        del self._timers[session]
        messages = self._studio._queue.pending_messages_per_session.get(session)
        if messages is None or not self._visitors.is_here(session):
            awaited.discard(MORE)
            return
        self._ending[session] = asyncio.Event()
        asyncio.get_running_loop().call_later(HEARD, self._ended, session)
        messages.put_nowait(ProcessCompletedMessage(event_id=MORE, output={}, success=True))

    def _ended(self, session: str) -> None:
        self._ending.pop(session).set()
