"""The llm enricher: the value of a row is a language model's answer, held to a schema."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from db.errors import EnricherError
from enrich.enrichers.base import Row
from enrich.enrichers.http.outcome import Outcome, Request
from enrich.enrichers.http.service import (
    before_calls,
    check_limits,
    check_number,
    prepare_calls,
    sorted_headers,
    to_json,
)
from enrich.enrichers.http.template import (
    RowFault,
    check_headers,
    check_template,
    check_url,
    fill_text,
    placeholders,
)

from .price import MOST_PRICE
from .schema import AnswerSchema, is_closed, read_schema

PATH = "/chat/completions"
FORMATS = ("json_schema", "json_object", "none")
# A model reads, and a service bills, every byte of it.
LIMIT_REQUEST_BYTES = 256 * 1024
# What the configuration sets by a key of its own.
OWN_KEYS = frozenset({"model", "response_format", "temperature", "max_tokens", "seed"})
# What the enricher itself sets, or what would bring another kind of answer.
OUR_MEMBERS = frozenset({"messages", "stream", "stream_options", "n", "tools", "functions"})
INSTRUCTION = "Answer with one JSON value that fits this JSON schema, and with nothing else:"
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Llm:
    """Asks a language model about each row, over an OpenAI-compatible chat completions API.

    `prompt` is a template, in which `{name}` stands for a value of the row. `answer` says in a
    short form what an answer has, or `schema` as a JSON schema. A header may contain `${NAME}`, a
    variable of the worker's environment.
    """

    version: ClassVar[str] = "1"
    # The store grants and counts its calls, and keeps their answers.
    kind: ClassVar[str] = "calls"
    # No value depends on them, so changing them makes no value stale.
    apart_from_values: ClassVar[frozenset[str]] = frozenset(
        {"price_per_million_prompt_tokens", "price_per_million_answer_tokens"}
    )

    base_url: str
    model: str
    prompt: str
    answer: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] | None = None
    system: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    response_format: str = "json_schema"
    temperature: float | Literal["default"] = 0
    max_tokens: int | None = None
    seed: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    timeout_seconds: float = 60
    tries: int = 3
    calls_per_second: float | None = None
    budget_calls: int | None = None
    budget_days: float = 30
    price_per_million_prompt_tokens: float | None = None
    price_per_million_answer_tokens: float | None = None

    def __post_init__(self) -> None:
        for key in ("base_url", "model", "prompt", "system"):
            text = getattr(self, key)
            if not isinstance(text, str) or (not text.strip() and key != "system"):
                raise EnricherError(f"config.{key}: must be text")
        for key in ("headers", "extra_body"):
            if not isinstance(getattr(self, key), Mapping):
                raise EnricherError(f"config.{key}: must be a table")
        _check_base_url(self.base_url)
        check_headers(self.headers)
        self._check_texts()
        if self.response_format not in FORMATS:
            raise EnricherError(f"config.response_format: must be one of {', '.join(FORMATS)}")
        _check_members(self.extra_body)
        self._check_numbers()
        self._answer_schema  # noqa: B018  raises for one that is not valid

    def _check_texts(self) -> None:
        for key in ("prompt", "system"):
            _check_braces(key, getattr(self, key))
        if not placeholders(self.prompt):
            raise EnricherError(
                "config.prompt: names no field; write {name} where a value of the record belongs"
            )
        # What a record says must not become an instruction.
        for name in placeholders(self.system):
            raise EnricherError(
                f"config.system: {{{name}}} is not replaced there; name fields in config.prompt"
            )
        for key in ("model", "answer", "schema", "extra_body"):
            if b"${" in to_json(getattr(self, key)):
                raise EnricherError(f"config.{key}: contains ${{; secrets belong in config.headers")

    def _check_numbers(self) -> None:
        check_limits(self)
        if self.temperature != "default":
            _check_from_zero("temperature", self.temperature, 2)
        if self.max_tokens is not None:
            check_number("max_tokens", self.max_tokens, 10**6, whole=True)
        if self.seed is not None and type(self.seed) is not int:
            raise EnricherError("config.seed: must be a whole number")
        for key in sorted(self.apart_from_values):
            if getattr(self, key) is not None:
                _check_from_zero(key, getattr(self, key), MOST_PRICE)

    @functools.cached_property
    def _answer_schema(self) -> AnswerSchema:
        return read_schema(self.answer, self.schema)

    def request(self, row: Row) -> Request:
        """Return the request for a row; raises RowFault if the row lacks a usable value."""
        url = chat_url(self.base_url)
        body = to_json(self._body(fill_text("prompt", self.prompt, row)))
        if len(body) > LIMIT_REQUEST_BYTES:
            raise RowFault(
                f"config.prompt: with this row the request has {len(body):,} bytes,"
                f" of {LIMIT_REQUEST_BYTES:,} at most; name shorter fields"
            )
        # The stored answer fits the schema, which is always a part of the body. An answer that the
        # http enricher has stored may not fit.
        identity = to_json(["llm", url, body, sorted_headers(self.headers)])
        return Request("POST", url, body, hashlib.sha256(identity).hexdigest())

    def _body(self, prompt: str) -> dict[str, Any]:
        roles = {"system": self._system(), "user": prompt}
        chosen = {"max_tokens": self.max_tokens, "seed": self.seed}
        if self.temperature != "default":
            chosen["temperature"] = self.temperature  # type: ignore[assignment]
        return {
            "model": self.model,
            "messages": [{"role": role, "content": text} for role, text in roles.items() if text],
            "stream": False,
            **{name: value for name, value in chosen.items() if value is not None},
            **self._response_format(),
            **self.extra_body,
        }

    def _system(self) -> str:
        system = fill_text("system", self.system, {})
        if self.response_format == "json_schema":
            return system
        # The service does not tell the model the schema, so this does.
        schema = to_json(self._answer_schema.schema).decode()
        return f"{system}\n\n{INSTRUCTION}\n{schema}".strip()

    def _response_format(self) -> dict[str, Any]:
        if self.response_format == "none":
            return {}
        wanted: dict[str, Any] = {"type": self.response_format}
        if self.response_format == "json_schema":
            schema = self._answer_schema.schema
            wanted["json_schema"] = {
                "name": "answer",
                "strict": is_closed(schema),
                "schema": schema,
            }
        return {"response_format": wanted}

    def pick(self, text: str) -> Any:  # noqa: ANN401
        """Return the value of a stored answer, which fits the schema."""
        return self._answer_schema.value_of(msgspec.json.decode(text))

    def perform(self, requests: Sequence[Request]) -> list[Outcome]:
        """Make the calls one after the other, and return the outcome of each.

        An answer that does not fit the schema is asked for again, up to `tries` times.
        """
        with before_calls("llm"):
            # Only the compute child reads answers.
            from .check import make_check  # noqa: PLC0415  needs extra packages
            from .reply import ADDRESS, ChatReader  # noqa: PLC0415

            key = "schema" if self.answer is None else "answer"
            read = ChatReader(make_check(self._answer_schema.schema, key))
            perform = prepare_calls(self, self.headers, ADDRESS)
        return perform(requests, read)


def _check_base_url(base_url: str) -> None:
    check_url(base_url, "base_url")
    if set(base_url) & set("{}"):
        raise EnricherError("config.base_url: must not come from a row; write it out")
    if "#" in base_url:
        raise EnricherError("config.base_url: has a #; leave out what follows it")
    if urlsplit(base_url).path.rstrip("/").endswith(PATH):
        raise EnricherError(f"config.base_url: leave out {PATH}, which is added to it")


def chat_url(base_url: str) -> str:
    """Return the address of the chat completions of an API, with the query of its base URL."""
    parts = urlsplit(base_url)
    return urlunsplit((*parts[:2], parts.path.rstrip("/") + PATH, parts.query, ""))


def _check_braces(key: str, text: str) -> None:
    """Raise EnricherError for a brace that stands for itself, and for a secret."""
    check_template(key, text)
    for name in placeholders(text):
        if not _FIELD_NAME.fullmatch(name):
            raise EnricherError(
                f"config.{key}: {{{name[:60]}}} names no field; write {{{{ and }}}} for a brace"
            )


def _check_members(extra_body: Mapping[str, Any]) -> None:
    for name in extra_body:
        if name in OWN_KEYS:
            raise EnricherError(f"config.extra_body.{name}: set config.{name} instead")
        if name in OUR_MEMBERS:
            raise EnricherError(f"config.extra_body.{name}: cannot be set here; remove it")


def _check_from_zero(key: str, number: object, most: float) -> None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= most:
        raise EnricherError(f"config.{key}: must be a number from 0 to {most:,}")
