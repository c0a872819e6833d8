"""Files that the pages need: our own, and Swagger UI's out of its package."""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

OWN = Path(__file__).parent / "static"

_TYPES = {
    ".svg": "image/svg+xml",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_SWAGGER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_OWN_FILES = frozenset({"docs.js", "flame.svg", "page.css", "page.js"})


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    data: bytes
    content_type: str


def read_asset(name: str) -> Asset | None:
    """Return a file by its name, None where there is none such."""
    if name in _OWN_FILES:
        path = OWN / name
    elif name in _SWAGGER_FILES:
        path = _swagger_folder() / name
    else:
        return None
    return Asset(path.read_bytes(), _TYPES[path.suffix])


@functools.cache
def _swagger_folder() -> Path:
    """Find the package without importing it: that would bring Flask into this process."""
    found = importlib.util.find_spec("flask_swagger_ui")
    if found is None or found.origin is None:
        raise FileNotFoundError("flask-swagger-ui is not installed")
    return Path(found.origin).parent / "dist"
