"""Render templates and problems as pages, and read submitted forms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bottle import HTTPResponse, SimpleTemplate, request

from serve.api.access.session import read_cookie
from serve.api.problem import Problem, Refusal
from serve.api.query import read_query
from serve.api.response import PAGE_HEADERS, public_path, respond_page, respond_problem

from .language.translation import choose_language, gettext, language, ngettext, use_language
from .navigation import use_session

TEMPLATES = Path(__file__).parent / "templates"
MOST_FORM_BYTES = 8192
# What an address has as it is: the reserved characters of RFC 3986, and what is encoded already.
ADDRESS_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


@functools.cache
def _template(name: str) -> SimpleTemplate:
    return SimpleTemplate(name=f"{name}.tpl", lookup=[str(TEMPLATES)])


def _quoted(text: str) -> str:
    return quote(text, safe="")


def fill(name: str, **values: Any) -> bytes:  # noqa: ANN401  whatever the template shows
    """Render a template; `{{value}}` is escaped, `{{!value}}` is not.

    `title` and `datasets`, the names for the navigation, are on every page. A page of one dataset
    has `dataset`, its name, and `here`, the path of the page, by which the navigation marks it.
    """
    texts = {"_": gettext, "ngettext": ngettext, "language": language(), "colon": gettext(": ")}
    page: str = _template(name).render(quoted=_quoted, **texts, **values)
    return page.encode()


def show(name: str, status: int = 200, **values: Any) -> HTTPResponse:  # noqa: ANN401
    """Return a response with a rendered template."""
    response = respond_page(fill(name, **{"here": request.path, **values}))
    response.status = status
    return response


def in_language(view: Callable[..., HTTPResponse]) -> Callable[..., HTTPResponse]:
    """Return the view with its page in the language that the browser asks for."""

    @functools.wraps(view)
    def translated(**arguments: str) -> HTTPResponse:
        use_session(is_there=bool(read_cookie(request.environ)))
        use_language(choose_language(request.environ.get("HTTP_ACCEPT_LANGUAGE", "")))
        response = view(**arguments)
        if str(response.content_type).startswith("text/html"):
            response.set_header("Vary", "Accept, Accept-Language")
        return response

    return translated


def wants_page() -> bool:
    """Return True if the client accepts HTML, as browsers do."""
    return "text/html" in request.environ.get("HTTP_ACCEPT", "")


def show_problem(problem: Problem) -> HTTPResponse:
    """Return a problem as a page for browsers, as JSON for other clients."""
    response = respond_problem(problem)
    if wants_page():
        page = show("error", title=problem.title, detail=problem.detail, datasets=[])
        response.body = page.body
        for name in ("Content-Type", "Content-Security-Policy", *PAGE_HEADERS):
            response.set_header(name, page.get_header(name))
    return response


def read_form(most_bytes: int = MOST_FORM_BYTES) -> dict[str, str]:
    """Return the fields of a submitted form; raises Refusal or InputError."""
    body: bytes = request.body.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise Refusal(413, f"the form has more than {most_bytes:,} bytes; send fewer")
    return {name: it.strip() for name, it in read_query(body.decode("latin-1")).items()}


def redirect(path: str) -> HTTPResponse:
    """Return a redirect to another page of this server, which the browser fetches with GET."""
    # In ASCII: servers disagree on how to send other characters in a header.
    location = quote(public_path(path), safe=ADDRESS_CHARACTERS)
    return HTTPResponse(b"", 303, {"Location": location})
