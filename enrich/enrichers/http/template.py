"""Templates of a request: what a row puts into its address and body, the environment into headers.

A row reaches the path, the query and the body, and never the host or the headers; the environment
reaches the headers, and nothing else. So a secret is in nothing that is hashed, stored or logged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from db.errors import EnricherError
from db.records.enrichment import Vector
from db.spec.field import normal_number
from enrich.enrichers.base import Row

# What guards the application itself is no business of another's API.
OUR_SECRETS = frozenset({"DATABASE_URL", "API_KEYS", "READ_KEYS"})
# Set by the client; an answer packed by the server could unpack to any size.
OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding"}
)
# A shorter one stands in answers by chance, and hiding it there would change them.
SHORTEST_SECRET = 6

_PART = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_VARIABLE = re.compile(r"\$\{([^}]*)\}?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class RowFault(EnricherError):
    """A row has no value here, though others may."""


def check_url(url: str) -> None:
    """Refuse an address that is none, or that a row or a secret could turn elsewhere."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    # The address is not shown: the fault may be a password in it.
    if not usable or not url.isprintable() or " " in url:
        raise EnricherError("config.url: must start with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise EnricherError("config.url: names a user; put ${NAME} into a header for that")
    if set(parts.netloc) & set("{}"):
        raise EnricherError("config.url: the host must stand there, not come from a row")
    check_template("url", url)


def check_template(key: str, template: Any) -> None:  # noqa: ANN401  whatever TOML can say
    """Refuse a secret or a lone brace in any text of a template."""
    for text in _texts(template):
        if "${" in text:
            raise EnricherError(f"config.{key}: holds ${{; secrets belong in headers")
        if any(part.group() in {"{", "}"} for part in _PART.finditer(text)):
            raise EnricherError(f"config.{key}: has a lone brace; write {{{{ or }}}} for one")


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that no client would send, and the application's own secrets."""
    for name, template in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in OUR_HEADERS:
            raise EnricherError(f"config.headers.{name}: is no header that can be set here")
        if not _sendable(template):
            raise EnricherError(f"config.headers.{name}: must be printable ASCII")
        for found in _VARIABLE.finditer(template):
            _check_variable(name, *found.group(0, 1))


def _check_variable(header: str, whole: str, variable: str) -> None:
    if not whole.endswith("}") or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise EnricherError(f"config.headers.{header}: {whole!r} must read ${{NAME}}")
    if variable in OUR_SECRETS:
        raise EnricherError(
            f"config.headers.{header}: {variable} is this application's own secret; "
            "put the API's into a variable of its own"
        )


def fill_headers(
    headers: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Return the headers with the environment's values in them, and those values."""
    secrets = {
        found[1]: _secret(name, found[1], environ)
        for name, template in headers.items()
        for found in _VARIABLE.finditer(template)
    }
    filled = {
        name: _VARIABLE.sub(lambda found: secrets[found[1]], template)
        for name, template in headers.items()
    }
    return filled, frozenset(secrets.values())


def _secret(header: str, variable: str, environ: Mapping[str, str]) -> str:
    secret = environ.get(variable, "")
    if fault := _fault_of(secret):
        raise EnricherError(f"config.headers.{header}: the variable {variable} {fault}")
    return secret


def _fault_of(secret: str) -> str:
    if not secret:
        return "is not set in the worker's environment"
    if not _sendable(secret):
        return "holds a line break, a space at an end, or what is not ASCII"
    if len(secret) < SHORTEST_SECRET:
        return f"is shorter than {SHORTEST_SECRET} characters; what is no secret goes in as it is"
    return ""


def _sendable(text: object) -> bool:
    return (
        isinstance(text, str) and text.isascii() and text.isprintable() and text == text.strip(" ")
    )


def fill_url(template: str, row: Row) -> str:
    """Return the address, each value percent-encoded; raises RowFault if a value is a dot."""
    url = _fill("url", template, row, lambda text: quote(text, safe=""))
    # Clients and servers take these for steps through the path.
    if {".", ".."} & set(urlsplit(url).path.split("/")):
        raise RowFault("config.url: a part of the path is . or .. with this row")
    return url


def fill_body(template: Any, row: Row) -> Any:  # noqa: ANN401
    """Return the body; a text that is one name alone becomes the value with its type."""
    if isinstance(template, Mapping):
        return {key: fill_body(value, row) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill_body(value, row) for value in template]
    if not isinstance(template, str):
        return template
    alone = _PART.fullmatch(template)
    if alone and alone[1]:
        value = _value("body", row, alone[1])
        return value.numbers() if isinstance(value, Vector) else value
    return _fill("body", template, row, str)


def _fill(key: str, template: str, row: Row, encode: Callable[[str], str]) -> str:
    def part(found: re.Match[str]) -> str:
        if name := found[1]:
            return encode(_as_text(key, name, _value(key, row, name)))
        return found.group()[0]

    return _PART.sub(part, template)


def _value(key: str, row: Row, name: str) -> Any:  # noqa: ANN401
    if name not in row:
        there = ", ".join(row) or "nothing"
        raise EnricherError(f"config.{key}: {{{name}}} is not among what is read: {there}")
    return row[name]


def _as_text(key: str, name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(normal_number(value))
    if not isinstance(value, str):
        kind = "null" if value is None else f"a {type(value).__name__}"
        raise RowFault(f"config.{key}: {{{name}}} is {kind}, which cannot stand in a text")
    return value


def _texts(template: object) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _texts(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from _texts(value)


def pick_path(answer: object, path: str) -> object:
    """Return the value at a dotted path; raises RowFault that says what there is instead."""
    found, above = answer, "it"
    for step in path.split(".") if path else ():
        inside = _inside(found)
        if step not in inside:
            there = ", ".join(list(inside)[:10])[:200] or "no parts"
            raise RowFault(f"the answer has no {path}; {above} has: {there}")
        found, above = inside[step], step if above == "it" else f"{above}.{step}"
    return found


def _inside(value: object) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {}
