"""Responses: bytes with their headers."""

from __future__ import annotations

import bottle
import msgspec
from bottle import HTTPError, HTTPResponse

from .problem import Problem, make_problem

JSON = "application/json"
PROBLEM = "application/problem+json"
RETRY_SECONDS = 5

encode_problem = msgspec.json.Encoder().encode


def respond(body: bytes, content_type: str = JSON, status: int = 200) -> HTTPResponse:
    """Return a response with these bytes."""
    return HTTPResponse(body, status, {"Content-Type": content_type})


def respond_problem(problem: Problem, **headers: str) -> HTTPResponse:
    """Return a problem as a response, with what its status asks for besides."""
    response = respond(encode_problem(problem), PROBLEM, problem.status)
    if problem.status == 503:  # noqa: PLR2004  Service Unavailable
        headers["Retry-After"] = str(RETRY_SECONDS)
    if problem.status == 401:  # noqa: PLR2004  Unauthorized
        headers["WWW-Authenticate"] = "Bearer"
    for name, value in headers.items():
        response.set_header(name, value)
    return response


def error_body(error: HTTPError) -> bytes:
    """Give Bottle's own errors our form: what it refuses before a route is found."""
    bottle.response.content_type = PROBLEM
    if error.status_code >= 500:  # noqa: PLR2004  Internal Server Error
        detail = "this is our fault; it has been logged"
    else:
        detail = str(error.body)
    return encode_problem(make_problem(error.status_code, detail))
