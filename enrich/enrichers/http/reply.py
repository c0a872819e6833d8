"""Replies of a JSON API: reads them, hides the secrets that they repeat, and shortens reasons."""

from __future__ import annotations

import codecs
from http import HTTPStatus
from typing import Any

import msgspec

from .outcome import Answered, Failed, Outcome, Reply

LIMIT_BYTES = 2**20
MOST_REASON = 200
# As short as a secret may be; a shorter part could be in an answer by chance.
SECRET_PART = 6


def read_reply(reply: Reply, secrets: frozenset[str], address: str = "config.url") -> Outcome:
    """Return the outcome of a reply, with every secret hidden."""
    status, body = reply.status, reply.body
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Failed(f"the API answered {status}, a redirect: put the new address in {address}")
    if len(body) > LIMIT_BYTES:
        return Failed(f"the answer ({status}) is larger than {LIMIT_BYTES} bytes")
    try:
        # Decoded first: escapes can hide a secret in the raw text.
        text = msgspec.json.encode(hide(decode_json(body), secrets)).decode()
    except (ValueError, RecursionError):
        text = ""
    if status >= HTTPStatus.BAD_REQUEST:
        text = "" if shows_part(text, secrets) else text
        return Failed(f"the API answered {status}: {text[:200]}".rstrip(": "))
    return Answered(text) if text else Failed(f"the answer ({status}) is not JSON")


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


def decode_json(body: bytes) -> Any:  # noqa: ANN401  whatever JSON can say
    """Return the JSON value of a body; some servers begin it with a byte order mark."""
    return msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))


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
