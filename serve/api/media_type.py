"""The media types of request bodies and responses."""

from __future__ import annotations

import re

from bottle import request

from .problem import Refusal
from .response import JSON

CSV = "text/csv; charset=utf-8"
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})


def is_csv() -> bool:
    """Return whether the body of the request is CSV; raises Refusal if it is not UTF-8 CSV."""
    media_type = str(request.get_header("Content-Type", ""))
    if media_type.partition(";")[0].strip().lower() != "text/csv":
        return False
    charset = _CHARSET.search(media_type)
    if charset and charset[1].lower() not in _UTF8:
        raise Refusal(415, f"the charset {charset[1]} is not supported; send CSV as UTF-8")
    return True


def wants_json() -> bool:
    """Return whether the request asks for JSON and not for CSV."""
    accepted = str(request.get_header("Accept", "")).lower()
    return JSON in accepted and "text/csv" not in accepted
