"""Templates of a request: a row fills the address and the body, the environment fills the headers.

A row reaches the path, the query and the body, and never the host or the headers. The environment
reaches only the headers. So nothing that is hashed, stored or logged contains a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from db.errors import EnricherError
from db.scoring.packed_numbers import Vector
from db.settings.spec_variable import allowed_variables, is_own, variable_fault
from db.spec.exchange_check import VARIABLE_NAME
from db.spec.normalization import normal_number
from enrich.enrichers.base import Row

# Headers that only the client sets. A compressed answer could unpack to any size.
OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding"}
)
# A shorter secret could occur in answers by chance, and hiding it there would change them.
SHORTEST_SECRET = 6

_PART = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_VARIABLE = re.compile(r"\$\{([^}]*)\}?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class RowFault(EnricherError):
    """A row has no value, while others may have one."""


def check_url(url: str, key: str = "url") -> None:
    """Raise EnricherError for an invalid address, or one whose host a row or a secret could set."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    # The message does not show the address: the invalid part may be a password.
    if not usable or not url.isprintable() or " " in url:
        raise EnricherError(f"config.{key}: must start with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise EnricherError(f"config.{key}: names a user; put the login into a header as ${{NAME}}")
    if set(parts.netloc) & set("{}"):
        raise EnricherError(f"config.{key}: the host must not come from a row; write it out")
    check_template(key, url)


def check_template(key: str, template: Any) -> None:  # noqa: ANN401  whatever TOML can say
    """Raise EnricherError for a secret or a single brace in any text of a template."""
    for text in _texts(template):
        if "${" in text:
            raise EnricherError(f"config.{key}: contains ${{; secrets belong in config.headers")
        if any(part.group() in {"{", "}"} for part in _PART.finditer(text)):
            raise EnricherError(f"config.{key}: has a single brace; write {{{{ or }}}} for a brace")


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise EnricherError for invalid headers, and for the application's own secrets in them."""
    for name, template in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in OUR_HEADERS:
            raise EnricherError(
                f"config.headers.{_shown(name)}: this header cannot be set; remove it"
            )
        if not _is_sendable(template):
            raise EnricherError(f"config.headers.{name}: must be printable ASCII")
        for match in _VARIABLE.finditer(template):
            _check_variable(name, *match.group(0, 1))


def _check_variable(header: str, whole: str, variable: str) -> None:
    if not whole.endswith("}") or not VARIABLE_NAME.fullmatch(variable):
        raise EnricherError(f"config.headers.{header}: {whole!r} must have the form ${{NAME}}")
    # Which others may be named is a setting of the worker that makes the calls.
    if is_own(variable):
        raise EnricherError(f"config.headers.{header}: {variable_fault(variable, ('*',))}")


def fill_headers(
    headers: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Return the headers with their variables replaced, and the values of these variables."""
    secrets = {
        match[1]: _secret(name, match[1], environ)
        for name, template in headers.items()
        for match in _VARIABLE.finditer(template)
    }
    filled = {
        name: _VARIABLE.sub(lambda match: secrets[match[1]], template)
        for name, template in headers.items()
    }
    return filled, frozenset(secrets.values())


def _secret(header: str, variable: str, environ: Mapping[str, str]) -> str:
    if fault := variable_fault(variable, allowed_variables(environ)):
        raise EnricherError(f"config.headers.{header}: {fault}")
    secret = environ.get(variable, "")
    if fault := _secret_fault(secret):
        raise EnricherError(f"config.headers.{header}: the variable {variable} {fault}")
    return secret


def _secret_fault(secret: str) -> str:
    """Return why a secret cannot be sent, "" if it can."""
    if not secret:
        return "is not set; set it in the worker's environment"
    if not _is_sendable(secret):
        return "must be printable ASCII without spaces at its ends"
    if len(secret) < SHORTEST_SECRET:
        return (
            f"is shorter than {SHORTEST_SECRET} characters;"
            " write a value that is not secret into the header itself"
        )
    return ""


def _is_sendable(text: object) -> bool:
    return (
        isinstance(text, str) and text.isascii() and text.isprintable() and text == text.strip(" ")
    )


def fill_url(template: str, row: Row) -> str:
    """Return the address with each value percent-encoded; a missing value is empty.

    Raises RowFault if a part of the path becomes . or .. with this row.
    """
    url = _fill("url", template, row, lambda text: quote(text, safe=""))
    # Clients and servers resolve these parts as relative steps.
    if {".", ".."} & set(urlsplit(url).path.split("/")):
        raise RowFault("config.url: a part of the path is . or .. with this row")
    return url


def fill_body(template: Any, row: Row) -> Any:  # noqa: ANN401
    """Return the body; a text that is only `{name}` becomes the value with its own type.

    So a missing value becomes null there, and an empty text within a longer text.
    """
    if isinstance(template, Mapping):
        return {key: fill_body(value, row) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill_body(value, row) for value in template]
    if not isinstance(template, str):
        return template
    whole = _PART.fullmatch(template)
    if whole and whole[1]:
        value = _value("body", row, whole[1])
        return value.numbers() if isinstance(value, Vector) else value
    return fill_text("body", template, row)


def fill_text(key: str, template: str, row: Row) -> str:
    """Return a text with its placeholders replaced by values; a missing value is empty."""
    return _fill(key, template, row, str)


def placeholders(template: str) -> list[str]:
    """Return the names in braces of a text, in their order."""
    return [part[1] for part in _PART.finditer(template) if part[1]]


def _fill(key: str, template: str, row: Row, encode: Callable[[str], str]) -> str:
    def replace(match: re.Match[str]) -> str:
        if name := match[1]:
            return encode(_as_text(key, name, _value(key, row, name)))
        return match.group()[0]

    return _PART.sub(replace, template)


def _value(key: str, row: Row, name: str) -> Any:  # noqa: ANN401
    if name not in row:
        read = ", ".join(row) or "nothing"
        wrong = f"config.{key}: {{{_shown(name)}}} is not read"
        raise EnricherError(f"{wrong}; the enricher reads {read}")
    return row[name]


def _shown(name: str) -> str:
    """Return a name of a configuration as a terminal shows it."""
    return "".join(one if one.isprintable() else "?" for one in name)[:80]


def _as_text(key: str, name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(normal_number(value))
    if value is None:
        return ""
    if not isinstance(value, str):
        kind = f"a {type(value).__name__}"
        raise RowFault(f"config.{key}: {{{name}}} is {kind}, which cannot be part of a text")
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
    """Return the value at a dotted path; raises RowFault if there is none."""
    value, parent = answer, "it"
    for step in path.split(".") if path else ():
        parts = _parts(value)
        if step not in parts:
            names = ", ".join(list(parts)[:10])[:200] or "no parts"
            raise RowFault(f"the answer has no {path}; {parent} has: {names}")
        value, parent = parts[step], step if parent == "it" else f"{parent}.{step}"
    return value


def _parts(value: object) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {}
