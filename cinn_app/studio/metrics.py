"""The state of a running studio: `/health` for a watchdog, `/metrics` for Prometheus."""

import functools
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cinn_app.studio.clients import Clients

__all__ = ["REFUSALS", "WRONG_LOGINS", "Metrics", "health", "measure"]

SAMPLES = Counter("cinn_samples", "Samples drawn, by system", ["system"])
SECONDS = Histogram(
    "cinn_sampling_seconds", "Seconds per call, by system", ["system"], buckets=(0.3, 1, 2, 3, 5, 10, 30, 60)
)
ERRORS = Counter("cinn_errors", "Calls that failed, by system and kind of error", ["system", "kind"])
REFUSALS = Counter("cinn_refusals", "Refused requests, by HTTP status", ["status"])
WRONG_LOGINS = Counter("cinn_wrong_logins", "Logins with a wrong name or password")

Model = TypeVar("Model")


def measure(model: Model, system: str, methods: Iterable[str]) -> Model:
    """Count the samples that a model's methods draw, their time and their errors.

    Args:
        model: is changed.
        system: name of its system.
        methods: names of methods that return a sample, or a list of samples.
    """
    for name in methods:
        setattr(model, name, _measured(getattr(model, name), system))
    return model


def _measured(method: Any, system: str) -> Any:
    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            samples = method(*args, **options)
        except Exception as error:
            ERRORS.labels(system, type(error).__name__).inc()
            raise
        SECONDS.labels(system).observe(time.perf_counter() - start)
        SAMPLES.labels(system).inc(len(samples) if isinstance(samples, list) else 1)
        return samples

    return call


def health(request: Request) -> Response:
    """Answer that the studio runs."""
    return PlainTextResponse("ok")


class Metrics(Collector):
    """Reports counters and the present state to Prometheus.

    On Linux, `process_resident_memory_bytes` is the memory of the process.
    """

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Measure the queue and the open pages."""
        yield GaugeMetricFamily("cinn_queue_length", "Jobs that wait", len(self.clients.waiting()))
        yield GaugeMetricFamily("cinn_open_pages", "Pages that are open", self.clients.count_open())

    def answer(self, request: Request) -> Response:
        """Answer a request for all metrics."""
        present = CollectorRegistry()
        present.register(self)
        return Response(generate_latest(REGISTRY) + generate_latest(present), media_type=CONTENT_TYPE_LATEST)
