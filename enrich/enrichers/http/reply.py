"""Replies of a JSON API: reads them, hides the secrets that they repeat, and shortens reasons."""

from __future__ import annotations

import html
import re
from http import HTTPStatus
from typing import Any

import msgspec

from .body import decode_json
from .outcome import Answered, Failed, Outcome, Reply

LIMIT_BYTES = 2**20
MOST_REASON = 200
# As short as a secret may be; a shorter part could be in an answer by chance.
SECRET_PART = 6
# A page has its title near its beginning.
_MOST_HEAD = 16 * 1024
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,500})", re.IGNORECASE)


def read_reply(reply: Reply, secrets: frozenset[str], address: str = "config.url") -> Outcome:
    """Return the outcome of a reply, with every secret hidden."""
    status = reply.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Failed(_redirect_reason(reply, secrets, address), kind=f"redirect {status}")
    if len(reply.body) > LIMIT_BYTES:
        return Failed(f"the answer ({status}) is larger than {LIMIT_BYTES} bytes", kind="large")
    try:
        # Decoded first: escapes can hide a secret in the raw text.
        text = msgspec.json.encode(hide(decode_json(reply.body, reply.charset), secrets)).decode()
    except (ValueError, RecursionError):
        text = ""
    if status >= HTTPStatus.BAD_REQUEST:
        said = "" if shows_part(text, secrets) else text[:200]
        said = said or _html_title(reply, secrets)
        return Failed(f"the API answered {status}: {said}".rstrip(": "), kind=str(status))
    return Answered(text) if text else Failed(not_json(reply, secrets), kind="not JSON")


def _redirect_reason(reply: Reply, secrets: frozenset[str], address: str) -> str:
    if not reply.redirect_host:
        return f"the API answered {reply.status}, a redirect: put the new address in {address}"
    return (
        f"the API answered {reply.status}, a redirect to {hide(reply.redirect_host, secrets)},"
        " perhaps to a login page: check the key in config.headers, or put the new address in"
        f" {address}"
    )


def not_json(reply: Reply, secrets: frozenset[str]) -> str:
    """Return the reason that a reply is not JSON, with the title of a page."""
    if not _is_html(reply):
        return f"the answer ({reply.status}) is not JSON"
    title = _html_title(reply, secrets)
    return f"the API answered {reply.status} with HTML, not JSON" + (f": {title}" if title else "")


def _is_html(reply: Reply) -> bool:
    beginning = reply.body[:200].lstrip().lower()
    return "html" in reply.media_type or beginning.startswith((b"<!doctype html", b"<html"))


def _html_title(reply: Reply, secrets: frozenset[str]) -> str:
    """Return the title of a page, for a reason, "" if it has none or it has a part of a secret."""
    if not _is_html(reply):
        return ""
    found = _TITLE.search(reply.body[:_MOST_HEAD].decode("utf-8", "replace"))
    title = short_reason(html.unescape(found[1])) if found else ""
    return f"its title is {title[:80]}" if title and not shows_part(title, secrets) else ""


def hide(value: Any, secrets: frozenset[str]) -> Any:  # noqa: ANN401  whatever JSON can say
    """Return a JSON value with every secret in it replaced by ***."""
    if isinstance(value, dict):
        return {hide(key, secrets): hide(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [hide(item, secrets) for item in value]
    if not isinstance(value, str):
        return "***" if any(secret in str(value) for secret in secrets) else value
    for secret in sorted(secrets, key=len, reverse=True):
        value = value.replace(secret, "***")
    return value


def shows_part(text: str, secrets: frozenset[str]) -> bool:
    """Return whether a text has the beginning of a secret, in upper or lower case.

    Services write keys shortened in their messages.
    """
    # A text in quotes may have been escaped.
    plain = text.replace("\\", "").lower()
    beginnings = (secret.replace("\\", "")[:SECRET_PART].lower() for secret in secrets)
    return any(one in plain for one in beginnings)


def short_reason(text: str) -> str:
    """Return a text on one line that a database stores and a terminal shows, cut to a length."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= MOST_REASON else line[: MOST_REASON - 1] + "…"
