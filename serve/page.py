"""Pages for people."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote, unquote, urlencode

from .catalog import Served

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{head}
</head>
<body>
{body}
</body>
</html>
"""


def example_path(served: Served) -> str:
    """Return the path of an example prediction."""
    return f"/predict/{served.name}?{urlencode(_texts(served), quote_via=quote)}"


def _texts(served: Served) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in served.spec.example_inputs().items()
    }


def welcome(served: Sequence[Served]) -> dict[str, Any]:
    """Return what programs are told at the root."""
    return {
        "name": "veilleuse",
        "datasets": {
            one.name: {"model": one.model or None, "example": example_path(one)} for one in served
        },
        "links": {
            "docs": "/docs",
            "openapi": "/openapi.json",
            "health": "/health",
            "ready": "/readyz",
            "metrics": "/metrics",
        },
    }


def welcome_page(served: Sequence[Served]) -> bytes:
    """Return what people are told at the root."""
    datasets = "\n".join(_dataset(one) for one in served)
    body = f"""<h1>Veilleuse</h1>
<p class="soft">Predictions, at once: the teacher's where it has answered already, the student's
until then.</p>
{datasets or "<p>There is no dataset yet: <code>python -m db load FILE</code></p>"}
<h2>More</h2>
<p><a href="/docs">API documentation</a> · <a href="/openapi.json">OpenAPI</a> ·
<a href="/metrics">metrics</a> · <a href="/readyz">readiness</a></p>"""
    head = '<link rel="stylesheet" href="/docs/page.css">'
    return _PAGE.format(title="Veilleuse", head=head, body=body).encode()


def _dataset(served: Served) -> str:
    links = [_link(example_path(served))]
    fields = ", ".join(f"<code>{escape(name)}</code>" for name in served.spec.fields)
    if served.spec.flat_route:
        name = served.spec.required[0]
        query = urlencode({name: _texts(served)[name]}, quote_via=quote)
        links.append(_link(f"{served.spec.flat_route}?{query}"))
    return f"""<h2>{escape(served.spec.title or served.name)}</h2>
<p>{fields} → <code>{escape(served.spec.target)}</code>,
{"model " + escape(served.model) if served.model else "no model yet"}</p>
<ul>{"".join(links)}</ul>"""


def _link(path: str) -> str:
    """Return a link that reads as people would write it."""
    return f'<li><a href="{escape(path)}">{escape(unquote(path))}</a></li>'


def docs_page() -> bytes:
    """Return the page that shows the OpenAPI document."""
    head = (
        '<link rel="stylesheet" href="/docs/swagger-ui.css">\n'
        '<script defer src="/docs/swagger-ui-bundle.js"></script>\n'
        '<script defer src="/docs/docs.js"></script>'
    )
    return _PAGE.format(title="Veilleuse API", head=head, body='<div id="docs"></div>').encode()
