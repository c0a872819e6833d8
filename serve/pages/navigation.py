"""The links to other pages at the top of each page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .language.translation import gettext as _
from .language.translation import mark

# With more datasets the first page, which lists them all, is the way to them.
MOST_DATASETS = 6
_SITE = (
    ("/jobs", mark("Files")),
    ("/server", mark("Server")),
    ("/guide", mark("Guide")),
    ("/docs", mark("API")),
    ("/key", mark("Sign in")),
)
_DATASET = (
    ("/records/{}", mark("Records")),
    ("/label/{}", mark("Label records")),
    ("/try/{}", mark("Try")),
    ("/models/{}", mark("Models")),
    ("/over-time/{}", mark("Over time")),
    ("/production/{}", mark("In production")),
    ("/batch/{}", mark("Predict a file")),
)


@dataclass(frozen=True)
class Link:
    """A link; `is_here` marks the page that shows it, or a page under it."""

    path: str
    text: str
    is_here: bool


def site_links(datasets: Sequence[str], dataset: str, here: str) -> list[Link]:
    """Return the links to the datasets and to the pages of the server."""
    named = [Link(f"/records/{name}", name, name == dataset) for name in datasets[:MOST_DATASETS]]
    return named + [Link(path, _(text), _is_under(here, path)) for path, text in _SITE]


def dataset_links(dataset: str, here: str) -> list[Link]:
    """Return the links to the pages of one dataset."""
    paths = [(pattern.format(dataset), text) for pattern, text in _DATASET]
    return [Link(path, _(text), _is_under(here, path)) for path, text in paths]


def _is_under(here: str, path: str) -> bool:
    return here == path or here.startswith(f"{path}/")
