"""The environment variables that a spec names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from db.errors import SpecError
from db.settings.spec_variable import variable_fault

from .dataset_spec import DatasetSpec
from .exchange_check import VARIABLE_NAME

_REFERENCE = re.compile(rf"\$\{{({VARIABLE_NAME.pattern})\}}")


class NamedVariable(NamedTuple):
    """A variable, the key of the spec that names it, and whether it has a database's URL."""

    key: str
    name: str
    is_database: bool


def named_variables(spec: DatasetSpec) -> Iterator[NamedVariable]:
    """Yield the variables of enrichers, as ${NAME} in their configuration, and of databases."""
    for enricher, section in spec.enrichers.items():
        for key, name in _references(f"enrichers.{enricher}.config", section.config):
            yield NamedVariable(key, name, is_database=False)
    for key, part in (("source.url", spec.source), ("publish.url", spec.publish)):
        if part is not None:
            yield NamedVariable(key, part.url, is_database=True)


def variable_faults(spec: DatasetSpec, allowed: Sequence[str]) -> Iterator[str]:
    """Yield why the spec may not name a variable, for each of them."""
    for key, name, is_database in named_variables(spec):
        if fault := variable_fault(name, allowed, is_database=is_database):
            yield f"{key}: {fault}"


def check_variables(spec: DatasetSpec, allowed: Sequence[str]) -> None:
    """Raise SpecError if the spec names a variable that it may not."""
    for fault in variable_faults(spec, allowed):
        raise SpecError(f"{spec.name}: key {fault}")


def _references(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _references(f"{key}.{name}", part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _references(key, part)
    elif isinstance(value, str):
        yield from ((key, name) for name in _REFERENCE.findall(value))
