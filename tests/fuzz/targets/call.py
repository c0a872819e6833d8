"""What services answer, and the templates of requests to them."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from db.errors import EnricherError
from enrich.enrichers.http.enricher import Http
from enrich.enrichers.http.outcome import Answered, Reply
from enrich.enrichers.http.reply import read_reply
from enrich.enrichers.http.template import check_template, fill_body
from enrich.enrichers.llm.reply import ChatReader
from tests.fuzz.target import FuzzTarget

_SECRETS = frozenset({"a-secret-of-the-fuzzer"})
_ROW = {"town": "Lyon", "words": "“a” \\ {b} é", "size": 1.5, "none": None}
_API = Http(url="http://127.0.0.1/{town}", answer="result.0.score")


def _read_reply(data: bytes) -> None:
    """Read the reply of an API: its status, its media type and, after a line, its body."""
    first, _, body = data.partition(b"\n")
    status, _, media_type = first.decode("latin-1").partition(" ")
    code = int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 200
    reply = Reply(code, media_type, body)
    for outcome in (read_reply(reply, _SECRETS), ChatReader(lambda _: "")(reply, _SECRETS)):
        if isinstance(outcome, Answered):
            with suppress(EnricherError):
                _API.pick(outcome.text)
        assert "a-secret-of-the-fuzzer" not in str(outcome)


def _fill(data: bytes) -> None:
    """Check and fill a template; the first line is an address, the rest a body as JSON."""
    address, _, body = data.decode("utf-8", "replace").partition("\n")
    try:
        template = msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, RecursionError):
        template = body
    api = Http(url=address, body=template, headers={"X-Town": "one"})
    check_template("body", template)
    fill_body(template, _ROW)
    api.request(_ROW)


_REPLIES = (
    b'200 application/json\n{"result": [{"score": 1.5}, "a-secret-of-the-fuzzer"]}',
    b"200 text/html; charset=iso-8859-1\n<html><title>Sign in</title></html>",
    b'404 application/problem+json\n{"detail": "no"}',
    (
        b'200 application/json\n{"choices": [{"message": {"content": '
        b'"```json\\n{\\"a\\": 1}\\n```"},'
        b' "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}'
    ),
)
_TEMPLATES = (
    b'https://a.example/{town}?size={size}\n{"words": "{words}", "list": ["{{", "{none}"]}',
    b"http://127.0.0.1:9/{words}\n",
)

REPLY = FuzzTarget("reply", _read_reply, _REPLIES)
TEMPLATE = FuzzTarget("template", _fill, _TEMPLATES)
