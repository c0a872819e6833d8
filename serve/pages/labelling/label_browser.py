"""The browser that labels: its random name, and the labels that it can undo, kept in a cookie."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace

from serve.api.wsgi import PREFIX, SCHEME, Environ

COOKIE = "veilleuse_labelling"
COOKIE_SECONDS = 30 * 86_400
MOST_UNDONE = 20
_VALUE = re.compile(r"([0-9a-f]{24})((?:\.[0-9]{1,18}){0,20})")


@dataclass(frozen=True)
class LabellingBrowser:
    """A browser; `holder` is its name in claims, and `given` has its observations, newest first."""

    holder: str
    given: tuple[int, ...] = ()

    def after_giving(self, observation_id: int) -> LabellingBrowser:
        """Return the browser after it has given one more label."""
        return replace(self, given=(observation_id, *self.given)[:MOST_UNDONE])

    def after_undoing(self) -> LabellingBrowser:
        """Return the browser after its newest label has been undone, or could not be."""
        return replace(self, given=self.given[1:])


def read_browser(environ: Environ) -> LabellingBrowser:
    """Return the browser that sent a request; one without the cookie gets a new name."""
    for cookie in environ.get("HTTP_COOKIE", "").split(";"):
        name, _, value = cookie.strip().partition("=")
        match = _VALUE.fullmatch(value) if name == COOKIE else None
        if match:
            given = tuple(int(number) for number in match[2].split(".") if number)
            return LabellingBrowser(match[1], given)
    return LabellingBrowser(secrets.token_hex(12))


def browser_cookie(environ: Environ, dataset: str, browser: LabellingBrowser) -> str:
    """Return the Set-Cookie header that keeps a browser's name for one dataset."""
    value = ".".join([browser.holder, *map(str, browser.given)])
    secure = "; Secure" if environ[SCHEME] == "https" else ""
    return (
        f"{COOKIE}={value}; Path={environ.get(PREFIX, '')}/label/{dataset};"
        f" Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict{secure}"
    )
