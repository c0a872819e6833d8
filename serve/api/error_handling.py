"""A decorator for views: errors become problem documents, responses get an ETag."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

from bottle import HTTPResponse, request

from db.errors import VeilleuseError
from db.store.direct.errors import is_locked, store_errors
from serve.prediction.service import tag_of

from .problem import Problem, Refusal, make_problem, problem_of
from .response import respond_problem

log = logging.getLogger("veilleuse.request")


def handle_errors(
    view: Callable[..., HTTPResponse],
    show: Callable[[Problem], HTTPResponse] = respond_problem,
) -> Callable[..., HTTPResponse]:
    """Return the view with its errors handled; `show` turns a problem into a response."""

    @functools.wraps(view)
    def wrapped(**arguments: str) -> HTTPResponse:
        response = _run(view, arguments, show)
        if response.status_code == 200 and request.method in {"GET", "HEAD"}:  # noqa: PLR2004
            return _revalidated(response)
        return response

    return wrapped


def _run(
    view: Callable[..., HTTPResponse],
    arguments: dict[str, str],
    show: Callable[[Problem], HTTPResponse],
) -> HTTPResponse:
    try:
        return view(**arguments)
    except HTTPResponse as raised:
        return raised
    except Refusal as refusal:
        return _with_retry(show(refusal.problem), refusal.retry_seconds)
    except VeilleuseError as error:
        return show(problem_of(error))
    except store_errors() as error:
        reason = store_fault(error)
        log.warning("%s for %s", reason, view.__name__)
        return show(make_problem(503, f"{reason}; try again soon"))
    except Exception:
        log.exception("the view %s failed", view.__name__)
        return show(make_problem(500, "an error on the server; it has been logged"))


def store_fault(error: Exception) -> str:
    """Return why the store did not do what a request asked for."""
    if is_locked(error):
        return "nothing was changed, because the store was locked for too long"
    return "the store cannot be reached"


def _with_retry(response: HTTPResponse, retry_seconds: int) -> HTTPResponse:
    if retry_seconds:
        response.set_header("Retry-After", str(retry_seconds))
    return response


def _revalidated(response: HTTPResponse) -> HTTPResponse:
    """Add an ETag; return 304 where the client has the same response already.

    A response that is streamed has no tag: its end is not known when its headers are sent.
    """
    if not isinstance(response.body, bytes):
        return response
    tag = response.get_header("ETag") or tag_of(response.body)
    response.set_header("ETag", tag)
    if response.get_header("Cache-Control") is None:
        response.set_header("Cache-Control", "no-cache")
    known = request.environ.get("HTTP_IF_NONE_MATCH", "")
    if known.strip() == "*" or tag in known:
        response.status = 304
        response.body = b""
    return response
