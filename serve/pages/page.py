"""Pages: templates filled in."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bottle import SimpleTemplate

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def _template(name: str) -> SimpleTemplate:
    return SimpleTemplate(name=f"{name}.tpl", lookup=[str(TEMPLATES)])


def _quoted(text: str) -> str:
    return quote(text, safe="")


def fill(name: str, **values: Any) -> bytes:  # noqa: ANN401  whatever the template shows
    """Return a page; everything is escaped but what the template says is HTML."""
    page: str = _template(name).render(quoted=_quoted, **values)
    return page.encode()
