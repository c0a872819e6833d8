"""Strict parsing of query strings and JSON bodies."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

import msgspec

from db.errors import InputError

from .problem import Refusal

# The servers refuse larger bodies before they have read them.
MOST_BODY_BYTES = 2 * 2**20
MOST_ITEMS = 1000
# Reasons take longer than an answer, and many more bytes.
MOST_EXPLAINED = 100
MOST_PARAMETERS = 1000
# A process answers one table at a time, so that others hold no thread for long.
MOST_CSV_ROWS = 5000


def read_query(query: str, only: Collection[str] | None = None) -> dict[str, str]:
    """Return the parameters of a query string as WSGI has it; raises InputError.

    A name may be given once, and names and values must be UTF-8: ignoring a wrong byte would make
    another input of it. With `only`, parameters with other names are ignored.
    """
    found: dict[str, str] = {}
    pairs = query.encode("latin-1").split(b"&")
    if len(pairs) > MOST_PARAMETERS:
        raise InputError("query", f"has {len(pairs)} parameters, more than {MOST_PARAMETERS}")
    for pair in filter(None, pairs):
        raw_name, _, raw_value = pair.partition(b"=")
        if only is not None and unquote_to_bytes(raw_name).decode("latin-1") not in only:
            continue
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


def read_items(body: bytes, *, explained: bool = False) -> list[msgspec.Raw]:
    """Return the items of a JSON array, not decoded yet; raises Refusal.

    Fewer items can be explained than answered.
    """
    try:
        # Some programs begin each file with a byte order mark.
        body = body.removeprefix(codecs.BOM_UTF8)
        # The items are only separated here, so msgspec does not check their bytes.
        body.decode("utf-8")
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        raise Refusal(
            400, 'the body must be a JSON array of inputs: [{"field": "value"}]'
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    if len(items) > MOST_ITEMS:
        raise Refusal(413, f"the body has {len(items)} items, more than {MOST_ITEMS}; send fewer")
    if explained and len(items) > MOST_EXPLAINED:
        raise Refusal(
            413,
            f"the body has {len(items)} items, and at most {MOST_EXPLAINED} can be explained at"
            " once; send fewer, or leave out explain=true",
        )
    return items


def read_item(item: msgspec.Raw) -> dict[str, Any]:
    """Return one item as an object; raises InputError."""
    try:
        return _decode_object(item)
    except (msgspec.DecodeError, RecursionError) as error:
        is_other = str(error).startswith("Expected `object`")
        reason = "must be an object with a value for each field" if is_other else str(error)
        raise InputError("item", reason) from None


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def as_text(value: object) -> str:
    """Return a value as it is written in a query; a missing one is empty."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_query(inputs: Mapping[str, object]) -> str:
    """Return inputs as a query string; missing values are left out."""
    given = {name: as_text(value) for name, value in inputs.items() if value is not None}
    return urlencode(given, quote_via=quote)
