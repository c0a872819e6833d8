"""The application of a web process, called without a server."""

from __future__ import annotations

import io
from typing import Any

from serve.api.middleware import RequestMiddleware
from serve.api.wsgi import Environ
from serve.app import make_app
from serve.prediction.service import PredictionService
from serve.telemetry.log import BatchedHandler
from serve.telemetry.multiprocess import MultiprocessMetrics, ProcessMetrics


def app_of(service: PredictionService) -> RequestMiddleware:
    """Return the application of a service, as one web process has it."""
    metrics = MultiprocessMetrics(None, ProcessMetrics)
    return make_app(service, metrics, BatchedHandler("text"))


def environ_of(target: str, **more: Any) -> Environ:  # noqa: ANN401  WSGI values have any type
    """Return the environ of a plain GET."""
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        **more,
    }
