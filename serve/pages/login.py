"""Authentication: check the key of a request, and let browsers sign in with one."""

from __future__ import annotations

from urllib.parse import quote

from bottle import HTTPResponse, request

from serve.api.api_keys import COOKIE, AccessControl, as_cookie
from serve.api.problem import Refusal
from serve.api.query import read_query

from .rendering import read_form, redirect, show, wants_page

SEND_KEY = "send the header Authorization: Bearer KEY with a key from"


class Authenticator:
    """Refuses requests without a valid key, and serves the sign-in form."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    def require_read_key(self) -> None:
        """Raise Refusal unless the request may read; redirect a browser to the sign-in form."""
        if self._access.may_read(request.environ):
            return
        if wants_page() and request.method in {"GET", "HEAD"}:
            raise redirect(f"/key?next={quote(current_address(), safe='')}")
        raise Refusal(401, f"this request needs a key; {SEND_KEY} READ_KEYS")

    def require_write_key(self, action: str) -> None:
        """Raise Refusal, naming the action, unless the request may add and delete records."""
        if not self._access.may_write(request.environ):
            raise Refusal(401, f"{action} needs a key; {SEND_KEY} API_KEYS")

    def is_api_key(self, key: str) -> bool:
        """Return True if a key allows its holder to delete records."""
        return self._access.is_api_key(key)

    def show_form(self) -> HTTPResponse:
        """Show the sign-in form."""
        return _show_form(_local_address(read_query(request.query_string).get("next", "/")))

    def submit_key(self) -> HTTPResponse:
        """Store a valid key in a cookie, and continue to the page that was wanted."""
        form = read_form()
        key, following = form.get("key", ""), _local_address(form.get("next", "/"))
        if not self._access.is_read_key(key):
            return _show_form(following, 403, "Wrong key. Use one of the READ_KEYS or API_KEYS.")
        response = redirect(following)
        secure = "; Secure" if request.urlparts.scheme == "https" else ""
        cookie = f"{COOKIE}={as_cookie(key)}; Path=/; HttpOnly; SameSite=Strict{secure}"
        response.set_header("Set-Cookie", cookie)
        return response


def current_address() -> str:
    """Return the path and query of the current request."""
    path: str = request.path
    return f"{path}?{request.query_string}" if request.query_string else path


def _show_form(following: str, status: int = 200, problem: str = "") -> HTTPResponse:
    # The names of the datasets are shown only to clients with a key.
    values = {"datasets": [], "following": following, "problem": problem}
    return show("login", status, title="Sign in", **values)


def _local_address(address: str) -> str:
    """Return the address if it is on this host, else "/"; prevents open redirects."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_local and address.isprintable() else "/"
