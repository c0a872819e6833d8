"""The check of answers against a schema, and of the schema itself; needs extra packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, SchemaResource

from db.errors import EnricherError

from .schema import subschemas, tables, wrong_reference

# Returns why an answer does not fit, "" if it does.
Check: TypeAlias = Callable[[Any], str]

# jsonschema checks other formats too where certain packages are installed: a spec that one machine
# accepts must not be refused by another.
FORMAT_NAMES = ["date", "email", "idn-email", "idn-hostname", "ipv4", "ipv6", "regex", "uuid"]
FORMATS = FormatChecker(formats=FORMAT_NAMES)
# One value of each kind, which shows a schema that fails on every answer.
SAMPLES: tuple[Any, ...] = (None, 0, "", [], {})


def make_check(schema: Mapping[str, Any], key: str = "schema") -> Check:
    """Return the check of answers; raises EnricherError for a schema that cannot be used.

    `key` is the key of the configuration that has the schema.
    """
    _check_valid(schema, key)
    _check_targets(schema, key)
    for table in subschemas(schema):
        name = table.get("format", "date")
        if name not in FORMATS.checkers:
            known = ", ".join(sorted(FORMATS.checkers))
            raise EnricherError(
                f"config.{key}: the format {name[:40]!r} is not checked; use one of {known},"
                " or a pattern"
            )
    # An empty registry: nothing is fetched from anywhere.
    validator = Draft202012Validator(schema, format_checker=FORMATS, registry=Registry())

    def check(answer: Any) -> str:  # noqa: ANN401
        error = best_match(validator.iter_errors(answer))
        return f"{error.json_path}: {error.message}" if error else ""

    try:
        for sample in SAMPLES:
            check(sample)
    except RecursionError:
        raise EnricherError(f"config.{key}: refers to itself without end") from None
    return check


def _check_valid(schema: Any, key: str, place: str = "it") -> None:  # noqa: ANN401
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.path)) or place
        raise EnricherError(
            f"config.{key}: is no valid JSON schema: {where}: {error.message[:150]}"
        ) from None


def _check_targets(schema: Mapping[str, Any], key: str) -> None:
    """Raise EnricherError for a reference that does not lead to a valid schema."""
    root: SchemaResource = DRAFT202012.create_resource(schema)
    registry: Registry[Any] = Registry().with_resource("", root)
    for table in tables(schema):
        target = table.get("$ref")
        if not isinstance(target, str):
            continue
        try:
            found = registry.resolver().lookup(target).contents
        except (Unresolvable, LookupError, TypeError, ValueError):
            raise wrong_reference(key, target) from None
        if not isinstance(found, Mapping | bool):
            raise wrong_reference(key, target)
        _check_valid(found, key, target[:80])
