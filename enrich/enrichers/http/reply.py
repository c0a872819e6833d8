"""Replies of a JSON API: reads them, and hides the secrets that they repeat."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from .outcome import Answered, Failed, Outcome, Reply

LIMIT_BYTES = 2**20


def read_reply(reply: Reply, secrets: frozenset[str], address: str = "config.url") -> Outcome:
    """Return the outcome of a reply, with every secret hidden."""
    status, body = reply.status, reply.body
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Failed(f"the API answered {status}, a redirect: put the new address in {address}")
    if len(body) > LIMIT_BYTES:
        return Failed(f"the answer ({status}) is larger than {LIMIT_BYTES} bytes")
    try:
        # Decoded first: escapes can hide a secret in the raw text.
        text = msgspec.json.encode(hide(msgspec.json.decode(body), secrets)).decode()
    except (ValueError, RecursionError):
        text = ""
    if status >= HTTPStatus.BAD_REQUEST:
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
