"""Behaviours of a chat completions API, for the server of `tests.bad_server`: good and bad ones."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from tests import bad_server as behaviour
from tests.bad_server import Behaviour, Call, Handler

ROUTE = "/v1/chat/completions"
PROMPT_TOKENS, ANSWER_TOKENS = 20, 5
USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": ANSWER_TOKENS}
GOOD = {"mood": "good", "urgency": 2}


def prompt_of(call: Call) -> str:
    """Return what a request asks: the content of its user message."""
    [user] = [one for one in json.loads(call.body)["messages"] if one["role"] == "user"]
    content: str = user["content"]
    return content


def completion(
    content: object, *, finish: str = "stop", usage: object = USAGE, **message: object
) -> dict[str, Any]:
    """Return a completion as such an API sends it."""
    choice = {"index": 0, "finish_reason": finish, "message": {"content": content, **message}}
    return {"object": "chat.completion", "choices": [choice], "usage": usage}


def completes(content: object, **more: Any) -> Behaviour:  # noqa: ANN401
    """Answer with this content, which is text."""
    return behaviour.answers(completion(content, **more))


def says(value: object = GOOD, **more: Any) -> Behaviour:  # noqa: ANN401
    """Answer with this value, which becomes JSON."""
    return completes(json.dumps(value), **more)


def fenced(value: object = GOOD) -> Behaviour:
    """Answer with JSON in a Markdown code fence, as many models do."""
    return completes(f"```json\n{json.dumps(value, indent=1)}\n```")


def streams(value: object = GOOD, media_type: str = "text/event-stream") -> Behaviour:
    """Stream the answer, which nobody asked for."""
    part = {"choices": [{"index": 0, "delta": {"content": json.dumps(value)}}]}
    body = f"data: {json.dumps(part)}\n\ndata: [DONE]\n\n".encode()
    return behaviour.sends(body, media_type=media_type)


def answers_late(seconds: float, value: object = GOOD) -> Behaviour:
    """Answer well, after some seconds."""

    def behave(handler: Handler) -> None:
        time.sleep(seconds)
        says(value)(handler)

    return behave


def is_too_large() -> Behaviour:
    """Answer with more than any answer may have."""
    return says({"mood": "good" * 2**18, "urgency": 2})


def repeats_headers(**more: Any) -> Behaviour:  # noqa: ANN401
    """Answer with the headers of the request, which have the key, and with no valid value."""

    def behave(handler: Handler) -> None:
        said = json.dumps(dict(handler.call.headers)).replace("Bearer s", "Bearer \\u0073")
        completes(said, **more)(handler)

    return behave


# Answers that were paid for and are not usable, with a part of the reason.
MALFORMED: Mapping[str, tuple[Behaviour, str]] = {
    "cut off": (
        completes('{"mood": "good", "urg'),
        'the answer is not one JSON value: it begins with {"mood": "good", "urg',
    ),
    "wrong type": (says({"mood": "good", "urgency": "2"}), "$.urgency: '2' is not of type"),
    "unknown word": (says({"mood": "fine", "urgency": 2}), "$.mood: 'fine' is not one of"),
    "missing member": (says({"mood": "good"}), "'urgency' is a required property"),
    "extra member": (says({**GOOD, "why": "x"}), "('why' was unexpected)"),
    "extra text": (completes(f"Here it is: {json.dumps(GOOD)}"), "it begins with Here it is"),
    "NaN": (completes('{"mood": "good", "urgency": NaN}'), "is not one JSON value"),
    "null": (says(None), "None is not of type 'object'"),
    "empty": (completes("  \n"), "the answer is empty"),
    "no content": (completes(None), "the answer is empty"),
    "parts": (completes([{"type": "text", "text": "{}"}]), "its content is not text"),
    "error": (
        behaviour.answers({"error": {"message": "the upstream\nis overloaded"}}),
        "the service reports an error: the upstream is overloaded",
    ),
    "no choices": (behaviour.answers({"choices": []}), "is not a chat completion"),
    "other shape": (behaviour.answers([GOOD]), "is not a chat completion"),
    "page": (behaviour.sends(b"<html>", media_type="text/html"), "with HTML, not JSON"),
    "too large": (is_too_large(), "the response is larger than"),
    "secret": (repeats_headers(), "does not fit the schema"),
}
# Answers that the same request would get again.
FINAL: Mapping[str, tuple[Behaviour, str]] = {
    "length": (completes('{"mood"', finish="length"), "raise config.max_tokens"),
    "refusal": (completes(None, refusal="I cannot help"), "the model refused: I cannot help"),
    "filter": (completes("", finish="content_filter"), "the service filtered the answer"),
    "too long": (says({"mood": "good" * 2**13, "urgency": 2}), "the answer is longer than 32 KiB"),
}
