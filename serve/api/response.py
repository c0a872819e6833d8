"""Bottle responses from bytes, with their headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import bottle
import msgspec
from bottle import HTTPError, HTTPResponse, request

from .problem import Problem, make_problem
from .wsgi import PREFIX

JSON = "application/json"
PROBLEM = "application/problem+json"
RETRY_SECONDS = 5
# On every response: no content sniffing, and no referrer for other sites. With none for ourselves,
# browsers would also hide from us which site's page has sent a form; see is_own_form.
SAFETY = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin")]
# On every page: no other site may hold its window or load it, and it uses no device.
PAGE_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# Pages load and fetch only from this server, and no other site may frame them.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# What comes before the address in an attribute: not //, which begins with another host.
_ADDRESS = re.compile(rb"""(\s(?:href|src|action)=")(?=/(?!/))""")

encode_problem = msgspec.json.Encoder().encode
# Swagger UI styles its elements one by one.
DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


def respond(
    body: bytes | Iterator[bytes], content_type: str = JSON, status: int = 200
) -> HTTPResponse:
    """Return a response with these bytes, or one that streams them as they are made."""
    return HTTPResponse(body, status, {"Content-Type": content_type})


def respond_cacheable(body: bytes, tag: str, cache_control: str) -> HTTPResponse:
    """Return a JSON response that HTTP caches may keep, as `cache_control` says."""
    response = respond(body)
    response.set_header("ETag", tag)
    response.set_header("Cache-Control", cache_control)
    return response


def public_path(path: str) -> str:
    """Return a path of this server as clients reach it, behind a proxy's prefix."""
    prefix: str = request.environ.get(PREFIX, "")
    return f"{prefix}{path}"


def with_prefix(page: bytes, prefix: str) -> bytes:
    """Return a page whose links, forms, scripts and styles begin with a prefix.

    In an attribute a template writes an address from the root, and a value cannot look like an
    attribute, because its quotation marks are escaped.
    """
    return _ADDRESS.sub(rb"\1" + prefix.encode(), page) if prefix else page


def respond_page(page: bytes, policy: str = PAGE_POLICY) -> HTTPResponse:
    """Return an HTML page as a response, with the addresses that a proxy's prefix asks for."""
    response = respond(with_prefix(page, public_path("")), "text/html; charset=utf-8")
    for name, value in {"Content-Security-Policy": policy, **PAGE_HEADERS}.items():
        response.set_header(name, value)
    return response


def respond_problem(problem: Problem, **headers: str) -> HTTPResponse:
    """Return a problem as a response, with the headers that its status requires."""
    response = respond(encode_problem(problem), PROBLEM, problem.status)
    if problem.status == 503:  # noqa: PLR2004  Service Unavailable
        headers["Retry-After"] = str(RETRY_SECONDS)
    if problem.status == 401:  # noqa: PLR2004  Unauthorized
        headers["WWW-Authenticate"] = "Bearer"
    for name, value in headers.items():
        response.set_header(name, value)
    return response


def error_body(error: HTTPError) -> bytes:
    """Return the body of an error that Bottle raises before a route is found."""
    bottle.response.content_type = PROBLEM
    if error.status_code >= 500:  # noqa: PLR2004  Internal Server Error
        detail = "an error on the server; it has been logged"
    else:
        detail = str(error.body)
    return encode_problem(make_problem(error.status_code, detail))
