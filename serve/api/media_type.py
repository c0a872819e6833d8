"""Request bodies, and the media types of bodies and responses.

Headers are read from the environ: Bottle's request.headers would be a cycle with it, and keep the
body of each request in the memory until Python's collector runs.
"""

from __future__ import annotations

import re

from bottle import request

from db.errors import InputError

from .problem import Refusal
from .query import MOST_BODY_BYTES
from .response import JSON

CSV = "text/csv; charset=utf-8"
MOST_KEY_CHARACTERS = 200
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})


def is_csv() -> bool:
    """Return whether the body of the request is CSV; raises Refusal if it is not UTF-8 CSV."""
    media_type: str = request.environ.get("CONTENT_TYPE", "")
    if media_type.partition(";")[0].strip().lower() != "text/csv":
        return False
    charset = _CHARSET.search(media_type)
    if charset and charset[1].lower() not in _UTF8:
        raise Refusal(415, f"the charset {charset[1]} is not supported; send CSV as UTF-8")
    return True


def require_plain_body() -> None:
    """Raise Refusal if the body of the request is compressed."""
    encoding: str = request.environ.get("HTTP_CONTENT_ENCODING", "")
    if encoding.strip().lower() not in {"", "identity"}:
        raise Refusal(
            415,
            "the body is compressed, as its Content-Encoding says; send it as it is, without that"
            " header",
        )


def read_body() -> bytes:
    """Return the body of the request; raises Refusal if it is compressed or too large."""
    require_plain_body()
    body: bytes = request.body.read(MOST_BODY_BYTES + 1)
    if len(body) > MOST_BODY_BYTES:
        raise Refusal(413, f"the body has more than {MOST_BODY_BYTES:,} bytes; send fewer")
    return body


def read_idempotency_key() -> str:
    """Return the header Idempotency-Key, "" without it; raises InputError."""
    key: str = request.environ.get("HTTP_IDEMPOTENCY_KEY", "")
    if len(key) > MOST_KEY_CHARACTERS:
        raise InputError(
            "Idempotency-Key", f"has {len(key)} characters, more than {MOST_KEY_CHARACTERS}"
        )
    return key


def wants_json() -> bool:
    """Return whether the request asks for JSON and not for CSV."""
    accepted: str = request.environ.get("HTTP_ACCEPT", "").lower()
    return JSON in accepted and "text/csv" not in accepted
