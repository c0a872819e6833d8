"""The JSON document at the root, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serve.prediction.catalog import Served

from .query import in_query
from .response import public_path


def example_path(served: Served, route: str = "predict") -> str:
    """Return the path of an example prediction, or of the explanation of one."""
    return public_path(f"/{route}/{served.name}?{in_query(served.spec.example_inputs())}")


def root_document(served: Sequence[Served]) -> dict[str, Any]:
    """Return the datasets, each with an example request, and links."""
    return {
        "name": "veilleuse",
        "datasets": {
            one.name: {
                "model": one.model or None,
                "example": example_path(one),
                "explain": example_path(one, "explain"),
                "records": public_path(f"/records/{one.name}"),
            }
            for one in served
        },
        "links": {
            "docs": public_path("/docs"),
            "openapi": public_path("/openapi.json"),
            "health": public_path("/health"),
            "ready": public_path("/readyz"),
            "metrics": public_path("/metrics"),
        },
    }
