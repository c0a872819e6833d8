"""Authentication: check the key of a request, and let browsers sign in with one."""

from __future__ import annotations

from urllib.parse import quote

from bottle import HTTPResponse, request

from serve.api.access.api_keys import AccessControl
from serve.api.access.session import read_cookie, set_cookie
from serve.api.problem import Refusal
from serve.api.query import read_query
from serve.api.wsgi import HOST, Environ

from .language.translation import gettext as _
from .rendering import read_form, redirect, show, wants_page

SEND_KEY = "send the header Authorization: Bearer KEY with a key from"
# The values of Sec-Fetch-Site for requests that no page of another site has made.
OWN_SITES = ("same-origin", "none")


class Authenticator:
    """Refuses requests without a valid key, and serves the sign-in form."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    def require_read_key(self) -> None:
        """Raise Refusal unless the request may read; redirect a browser to the sign-in form."""
        if not self._access.may_read(request.environ):
            _ask_for_key(f"this request needs a key; {SEND_KEY} READ_KEYS")

    def require_listing_key(self) -> None:
        """Raise Refusal unless the request may see what others have imported and asked."""
        self.require_read_key()
        if not self._access.may_list(request.environ):
            _ask_for_key(
                "records need a key, since others can reach this server and READ_KEYS is not set;"
                f" {SEND_KEY} API_KEYS, or set READ_KEYS"
            )

    def require_write_key(self, action: str) -> None:
        """Raise Refusal, naming the action, unless the request may add and delete records."""
        if not self._access.may_write(request.environ):
            raise Refusal(401, f"{action} needs a key; {SEND_KEY} API_KEYS")

    def require_changer(self, action: str) -> str:
        """Return the name of the client, which may change records by forms of our own pages.

        Raises Refusal, naming the action, unless the form is ours and an API key has signed in.
        """
        require_own_form()
        if not self._access.can_write:
            raise Refusal(403, f"{action} needs an API key; set API_KEYS and restart this server")
        if not self._access.may_change(request.environ):
            raise Refusal(401, f"{action} needs an API key; sign in with a key from API_KEYS")
        return self.client()

    def may_list(self) -> bool:
        """Return whether the request may see what others have imported and asked."""
        return self._access.may_list(request.environ)

    def may_change(self) -> bool:
        """Return whether the browser is signed in with an API key, so that pages show forms."""
        return self._access.may_change(request.environ)

    def is_api_key(self, key: str) -> bool:
        """Return True if a key in a form allows its holder to delete records."""
        return self._access.check_key(request.environ, key).may_write

    def client(self) -> str:
        """Return the name of the client that the request is charged to."""
        return self._access.client(request.environ)

    def show_form(self) -> HTTPResponse:
        """Show the sign-in form, or that the browser is signed in."""
        following = read_query(request.query_string).get("next", "")
        return _show_form(_local_address(following), is_signed_in=self._is_signed_in())

    def submit_key(self) -> HTTPResponse:
        """Begin a session for a valid key, and continue to the page that was wanted."""
        require_own_form()
        form = read_form()
        key, following = form.get("key", ""), _local_address(form.get("next", "/"))
        if not self._access.check_key(request.environ, key).may_read:
            problem = _("Wrong key. Use one of the READ_KEYS or API_KEYS.")
            return _show_form(following, 403, problem=problem)
        session = self._access.new_session(key)
        return self._redirect(following, session, self._access.session_seconds)

    def sign_out(self) -> HTTPResponse:
        """End the session in this browser."""
        require_own_form()
        return self._redirect("/key", "", 0)

    def _redirect(self, path: str, session: str, seconds: int) -> HTTPResponse:
        response = redirect(path)
        response.set_header("Set-Cookie", set_cookie(request.environ, session, seconds))
        return response

    def _is_signed_in(self) -> bool:
        environ = request.environ
        return bool(read_cookie(environ)) and self._access.client(environ).startswith("key ")


def _ask_for_key(detail: str) -> None:
    """Redirect a browser to the sign-in form; raise Refusal for other clients."""
    if wants_page() and request.method in {"GET", "HEAD"}:
        raise redirect(f"/key?next={quote(current_address(), safe='')}")
    raise Refusal(401, detail)


def require_own_form() -> None:
    """Raise Refusal if a page of another site has sent the form."""
    if not is_own_form(request.environ):
        raise Refusal(403, "a page of another site sent this form; send it from this server's page")


def is_own_form(environ: Environ) -> bool:
    """Return whether no page of another site has sent a request, as far as browsers tell.

    Browsers send Sec-Fetch-Site over HTTPS and to this machine alone. Over plain HTTP only the
    origin tells a page of this server from one of a neighbour, such as another port of this host,
    to which SameSite cookies go too. A client that sends neither is no browser.
    """
    site: str | None = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in OWN_SITES
    origin: str | None = environ.get("HTTP_ORIGIN")
    if origin is None:
        return True
    host = origin.partition("://")[2]
    return bool(host) and _plain_host(host) == _plain_host(environ.get(HOST, ""))


def _plain_host(host: str) -> str:
    """Return a host in lower case, without the port that its scheme has anyway."""
    return host.lower().removesuffix(":80").removesuffix(":443")


def current_address() -> str:
    """Return the path and query of the current request."""
    path: str = request.path
    return f"{path}?{request.query_string}" if request.query_string else path


def _show_form(
    following: str, status: int = 200, problem: str = "", *, is_signed_in: bool = False
) -> HTTPResponse:
    # The names of the datasets are shown only to clients with a key.
    values = {"datasets": [], "following": following, "problem": problem}
    return show("login", status, title=_("Sign in"), is_signed_in=is_signed_in, **values)


def _local_address(address: str) -> str:
    """Return the address if it is on this host, else "/"; prevents open redirects."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_local and address.isprintable() else "/"
