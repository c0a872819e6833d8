"""Query strings and bodies, read strictly."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from db.errors import InputError

from .problem import Refusal

MOST_ITEMS = 1000
MOST_PARAMETERS = 100


def read_query(query: str) -> dict[str, str]:
    """Return the parameters of a query string as WSGI has it; raises InputError.

    A name may stand once, and names and values must be UTF-8: a wrong byte that is passed over
    would make another input of it.
    """
    found: dict[str, str] = {}
    pairs = query.encode("latin-1").split(b"&")
    if len(pairs) > MOST_PARAMETERS:
        raise InputError("query", f"has {len(pairs)} parameters, more than {MOST_PARAMETERS}")
    for pair in pairs:
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition(b"=")
        name = _decode("query", raw_name)
        if name in found:
            raise InputError(name, "is given more than once")
        found[name] = _decode(name, raw_value)
    return found


def _decode(name: str, raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(name, "is not UTF-8") from None


def read_items(body: bytes) -> list[Any]:
    """Return the items of a JSON array; raises Refusal."""
    try:
        items = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    if not isinstance(items, list):
        raise Refusal(400, 'the body must be a JSON array of inputs, such as [{"field": "value"}]')
    if len(items) > MOST_ITEMS:
        raise Refusal(413, f"the body has {len(items)} items, more than {MOST_ITEMS}; send fewer")
    return items


def read_object(item: object) -> dict[str, object]:
    """Return one item as an object; raises InputError."""
    if not isinstance(item, dict):
        raise InputError("item", "must be an object with a value for each field")
    return item
