"""Static files of the pages: this project's, and Swagger UI's from its installed package."""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_TYPES = {
    ".svg": "image/svg+xml",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_SWAGGER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_STATIC_FILES = frozenset(
    {"docs.css", "docs.js", "drop.js", "flame.svg", "label.js", "page.css", "page.js"}
)


@dataclass(frozen=True)
class Asset:
    """A file's bytes and its content type."""

    data: bytes
    content_type: str


def read_asset(name: str) -> Asset | None:
    """Return a file by its name, or None if there is no such file."""
    if name in _STATIC_FILES:
        path = STATIC / name
    elif name in _SWAGGER_FILES:
        path = _swagger_folder() / name
    else:
        return None
    return Asset(path.read_bytes(), _TYPES[path.suffix])


@functools.cache
def _swagger_folder() -> Path:
    """Find the package without importing it: the import would load Flask into this process."""
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("flask-swagger-ui is not installed")
    return Path(spec.origin).parent / "dist"
