"""How replies of a chat completions API are read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.queue.meter import Tokens
from enrich.enrichers.http.outcome import Answered, Failed, Later, Malformed, Outcome, Reply
from enrich.enrichers.http.reply import short_reason
from enrich.enrichers.llm.check import make_check
from enrich.enrichers.llm.reply import (
    LIMIT_ANSWER_BYTES,
    STREAM_SECONDS,
    ChatReader,
    without_fence,
)

SECRET = "abcdef-ghijkl"  # noqa: S105
READER = ChatReader(make_check({"type": "object", "maxProperties": 3}))


def read(body: bytes, status: int = 200, media_type: str = "application/json") -> object:
    """Return what the reader makes of a reply."""
    return READER(Reply(status, media_type, body), frozenset({SECRET}))


def reply_with(content: object, **message: Any) -> Outcome | Malformed:  # noqa: ANN401
    """Return what the reader makes of a completion with this content."""
    choice = {"message": {"content": content, **message}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}).encode()
    return READER(Reply(200, "application/json", body), frozenset({SECRET}))


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("{}", "{}"),
        ("```json\n{}\n```", "{}"),
        ("```\n{}\n```", "{}"),
        ("```JSON\r\n{}\r\n```", "{}"),
        ("```{}```", "{}"),
        ("```json {}```", "{}"),
        ("``` \n\n{}\n\n```", "{}"),
        ('```json\n{"a": "```"}\n```', '{"a": "```"}'),
        ('```\n{"a":\n1}\n```', '{"a":\n1}'),
        ("```json\n{}", "```json\n{}"),
        ("```", "```"),
        ("``````", ""),
        ("Here: ```json\n{}\n```", "Here: ```json\n{}\n```"),
    ],
)
def test_a_code_fence_around_a_whole_answer_is_removed(text: str, inner: str) -> None:
    """A fence with text around it, or without an end, stays."""
    assert without_fence(text) == inner


@given(st.text(), st.sampled_from(["", "json", "JSON"]))
def test_a_fence_changes_no_json(text: str, language: str) -> None:
    """Any JSON value comes out of a fence as it went in."""
    value = {"it": text}
    for indent in (None, 1):
        content = f"```{language}\n{json.dumps(value, indent=indent)}\n```"
        outcome = reply_with(content)
        assert isinstance(outcome, Answered)
        assert json.loads(outcome.text) == {"it": text.replace(SECRET, "***")}


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_reply_makes_the_reader_fail(body: bytes) -> None:
    """What is not a completion is malformed or a stream."""
    assert isinstance(read(body), Malformed | Later)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["choices", "message", "content", "usage", "error", "finish_reason"])


@given(st.dictionaries(NAMES, JSON), st.dictionaries(NAMES, JSON), st.dictionaries(NAMES, JSON))
def test_no_shape_of_a_completion_makes_the_reader_fail(
    whole: dict[str, Any], choice: dict[str, Any], message: dict[str, Any]
) -> None:
    """Each part may be missing or of any kind."""
    for body in (whole, {"choices": [choice]}, {"choices": [{**choice, "message": message}]}):
        assert isinstance(read(json.dumps(body).encode()), Malformed | Answered | Failed)


@pytest.mark.parametrize("depth", [50, 900, 100_000])
def test_an_answer_nested_deeply_does_not_end_the_worker(depth: int) -> None:
    """It is an answer, or it is malformed."""
    inner = '{"a":' * depth + "1" + "}" * depth
    assert isinstance(reply_with(inner), Malformed | Answered | Failed)
    assert isinstance(read(inner.encode()), Malformed)


@pytest.mark.parametrize(
    "number", ["1e999", "9" * 400, str(2**63), str(-(2**63) - 1), "NaN", "-Infinity", "01"]
)
def test_a_number_that_json_does_not_have_is_malformed(number: str) -> None:
    """Nor may a number be too large to store."""
    assert isinstance(reply_with('{"a": %s}' % number), Malformed)  # noqa: UP031


def test_a_reason_does_not_show_the_beginning_of_a_secret_that_was_cut_off() -> None:
    """The rest of the answer is shown."""
    for end in range(3, 6):
        outcome = reply_with(f'{{"key": "{SECRET[:end]}')
        assert isinstance(outcome, Malformed)
        assert "abc" not in outcome.reason
        assert 'it begins with {"key": "' in outcome.reason


@pytest.mark.parametrize("said", [SECRET[:6], SECRET[:-1], SECRET.upper(), f"x{SECRET[:9]}y"])
def test_a_reason_does_not_quote_a_text_with_the_beginning_of_a_secret(said: str) -> None:
    """Services write keys shortened, and models in any case."""
    outcomes = [
        reply_with(f"Here {said} is"),
        reply_with(json.dumps([said])),
        reply_with(None, refusal=f"no {said}"),
        read(json.dumps({"error": f"wrong key {said}..."}).encode()),
        read(json.dumps({"error": f"wrong key {said}..."}).encode(), 400),
    ]
    assert [one.reason for one in outcomes if isinstance(one, Failed | Malformed)] == [
        "the answer is not one JSON value",
        "the answer does not fit the schema",
        "the model refused",
        "the service reports an error",
        "the API answered 400",
    ]


@pytest.mark.parametrize("before", range(40, 62))
def test_a_reason_does_not_show_the_beginning_of_a_secret_where_it_ends(before: int) -> None:
    """A secret is hidden before a long answer is cut."""
    outcome = reply_with("-" * before + SECRET + "z" * 300)
    assert isinstance(outcome, Malformed)
    assert SECRET[0] not in outcome.reason.partition("-")[2]


def test_a_reason_does_not_show_a_secret_that_escapes_spell() -> None:
    """It cannot be found in the text."""
    outcome = reply_with('{"key": "\\u0061bcdef-ghijkl"')
    assert outcome == Malformed("the answer is not one JSON value")


def test_a_reason_is_short_and_on_one_line() -> None:
    """A table shows it, and a terminal must not obey it."""
    assert short_reason("a\nb\x1b[31m\tc  d\u2028e\0\x9bf") == "a b [31m c d e f"
    assert len(short_reason("x" * 10_000)) == 200
    outcome = reply_with(json.dumps({"x" * 300: 1, "y": 2, "z": 3, "\n": 4}))
    assert isinstance(outcome, Malformed)
    assert len(outcome.reason) == 200


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_refused_is_not_sent_again(status: int) -> None:
    """The service would refuse it again."""
    assert read(b'{"error": "no"}', status) == Failed(
        f'the API answered {status}: {{"error":"no"}}'
    )


@pytest.mark.parametrize("body", [b'data: {"choices": []}', b"x"])
def test_a_stream_is_known_by_its_type_or_its_beginning(body: bytes) -> None:
    """It concerns all rows."""
    media_type = "text/plain" if body.startswith(b"data:") else "text/event-stream"
    outcome = read(body, media_type=media_type)
    assert outcome == Later(
        "the service streams its answer, although stream is false", STREAM_SECONDS
    )


def test_the_tokens_of_a_malformed_answer_are_reported() -> None:
    """They are paid for."""
    body = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    outcome = read(json.dumps(body).encode())
    assert isinstance(outcome, Malformed)
    assert outcome.tokens == Tokens(3, 4)


@pytest.mark.parametrize(
    ("finish", "message", "reason"),
    [
        ("length", {}, "the answer was cut off; raise config.max_tokens (finish_reason length)"),
        ("content_filter", {}, "the service filtered the answer (finish_reason content_filter)"),
        ("stop", {"refusal": "No."}, "the model refused: No."),
    ],
)
def test_an_answer_that_would_end_so_again_is_not_asked_for_again(
    finish: str, message: dict[str, Any], reason: str
) -> None:
    """Its tokens are paid for once, also if what there is of it fits."""
    choice = {"message": {"content": "{}", **message}, "finish_reason": finish}
    body = {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    assert read(json.dumps(body).encode()) == Failed(reason, tokens=Tokens(3, 4))


def test_an_answer_that_is_too_long_to_check_has_failed() -> None:
    """The check of a long answer could take a gigabyte of memory."""
    size = LIMIT_ANSWER_BYTES - len('{"a":""}')
    assert isinstance(reply_with('{"a":"%s"}' % ("x" * size)), Answered)
    outcome = reply_with('{"a":"%s"}' % ("x" * (size - 1) + "é"))
    assert outcome == Failed("the answer is longer than 32 KiB; set config.max_tokens")


def test_a_byte_order_mark_before_a_completion_is_ignored() -> None:
    """Some servers send one."""
    body = json.dumps({"choices": [{"message": {"content": "{}"}}]}).encode()
    assert read(b"\xef\xbb\xbf" + body) == Answered("{}")
