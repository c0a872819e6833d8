"""What an llm enricher's configuration allows, and which requests it makes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from db.errors import EnricherError
from db.records.dataset import Dataset
from db.scoring.packed_numbers import Vector
from db.spec.section import EnricherSpec
from enrich.enrichers.base import find_enrichers
from enrich.enrichers.http.enricher import Http
from enrich.enrichers.http.template import RowFault
from enrich.enrichers.llm.enricher import LIMIT_REQUEST_BYTES, Llm
from enrich.planning.plan import make_plan
from tests.conftest import notes_spec

CONFIG: dict[str, Any] = {
    "base_url": "https://api.test/v1",
    "model": "small",
    "prompt": "About: {sentence}",
    "answer": {"mood": ["good", "bad"]},
}
ROW = {"sentence": "bonjour"}


def llm(**config: Any) -> Llm:  # noqa: ANN401
    """Return an enricher with this configuration."""
    return Llm(**{**CONFIG, **config})


def body_of(**config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the body of a request."""
    body: dict[str, Any] = json.loads(llm(**config).request(ROW).body)
    return body


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.test/v1", "https://api.test/v1/chat/completions"),
        ("https://api.test/v1/", "https://api.test/v1/chat/completions"),
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1/chat/completions"),
        ("https://api.test", "https://api.test/chat/completions"),
        ("https://api.test/x?version=2", "https://api.test/x/chat/completions?version=2"),
    ],
)
def test_the_path_is_added_to_the_base_url(base_url: str, url: str) -> None:
    """A query stays where it is."""
    request = llm(base_url=base_url).request(ROW)
    assert (request.method, request.url) == ("POST", url)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"base_url": "api.test/v1"}, r"config\.base_url: must start with http:// or https://"),
        ({"base_url": "https://me:pass@api.test"}, r"config\.base_url: names a user"),
        ({"base_url": "https://api.test/{sentence}"}, r"config\.base_url: must not come from"),
        ({"base_url": "https://api.test/v1/chat/completions/"}, "leave out /chat/completions"),
        ({"base_url": 5}, r"config\.base_url: must be text"),
        ({"model": " "}, r"config\.model: must be text"),
        ({"prompt": ""}, r"config\.prompt: must be text"),
        ({"prompt": "Is it good?"}, r"config\.prompt: names no field"),
        ({"prompt": 'As {"mood": 1}: {sentence'}, r"config\.prompt: has a single brace"),
        ({"prompt": "{sentence} ${KEY}"}, r"config\.prompt: contains \${; secrets belong in"),
        ({"system": "Key ${KEY}"}, r"config\.system: contains \${; secrets belong in"),
        ({"system": "About {sentence}"}, r"config\.system: {sentence} is not replaced there"),
        ({"extra_body": {"user": "${KEY}"}}, r"config\.extra_body: contains \${"),
        ({"extra_body": {"stream": True}}, r"config\.extra_body\.stream: cannot be set here"),
        ({"extra_body": {"n": 5}}, r"config\.extra_body\.n: cannot be set here"),
        ({"extra_body": {"max_tokens": 9}}, r"extra_body\.max_tokens: set config\.max_tokens inst"),
        ({"extra_body": {"temperature": 1}}, r"set config\.temperature instead"),
        ({"extra_body": {"seed": 1}}, r"set config\.seed instead"),
        ({"base_url": "https://api.test/v1#x"}, r"config\.base_url: has a #"),
        ({"prompt": 'As {"mood": "x"}'}, r'config\.prompt: {"mood": "x"} names no field; write {{'),
        ({"system": 'As {"mood": "x"}'}, r'config\.system: {"mood": "x"} names no field; write {{'),
        ({"system": "a } b"}, r"config\.system: has a single brace"),
        ({"extra_body": []}, r"config\.extra_body: must be a table"),
        ({"headers": "x"}, r"config\.headers: must be a table"),
        ({"headers": {"X": "${DATABASE_URL}"}}, "belongs to this application"),
        ({"answer": None}, r"config\.answer: say what an answer has"),
        ({"response_format": "json"}, r"config\.response_format: must be one of json_schema, json"),
        ({"temperature": -1}, r"config\.temperature: must be a number from 0 to 2"),
        ({"temperature": "hot"}, r"config\.temperature: must be a number from 0 to 2"),
        ({"temperature": True}, r"config\.temperature: must be a number from 0 to 2"),
        ({"max_tokens": 0}, r"config\.max_tokens: must be a whole number above 0"),
        ({"seed": 1.5}, r"config\.seed: must be a whole number"),
        ({"tries": 0}, r"config\.tries: must be a whole number above 0"),
        ({"budget_calls": 1}, r"config\.budget_calls: must be at least tries, 3"),
        ({"calls_per_second": "x"}, r"config\.calls_per_second: must be a number"),
        ({"timeout_seconds": 601}, r"config\.timeout_seconds: must be a number above 0 and up to"),
        ({"price_per_million_prompt_tokens": -1}, "must be a number from 0 to"),
        ({"price_per_million_answer_tokens": "1"}, "must be a number from 0 to"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_key(
    config: dict[str, Any], message: str
) -> None:
    """The message shows no password and says what to do."""
    with pytest.raises(EnricherError, match=message) as caught:
        llm(**config)
    assert "pass" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_the_prompt_has_the_values_of_the_row() -> None:
    """A missing value is empty, and a number is as the dataset writes it."""
    request = llm(prompt="{sentence} {age} {none} {{x}}").request(
        {**ROW, "age": 30.0, "none": None}
    )
    assert json.loads(request.body)["messages"] == [{"role": "user", "content": "bonjour 30  {x}"}]


def test_doubled_braces_are_sent_as_braces() -> None:
    """In both texts, so that an example of an answer is written in the same way."""
    [system, user] = body_of(system="As {{1}}.", prompt="As {{1}}: {sentence}")["messages"]
    assert (system["content"], user["content"]) == ("As {1}.", "As {1}: bonjour")


def test_a_value_that_cannot_be_part_of_a_text_is_a_fault_of_its_row() -> None:
    """A name that no row has is a fault of the configuration."""
    with pytest.raises(RowFault, match=r"config\.prompt: {sentence} is a Vector"):
        llm().request({"sentence": Vector(b"\0" * 8)})
    with pytest.raises(EnricherError, match=r"{sentence} is not read; the enricher reads other"):
        llm().request({"other": 1})


def test_a_request_that_is_too_large_is_a_fault_of_its_row() -> None:
    """Every byte of it would be paid for."""
    assert llm().request({"sentence": "x" * (LIMIT_REQUEST_BYTES - 1000)})
    with pytest.raises(RowFault, match=r"the request has 262,\d+ bytes, of 262,144 at most"):
        llm().request({"sentence": "x" * LIMIT_REQUEST_BYTES})


def test_what_is_not_set_is_not_sent() -> None:
    """Some services refuse members that they do not know."""
    usual = {"model", "messages", "stream", "temperature", "response_format"}
    assert body_of().keys() == usual
    assert body_of(temperature="default", response_format="none").keys() == {
        "model",
        "messages",
        "stream",
    }
    more = {"max_completion_tokens": 100, "reasoning_effort": "low"}
    assert body_of(extra_body=more).items() >= more.items()
    assert body_of()["stream"] is False


def test_equal_requests_have_the_same_hash() -> None:
    """So the same question is paid for once; limits and prices do not matter."""
    usual = llm().request(ROW).hash
    cheap = llm(
        tries=1, timeout_seconds=5, budget_calls=9, price_per_million_prompt_tokens=1, seed=None
    )
    assert cheap.request(ROW).hash == usual
    others: list[dict[str, Any]] = [
        {"prompt": "Of: {sentence}"},
        {"system": "Be brief."},
        {"model": "large"},
        {"answer": {"mood": ["good", "bad", "so so"]}},
        {"temperature": 1},
        {"headers": {"X": "y"}},
        {"response_format": "none"},
    ]
    hashes = {llm(**config).request(ROW).hash for config in others}
    assert len(hashes | {usual}) == len(others) + 1


def test_a_stored_answer_of_the_http_enricher_is_not_taken_for_one_of_a_model() -> None:
    """It was not held to a schema."""
    request = llm().request(ROW)
    http = Http(request.url, method="POST", body=json.loads(request.body))
    assert http.request({}).hash != request.hash


def test_an_answer_fits_another_schema_only_if_it_was_asked_for() -> None:
    """Without `response_format` the schema is part of the request too."""
    same: dict[str, Any] = {"response_format": "none", "schema": {"type": "object"}, "answer": None}
    other = {**same, "schema": {"type": "array"}}
    assert llm(**same).request(ROW).hash != llm(**other).request(ROW).hash


def fingerprint_of(**config: Any) -> str:  # noqa: ANN401
    """Return the fingerprint of an enricher with this configuration."""
    wanted = EnricherSpec(use="llm", reads=("sentence",), config={**CONFIG, **config})
    spec = notes_spec({"judged": wanted})
    [step] = make_plan(Dataset(1, spec, (), 1), None, find_enrichers(spec, ()), {})
    return step.fingerprint


def test_another_prompt_or_schema_makes_values_stale_and_another_price_does_not() -> None:
    """What a token costs changes no answer."""
    usual = fingerprint_of()
    assert fingerprint_of(price_per_million_prompt_tokens=2) == usual
    assert fingerprint_of(price_per_million_answer_tokens=2) == usual
    for config in ({"prompt": "{sentence}?"}, {"answer": {"mood": "text"}}, {"model": "large"}):
        assert fingerprint_of(**config) != usual
