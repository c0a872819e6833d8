"""Replies of a chat completions API: reads the answer, and says why one is not usable.

Nothing that the model or the service says is trusted: the answer is data, reasons are short and on
one line, and every secret is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from db.queue.meter import Tokens
from enrich.enrichers.http.outcome import NO_TOKENS, Answered, Later, Malformed, Outcome, Reply
from enrich.enrichers.http.reply import LIMIT_BYTES, hide, read_reply

from .schema import Check

ADDRESS = "config.base_url"
MOST_REASON = 200
# A wrong address or model: every request would be answered so.
NOT_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
NOT_THERE_SECONDS = 60.0
# A service that reports more tokens for one call is wrong.
MOST_TOKENS = 10**9
LARGE = 2**63
FENCE = "```"
# A shorter beginning of a secret says nothing about it.
SHORTEST_PART = 3


class NotUsable(Exception):
    """An answer is not usable; the text says why."""


@dataclass(frozen=True)
class ChatReader:
    """Reads replies; `check` says why an answer does not fit the schema."""

    check: Check

    def __call__(self, reply: Reply, secrets: frozenset[str]) -> Outcome | Malformed:
        """Return the answer as JSON text, or what is wrong with the reply and for how many."""
        if reply.status in NOT_THERE:
            return Later(
                f"the API answered {reply.status}: check {ADDRESS} and config.model",
                NOT_THERE_SECONDS,
            )
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES:
            return read_reply(reply, secrets, ADDRESS)
        if reply.media_type == "text/event-stream" or reply.body.startswith(b"data:"):
            return Later("the service streams its answer, although stream is false", 0.0)
        return self._read_body(reply.body, secrets)

    def _read_body(self, body: bytes, secrets: frozenset[str]) -> Outcome | Malformed:
        tokens = NO_TOKENS
        try:
            completion = _decode_body(body, secrets)
            tokens = read_tokens(completion)
            content = read_content(completion)
            answer = read_answer(content, secrets, self.check)
        except NotUsable as error:
            return Malformed(short_reason(str(error)), tokens)
        return Answered(msgspec.json.encode(answer).decode(), tokens=tokens)


def _decode_body(body: bytes, secrets: frozenset[str]) -> dict[str, Any]:
    if len(body) > LIMIT_BYTES:
        raise NotUsable(f"the response is larger than {LIMIT_BYTES} bytes")
    try:
        # Decoded first: escapes can hide a secret in the raw text.
        completion = hide(msgspec.json.decode(body), secrets)
    except (ValueError, RecursionError):
        raise NotUsable("the response is not JSON") from None
    if not isinstance(completion, dict):
        raise NotUsable("the response is not a chat completion")
    return completion


def read_tokens(completion: dict[str, Any]) -> Tokens:
    """Return the tokens that a completion reports; a number that is missing or wrong is 0."""
    usage = completion.get("usage")
    if not isinstance(usage, dict):
        return NO_TOKENS
    return Tokens(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _count(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        return 0
    return number if 0 <= number <= MOST_TOKENS else 0


def read_content(completion: dict[str, Any]) -> str:
    """Return the text of the answer; raises NotUsable."""
    if error := completion.get("error"):
        message = error.get("message") if isinstance(error, dict) else error
        raise NotUsable(f"the service reports an error: {message}")
    try:
        choice = completion["choices"][0]
        message, reason = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NotUsable("the response is not a chat completion") from None
    if reason == "length":
        raise NotUsable("the answer was cut off (finish_reason length); raise config.max_tokens")
    if reason == "content_filter":
        raise NotUsable("the service filtered the answer (finish_reason content_filter)")
    if refusal:
        raise NotUsable(f"the model refused: {refusal}")
    if content is not None and not isinstance(content, str):
        raise NotUsable("the response is not a chat completion: its content is not text")
    if not content or not content.strip():
        raise NotUsable("the answer is empty")
    return content


def read_answer(content: str, secrets: frozenset[str], check: Check) -> Any:  # noqa: ANN401
    """Return the JSON value in the text of an answer; raises NotUsable if `check` finds a fault."""
    text = without_fence(content.strip())
    try:
        answer = hide(msgspec.json.decode(text), secrets)
        fault = "it has an integer of more than 64 bits" if _is_large(answer) else check(answer)
    except ValueError:
        raise NotUsable(f"the answer is not one JSON value{_beginning(text, secrets)}") from None
    except (RecursionError, ArithmeticError):
        raise NotUsable("the answer is nested too deeply, or has too large a number") from None
    if fault:
        raise NotUsable(f"the answer does not fit the schema: {fault}")
    return answer


def _is_large(value: object) -> bool:
    """Return whether a value has an integer that is no number to a teacher or a database."""
    if isinstance(value, dict):
        return any(_is_large(item) for item in value.values())
    if isinstance(value, list):
        return any(_is_large(item) for item in value)
    return isinstance(value, int) and not -LARGE <= value < LARGE


def _beginning(text: str, secrets: frozenset[str]) -> str:
    """Return the beginning of a text for a message, without any part of a secret."""
    if "\\" in text:
        # Escapes could spell a secret.
        return ""
    for secret in secrets:
        # The text may have been cut off in the middle of a secret.
        parts = (secret[:end] for end in range(len(secret), SHORTEST_PART - 1, -1))
        text = next((text[: -len(part)] for part in parts if text.endswith(part)), text)
    return f", it begins with: {text[:60]}"


def without_fence(text: str) -> str:
    """Return what a Markdown code fence encloses; a text without one as it is."""
    if not (text.startswith(FENCE) and text.endswith(FENCE) and len(text) >= 2 * len(FENCE)):
        return text
    inner = text[len(FENCE) : -len(FENCE)]
    language, _, rest = inner.partition("\n")
    if rest and (not language.strip() or language.strip().isalnum()):
        return rest.strip()
    return inner.removeprefix("json").strip()


def short_reason(text: str) -> str:
    """Return a text on one line, cut to a length that a table can show."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= MOST_REASON else line[: MOST_REASON - 1] + "…"
