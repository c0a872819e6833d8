"""The links to other pages at the top of each page."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
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
)
_KEY = "/key"
_has_session = ContextVar("has_session", default=False)
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


def use_session(*, is_there: bool) -> None:
    """Remember whether the browser that asks for a page has sent a session."""
    _has_session.set(is_there)


def has_session() -> bool:
    """Return whether the browser has sent a session, which only the links at the top show."""
    return _has_session.get()


def site_links(datasets: Sequence[str], dataset: str, here: str) -> list[Link]:
    """Return the links to the datasets and to the pages of the server."""
    named = [Link(f"/records/{name}", name, name == dataset) for name in datasets[:MOST_DATASETS]]
    site = [Link(path, _(text), _is_under(here, path)) for path, text in _SITE]
    session = Link(_KEY, _("Signed in") if has_session() else _("Sign in"), _is_under(here, _KEY))
    return [*named, *site, session]


def dataset_links(dataset: str, here: str) -> list[Link]:
    """Return the links to the pages of one dataset."""
    paths = [(pattern.format(dataset), text) for pattern, text in _DATASET]
    return [Link(path, _(text), _is_under(here, path)) for path, text in paths]


def _is_under(here: str, path: str) -> bool:
    return here == path or here.startswith(f"{path}/")
