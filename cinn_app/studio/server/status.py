"""How the studio is doing, for those who run it: `/health` for a watchdog, `/metrics` for Prometheus."""

import functools
import time
from collections.abc import Iterator
from typing import Any, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cinn_app.studio.server.visitors import Visitors

__all__ = ["COLOURINGS", "ERRORS", "REFUSALS", "SECONDS", "Metrics", "health", "measured"]

COLOURINGS = Counter("cinn_colourings", "Colourings drawn")
SECONDS = Histogram(
    "cinn_drawing_seconds", "Seconds until a photograph's colourings were drawn", buckets=(0.3, 1, 2, 3, 5, 10, 30, 60)
)
ERRORS = Counter("cinn_errors", "Drawings that failed, by the kind of the error", ["kind"])
REFUSALS = Counter("cinn_refusals", "Requests that were not let in, by the status of the answer", ["status"])

System = TypeVar("System")


def measured(system: System, *methods: str) -> System:
    """Let a system count what its methods draw, how long that takes and how often it fails.

    Args:
        system: is changed.
        methods: names of those that return what they drew, one or a list.
    """
    for name in methods:
        setattr(system, name, _measured(getattr(system, name)))
    return system


def _measured(method: Any) -> Any:
    @functools.wraps(method)
    def draw(*args: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            drawn = method(*args, **options)
        except Exception as error:
            ERRORS.labels(type(error).__name__).inc()
            raise
        SECONDS.observe(time.perf_counter() - begun)
        COLOURINGS.inc(len(drawn) if isinstance(drawn, list) else 1)
        return drawn

    return draw


def health(request: Request) -> Response:
    """Answer that the studio is there."""
    return PlainTextResponse("ok")


class Metrics(Collector):
    """Tells Prometheus what has been counted, and how things stand at this moment.

    The memory of the process is in `process_resident_memory_bytes`, where the system tells it (Linux).
    """

    def __init__(self, visitors: Visitors) -> None:
        self.visitors = visitors

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Look at the queue and the visitors."""
        yield GaugeMetricFamily("cinn_queue_length", "Jobs that wait", self.visitors.waiting().total())
        yield GaugeMetricFamily("cinn_visitors", "Pages that are open", self.visitors.count())

    def answer(self, request: Request) -> Response:
        """Answer a request for all of it."""
        now = CollectorRegistry()
        now.register(self)
        return Response(generate_latest(REGISTRY) + generate_latest(now), media_type=CONTENT_TYPE_LATEST)
