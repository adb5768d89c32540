"""Numbers of the server for Prometheus; paths are named by their pattern, so nothing of a client shows."""

from __future__ import annotations

import logging
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("halfsmile.serve")
_PATHS = frozenset(
    ("/", "/docs", "/openapi.json", "/healthz", "/metrics", "/v1/model", "/v1/predict", "/v1/video")
)
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class ServerMetrics:
    """Counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "halfsmile_requests", "Requests answered.", ("method", "path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "halfsmile_request_seconds", "From request to the end of its answer.", ("path",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge("halfsmile_requests_in_flight", "Requests being served.", registry=registry)
        self.faces = Counter("halfsmile_faces", "Faces found in pictures.", registry=registry)
        self.pictures = Counter("halfsmile_pictures", "Pictures analyzed.", registry=registry)
        self.batch = Histogram(
            "halfsmile_batch_pictures",
            "Pictures of a batch.",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "halfsmile_batch_seconds", "Time to analyze a batch.", buckets=_SECONDS, registry=registry
        )
        self.waiting = Gauge("halfsmile_queue_pictures", "Pictures that wait.", registry=registry)
        self.refused = Counter(
            "halfsmile_refused", "Pictures refused, the queue being full.", registry=registry
        )
        self.jobs = Counter("halfsmile_jobs", "Videos by how they ended.", ("status",), registry=registry)
        self.video_frames = Counter("halfsmile_video_frames", "Frames of videos read.", registry=registry)
        self.streams = Gauge("halfsmile_streams", "Open WebSocket streams.", registry=registry)
        self.frames = Counter("halfsmile_stream_frames", "Frames of streams answered.", registry=registry)
        self.dropped = Counter(
            "halfsmile_stream_dropped_frames", "Frames of streams given up for newer ones.", registry=registry
        )

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


class MetricsMiddleware:
    """Counts and times every HTTP request; logs them without names, queries or addresses.

    Args:
        app: What serves the requests.
        metrics: Where to count.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path, method, start = pattern(scope["path"]), known_method(scope["method"]), time.perf_counter()
        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, watched)
        except Exception:
            status = status or 500
            raise
        finally:
            took = time.perf_counter() - start
            self.metrics.in_flight.dec()
            self.metrics.requests.labels(method, path, str(status or 499)).inc()  # 499: the client went away
            self.metrics.seconds.labels(path).observe(took)
            _log.info("%s %s %d %.0f ms", method, path, status or 499, 1e3 * took)


def known_method(method: str) -> str:
    """A method of HTTP, or ``other``: clients may invent names without end.

    Example:
        >>> known_method("BREW")
        'other'
    """
    return method if method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH") else "other"


def pattern(path: str) -> str:
    """A path without what differs from client to client.

    Example:
        >>> pattern("/v1/video/abc/results"), pattern("/wp-admin")
        ('/v1/video/{id}/results', 'other')
    """
    if path in _PATHS:
        return path
    if path.startswith("/static/"):
        return "/static"
    parts = path.split("/")
    if path.startswith("/v1/video/") and len(parts) == 4:
        return "/v1/video/{id}"
    if path.startswith("/v1/video/") and len(parts) == 5 and parts[4] == "results":
        return "/v1/video/{id}/results"
    return "other"
