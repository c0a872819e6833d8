"""What programs are told at the root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serve.pages.predict_form import in_query
from serve.prediction.catalog import Served


def example_path(served: Served) -> str:
    """Return the path of an example prediction."""
    return f"/predict/{served.name}?{in_query(served.spec.example_inputs())}"


def welcome(served: Sequence[Served]) -> dict[str, Any]:
    """Return the datasets, each with an example, and where to find more."""
    return {
        "name": "veilleuse",
        "datasets": {
            one.name: {
                "model": one.model or None,
                "example": example_path(one),
                "records": f"/records/{one.name}",
            }
            for one in served
        },
        "links": {
            "docs": "/docs",
            "openapi": "/openapi.json",
            "health": "/health",
            "ready": "/readyz",
            "metrics": "/metrics",
        },
    }
