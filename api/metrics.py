"""Prometheus metrics of the API. No label holds a tenant's or a model's name."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from model_lifecycle.registry.domain.models import OutboxStatus

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SHARED = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts of one app. With several workers, PROMETHEUS_MULTIPROC_DIR names a folder in which
    they share theirs, and any of them answers for all."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "model_lifecycle_api_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "model_lifecycle_api_request_seconds",
            "Time to answer, uploads included.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._running = Gauge(
            "model_lifecycle_api_requests_running",
            "Requests being answered now.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )

        self._swept = Counter(
            "model_lifecycle_outbox_swept",
            "Changes that a sweep showed in MLflow, because their writer had not.",
            registry=self._registry,
        )
        self._pending = Gauge(
            "model_lifecycle_outbox_pending",
            "Changes that MLflow may not show yet, of all tenants.",
            multiprocess_mode="livemostrecent",
            registry=self._registry,
        )
        self._oldest = Gauge(
            "model_lifecycle_outbox_oldest_seconds",
            "Age of the oldest change that MLflow may not show yet; 0 if there is none.",
            multiprocess_mode="livemostrecent",
            registry=self._registry,
        )

    def swept(self, finished: int) -> None:
        """Count the changes that a sweep finished."""
        self._swept.inc(finished)

    def outbox(self, status: OutboxStatus) -> None:
        """Set the depth and the age of the outbox."""
        self._pending.set(status.pending)
        self._oldest.set(status.oldest_seconds)

    def begin(self) -> None:
        self._running.inc()

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        self._running.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def close(self) -> None:
        """Take this process's running requests out of the sum."""
        if _SHARED in os.environ:
            mark_process_dead(os.getpid())

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        if _SHARED not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)
        return generate_latest(shared)
