"""The door: who may read, and the form that asks a browser for a key."""

from __future__ import annotations

from urllib.parse import quote

from bottle import HTTPResponse, request

from serve.api.keys import COOKIE, AccessControl, as_cookie
from serve.api.problem import Refusal
from serve.api.query import read_query

from .rendering import read_form, redirect, show, wants_page

SEND_KEY = "send Authorization: Bearer KEY, with a key from"


class Authenticator:
    """Lets in whoever has a key."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    def require_read_key(self) -> None:
        """Refuse who may not read: a browser is asked for a key."""
        if self._access.may_read(request.environ):
            return
        if wants_page() and request.method in {"GET", "HEAD"}:
            raise redirect(f"/key?next={quote(address(), safe='')}")
        raise Refusal(401, f"this needs a key; {SEND_KEY} READ_KEYS")

    def require_write_key(self, what: str) -> None:
        """Refuse who may not add and forget records."""
        if not self._access.may_write(request.environ):
            raise Refusal(401, f"{what} needs a key; {SEND_KEY} API_KEYS")

    def is_api_key(self, key: str) -> bool:
        """Tell whether a form holds a key that allows to forget."""
        return self._access.is_api_key(key)

    def show_form(self) -> HTTPResponse:
        """Ask for the key that the pages are read with."""
        return _show_form(_local(read_query(request.query_string).get("next", "/")))

    def submit_key(self) -> HTTPResponse:
        """Keep a key in a cookie, if it is one."""
        form = read_form()
        key, following = form.get("key", ""), _local(form.get("next", "/"))
        if not self._access.is_read_key(key):
            return _show_form(following, 403, "This is none of the READ_KEYS.")
        response = redirect(following)
        secure = "; Secure" if request.urlparts.scheme == "https" else ""
        cookie = f"{COOKIE}={as_cookie(key)}; Path=/; HttpOnly; SameSite=Strict{secure}"
        response.set_header("Set-Cookie", cookie)
        return response


def address() -> str:
    """Return the path that was asked for, with its query."""
    path: str = request.path
    return f"{path}?{request.query_string}" if request.query_string else path


def _show_form(following: str, status: int = 200, problem: str = "") -> HTTPResponse:
    # The names of datasets are for those who have a key.
    known = {"datasets": [], "following": following, "problem": problem}
    return show("key", status, title="Key", **known)


def _local(path: str) -> str:
    """Return a path of ours, the dashboard's instead of any other address."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"
