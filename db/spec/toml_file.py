"""Read and check a dataset's TOML file; errors name the file, the key and what to do."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from db.errors import InputError, SpecError

from .dataset_spec import PREDICTION, DatasetSpec
from .exchange_check import check_exchange
from .field import ChoiceField, Field, IntegerField, NumberField, TextField
from .normalization import normal_text
from .number_format import parse_format
from .section import EnricherSpec
from .validation import read_value

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
# The features of a record must fit in a lane of the student; a character gives at most three.
MAX_CHARACTERS = 20_000
# Members of a prediction and columns of a file of predictions, which a field would hide.
RESERVED_NAMES = frozenset(
    (
        *("dataset", "prediction", "probabilities", "probability", "interval", "source"),
        *("model", "enrichment", "warnings", "error", "key"),
    )
)
RESERVED_ROUTES = (
    "/predict",
    "/records",
    "/health",
    "/api/health",
    "/livez",
    "/readyz",
    "/metrics",
    "/docs",
    "/api/docs",
)


def read_spec(path: Path) -> DatasetSpec:
    """Read a dataset's TOML file; raises SpecError, which names file, key and what to do."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"{path}: is not TOML: {error}") from None
    try:
        spec = msgspec.convert(raw, DatasetSpec)
        check_spec(spec)
    except msgspec.ValidationError as error:
        raise SpecError(f"{path}: {_plain_message(_locate(raw) or str(error))}") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    return spec


def _locate(raw: dict[str, Any]) -> str:
    """Return the error of the first invalid field or enricher, with its name; "" if all are valid.

    For a table, msgspec reports that one of the values is wrong, but not which.
    """
    for part, kind in (("fields", Field), ("enrichers", EnricherSpec)):
        values = raw.get(part)
        for name, value in values.items() if isinstance(values, dict) else ():
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                problem, _, path = str(error).partition(" - at `$")
                return f"{problem} - at `$.{part}.{name}{path or '`'}"
    return ""


def check_spec(spec: DatasetSpec) -> None:
    """Raise SpecError if the spec breaks a rule that its types do not express."""
    _require(
        NAME.fullmatch(spec.name),
        "name",
        "use a-z, 0-9, - and _, at most 40 characters, starting with a letter",
    )
    _require(spec.fields, "fields", "define at least one field: [fields.NAME]")
    _require(
        spec.target not in spec.fields,
        "target",
        f"{spec.target!r} is also an input field; remove one of them",
    )
    _check_words("labels", spec.labels)
    _check_names(spec)
    _check_format("target_format", spec.target_format)
    _require(spec.retain_days > 0, "retain_days", "must be at least 1")
    _require(
        len(spec.columns) == len(spec.fields) + (2 if spec.id else 1),
        "fields",
        "two of them, or one and the target or the id, have the same column",
    )
    _require(
        spec.kind == "classification" or not (spec.labels or spec.flat_route),
        "kind",
        "a regression has no labels and no flat_route; remove them",
    )
    for name, field in spec.fields.items():
        _check_field(name, field)
    characters = sum(f.max_length for f in spec.fields.values() if isinstance(f, TextField))
    _require(
        characters <= MAX_CHARACTERS,
        "fields",
        f"the max_length of all text fields together must be at most {MAX_CHARACTERS}",
    )
    for name, enricher in spec.enrichers.items():
        _check_enricher(spec, name, enricher)
    if spec.flat_route is not None:
        _check_flat_route(spec)
    check_exchange(spec)


def _check_names(spec: DatasetSpec) -> None:
    for name in (*spec.fields, *([spec.id] if spec.id else [])):
        _require(
            name not in RESERVED_NAMES,
            f"fields.{name}" if name in spec.fields else "id",
            f"{name!r} is a name of the answer; use another, and name the column:"
            f' {"column" if name in spec.fields else "id_column"} = "{name}"',
        )
    _require(
        not spec.id or FIELD_NAME.fullmatch(spec.id),
        "id",
        'use letters, digits and _, starting with a letter, and id_column = "…"',
    )
    _require(
        spec.id not in (*spec.fields, spec.target), "id", "is also a field or the target; rename it"
    )
    _require(spec.id or not spec.id_column, "id_column", "needs an id")


def _check_format(where: str, number_format: str) -> None:
    if number_format:
        try:
            parse_format(number_format)
        except ValueError as error:
            raise SpecError(f"key {where}: {error}") from None


def _check_field(name: str, field: Field) -> None:
    where = f"fields.{name}"
    _require(FIELD_NAME.fullmatch(name), where, "use letters, digits and _, starting with a letter")
    if isinstance(field, TextField):
        _require(field.max_length >= 1, f"{where}.max_length", "must be at least 1")
    if isinstance(field, ChoiceField):
        _require(
            field.choices or not field.strict, f"{where}.choices", "add them, or remove strict"
        )
        _check_words(f"{where}.choices", field.choices)
    if isinstance(field, NumberField | IntegerField):
        _check_limits(where, field)
        _check_format(f"{where}.format", field.format)
    for role in ("default", "example"):
        value = getattr(field, role)
        if value is None or (role == "default" and isinstance(field, TextField) and value == ""):
            continue
        try:
            read = read_value(name, field, value)
        except InputError as error:
            raise SpecError(f"key {where}.{role}: {error.reason}") from None
        _require(read == value, f"{where}.{role}", f"write it as {read!r}")


def _check_words(where: str, words: tuple[str, ...]) -> None:
    _require(len(set(words)) == len(words), where, "contains a value twice")
    for word in words:
        _require(word, where, "contains an empty value")
        _require(_is_normal(word), where, f"{word!r} has extra white space; remove it")


def _is_normal(text: str) -> bool:
    try:
        return normal_text(text) == text
    except ValueError:
        return False


def _check_limits(where: str, field: NumberField | IntegerField) -> None:
    for name, limit in (("min", field.min), ("max", field.max)):
        _require(limit is None or math.isfinite(limit), f"{where}.{name}", "must be finite")
    if field.min is not None and field.max is not None:
        _require(field.min <= field.max, f"{where}.min", "must not be above max")


def _check_enricher(spec: DatasetSpec, name: str, enricher: EnricherSpec) -> None:
    where = f"enrichers.{name}"
    _require(NAME.fullmatch(name), where, "use a-z, 0-9, - and _, starting with a letter")
    _require(
        name != PREDICTION, where, "this name is reserved for the model's prediction; use another"
    )
    _require(name not in spec.fields, where, "a field has this name; use another")
    for read in enricher.reads:
        is_known = read in spec.fields or (read in spec.enrichers and read != name)
        _require(is_known, f"{where}.reads", f"{read!r} is neither a field nor another enricher")


def _check_flat_route(spec: DatasetSpec) -> None:
    route = spec.flat_route or ""
    _require(
        re.fullmatch(r"(/[a-z0-9_-]+)+", route), "flat_route", "use a path such as /api/intent"
    )
    _require(
        not any(
            route == reserved or route.startswith(reserved + "/") for reserved in RESERVED_ROUTES
        ),
        "flat_route",
        f"{route} is already a route; use another",
    )
    only_text = len(spec.required) == 1 and isinstance(spec.fields[spec.required[0]], TextField)
    _require(
        only_text, "flat_route", "needs a dataset with exactly one required field, of type text"
    )


def _require(condition: object, key: str, problem: str) -> None:
    if not condition:
        raise SpecError(f"key {key}: {problem}")


# Patterns of msgspec's messages, and what to write instead.
_PLAIN_MESSAGES = (
    (r"Object contains unknown field (`.*?`)", r"unknown key \1"),
    (r"Object missing required field (`.*?`)", r"the key \1 is missing"),
    (r"Invalid enum value (.*)", r"\1 is neither 'classification' nor 'regression'"),
    (
        r"Invalid value (.*)",
        r"\1 is not a type: boolean, choice, date, datetime, integer, number, text",
    ),
)


def _plain_message(message: str) -> str:
    """Turn msgspec's message `… - at `$.fields[...].min`` into `key fields.*.min: …`."""
    match = re.fullmatch(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", message, re.DOTALL)
    problem, path = (match["problem"], match["path"]) if match else (message, None)
    for pattern, plain in _PLAIN_MESSAGES:
        problem = re.sub(f"^{pattern}$", plain, problem)
    return f"key {path.replace('[...]', '.*').strip('.')}: {problem}" if path else problem
