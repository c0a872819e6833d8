"""Responses of httpx: reads them within a limit, and makes replies of them."""

from __future__ import annotations

import httpx

from .body import unpack
from .outcome import Reply
from .reply import LIMIT_BYTES, short_reason


def make_reply(response: httpx.Response, packed: bytes) -> Reply:
    """Return the reply with its body unpacked; raises BodyError."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    body = unpack(packed, response.headers.get("Content-Encoding", ""), LIMIT_BYTES)
    return Reply(
        response.status_code,
        media_type,
        body,
        response.charset_encoding or "",
        _redirect_host(response),
    )


def _redirect_host(response: httpx.Response) -> str:
    """Return the host that a redirect leads to, "" if it is the same or is not known."""
    try:
        target = response.url.join(response.headers.get("Location", ""))
    except (httpx.InvalidURL, ValueError):
        return ""
    return "" if target.host == response.url.host else short_reason(target.host)[:100]


async def read_body(response: httpx.Response) -> bytes:
    """Return the body as it was sent, cut a little above the limit."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LIMIT_BYTES:
            break
    return bytes(body)
