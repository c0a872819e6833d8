"""Replies of a chat completions API: reads the answer, and says why one is not usable.

Nothing that the model or the service says is trusted: the answer is data, reasons are short and on
one line, and every secret is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from db.queue.meter import NO_TOKENS, Tokens
from enrich.enrichers.http.body import decode_json
from enrich.enrichers.http.outcome import Answered, Failed, Later, Malformed, Outcome, Reply
from enrich.enrichers.http.reply import (
    LIMIT_BYTES,
    hide,
    not_json,
    read_reply,
    short_reason,
    shows_part,
)

from .check import Check

ADDRESS = "config.base_url"
# A wrong address or model: every request would be answered so.
NOT_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
STREAM_SECONDS = 60.0
# The check of an answer against a schema may need a thousand times as much memory.
LIMIT_ANSWER_BYTES = 32 * 1024
# A service that reports more tokens for one call is wrong.
MOST_TOKENS = 10**9
LARGE = 2**63
# Why a model ended its answer too early; the same request would end so again.
ENDED = {
    "length": "the answer was cut off; raise config.max_tokens",
    "content_filter": "the service filtered the answer",
}
FENCE = "```"
# A shorter beginning of a secret says nothing about it.
SHORTEST_PART = 3


class NotUsable(Exception):
    """An answer is not usable; `said` is what the service or the model said, for the reason.

    `is_final` says that the same request would be answered so again.
    """

    def __init__(self, reason: str, said: str = "", *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.said = said
        self.is_final = is_final

    def reason(self, secrets: frozenset[str]) -> str:
        """Return why the answer is not usable, without any part of a secret."""
        said = "" if not self.said or shows_part(self.said, secrets) else f": {self.said}"
        return short_reason(f"{self}{said}")


@dataclass(frozen=True)
class ChatReader:
    """Reads replies; `check` says why an answer does not fit the schema."""

    check: Check

    def __call__(self, reply: Reply, secrets: frozenset[str]) -> Outcome | Malformed:
        """Return the answer as JSON text, or what is wrong with the reply and for how many."""
        if reply.status in NOT_THERE:
            return Later(f"the API answered {reply.status}: check {ADDRESS} and config.model", 0.0)
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES:
            return read_reply(reply, secrets, ADDRESS)
        if reply.media_type == "text/event-stream" or reply.body.startswith(b"data:"):
            return Later("the service streams its answer, although stream is false", STREAM_SECONDS)
        return self._read_body(reply, secrets)

    def _read_body(self, reply: Reply, secrets: frozenset[str]) -> Outcome | Malformed:
        tokens = NO_TOKENS
        try:
            completion = _decode_body(reply, secrets)
            tokens = read_tokens(completion)
            content = read_content(completion)
            answer = read_answer(content, secrets, self.check)
        except NotUsable as error:
            reason = error.reason(secrets)
            return (
                Failed(reason, tokens=tokens, kind="not usable")
                if error.is_final
                else Malformed(reason, tokens)
            )
        return Answered(msgspec.json.encode(answer).decode(), tokens=tokens)


def _decode_body(reply: Reply, secrets: frozenset[str]) -> dict[str, Any]:
    if len(reply.body) > LIMIT_BYTES:
        raise NotUsable(f"the response is larger than {LIMIT_BYTES} bytes")
    try:
        # Decoded first: escapes can hide a secret in the raw text.
        completion = hide(decode_json(reply.body, reply.charset), secrets)
    except (ValueError, RecursionError):
        raise NotUsable(not_json(reply, secrets)) from None
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
        raise NotUsable("the service reports an error", str(message))
    try:
        choice = completion["choices"][0]
        message, reason = choice["message"], str(choice.get("finish_reason"))
        content, refusal = message.get("content"), message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NotUsable("the response is not a chat completion") from None
    if reason in ENDED:
        raise NotUsable(f"{ENDED[reason]} (finish_reason {reason})", is_final=True)
    if refusal:
        raise NotUsable("the model refused", str(refusal), is_final=True)
    return _check_content(content)


def _check_content(content: object) -> str:
    if content is not None and not isinstance(content, str):
        raise NotUsable("the response is not a chat completion: its content is not text")
    if not content or not content.strip():
        raise NotUsable("the answer is empty")
    if len(content.encode(errors="replace")) > LIMIT_ANSWER_BYTES:
        raise NotUsable("the answer is longer than 32 KiB; set config.max_tokens", is_final=True)
    return content


def read_answer(content: str, secrets: frozenset[str], check: Check) -> Any:  # noqa: ANN401
    """Return the JSON value in the text of an answer; raises NotUsable if `check` finds a fault."""
    text = without_fence(content.strip())
    try:
        answer = hide(msgspec.json.decode(text), secrets)
        fault = "it has an integer of more than 64 bits" if _is_large(answer) else check(answer)
    except ValueError:
        raise NotUsable("the answer is not one JSON value", _beginning(text, secrets)) from None
    except (RecursionError, ArithmeticError):
        raise NotUsable("the answer is nested too deeply, or has too large a number") from None
    if fault:
        raise NotUsable("the answer does not fit the schema", fault)
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
    if "\\" in text or shows_part(text, secrets):
        # Escapes could spell a secret.
        return ""
    for secret in secrets:
        # The text may have been cut off in the middle of a secret.
        parts = (secret[:end] for end in range(len(secret), SHORTEST_PART - 1, -1))
        text = next((text[: -len(part)] for part in parts if text.endswith(part)), text)
    return f"it begins with {text[:60]}"


def without_fence(text: str) -> str:
    """Return what a Markdown code fence encloses; a text without one as it is."""
    if not (text.startswith(FENCE) and text.endswith(FENCE) and len(text) >= 2 * len(FENCE)):
        return text
    inner = text[len(FENCE) : -len(FENCE)]
    language, _, rest = inner.partition("\n")
    if rest and (not language.strip() or language.strip().isalnum()):
        return rest.strip()
    return inner.removeprefix("json").strip()
