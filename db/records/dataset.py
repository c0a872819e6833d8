"""The datasets in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from db.errors import SpecChangeRefused, SpecError, UnknownDataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.stored_spec import DamagedSpec, decode_spec, encode_spec
from db.store.direct.connection import Row
from db.store.direct.statement import Statement, StoreConnection
from db.store.generation import raise_generation

_SELECT = "SELECT id, name, spec, plan, revision FROM {schema}dataset"
_all = Statement(f"{_SELECT} ORDER BY name")
_by_name = Statement(f"{_SELECT} WHERE name = {{}}")
_names = Statement("SELECT name FROM {schema}dataset")
_add = Statement("INSERT INTO {schema}dataset (name, spec) VALUES ({}, {})")
_set_spec = Statement("UPDATE {schema}dataset SET spec = {} WHERE id = {}")
# If several workers start together, only the first one raises the revision.
_set_plan = Statement(
    "UPDATE {schema}dataset SET plan = {}, revision = revision + 1 WHERE id = {} AND plan <> {}"
)
_some_records = Statement("SELECT inputs, key FROM {schema}record WHERE dataset_id = {} LIMIT {}")


class PlanStep(msgspec.Struct, frozen=True):
    """An enricher with its current fingerprint; `reads` names the steps whose values it reads."""

    name: str
    fingerprint: str
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A dataset in the store. Each step of its plan comes after the steps that it reads."""

    id: int
    spec: DatasetSpec
    plan: tuple[PlanStep, ...]
    revision: int

    @property
    def name(self) -> str:
        """The name that routes and commands use."""
        return self.spec.name

    def fingerprints(self) -> dict[str, str]:
        """Return the current fingerprint of each enricher."""
        return {step.name: step.fingerprint for step in self.plan}


@dataclass(frozen=True)
class DamagedDataset:
    """A dataset whose stored spec this code cannot read, and why."""

    id: int
    name: str
    reason: str


def all_datasets(connection: StoreConnection) -> list[Dataset]:
    """Return every dataset whose stored spec can be read, by name."""
    return read_datasets(connection)[0]


def read_datasets(connection: StoreConnection) -> tuple[list[Dataset], list[DamagedDataset]]:
    """Return the datasets by name, and apart from them those whose stored spec is damaged."""
    readable, damaged = [], []
    for row in _all.rows(connection):
        try:
            readable.append(_dataset(row))
        except SpecError as error:
            dataset_id, name, *_ = row
            damaged.append(DamagedDataset(dataset_id, name, str(error)))
    return readable, damaged


def dataset_names(connection: StoreConnection) -> list[str]:
    """Return the names of all datasets, sorted, also of those whose spec is damaged."""
    return sorted(name for (name,) in _names.rows(connection))


def find_dataset(connection: StoreConnection, name: str) -> Dataset:
    """Return the dataset with this name; raise UnknownDataset, which lists the names there are."""
    row = _by_name.first(connection, name)
    if row is None:
        names = dataset_names(connection)
        known = f"there are {', '.join(names)}" if names else "load one: python -m db load FILE"
        raise UnknownDataset(f"no dataset is named {name!r}; {known}")
    return _dataset(row)


def _dataset(row: Row) -> Dataset:
    dataset_id, name, spec, plan, revision = row
    return Dataset(dataset_id, _read_spec(name, spec), _read_plan(plan), revision)


def _read_spec(name: str, text: str) -> DatasetSpec:
    """Return a stored spec; raise SpecError, whatever is wrong with it."""
    try:
        spec = decode_spec(text)
    except DamagedSpec as error:
        raise _damaged(name, f"is damaged: {error}") from error
    if spec.name != name:
        raise _damaged(name, f"has another name, {spec.name!r}")
    return spec


def _damaged(name: str, problem: str) -> SpecError:
    return SpecError(
        f"the stored spec of {name} {problem}; load its file again: python -m db load {name}.toml"
    )


def _read_plan(text: str) -> tuple[PlanStep, ...]:
    try:
        return msgspec.json.decode(text, type=tuple[PlanStep, ...])
    except msgspec.DecodeError:
        # A worker makes the plan again.
        return ()


def register_dataset(
    connection: StoreConnection, spec: DatasetSpec
) -> Literal["created", "updated", "unchanged"]:
    """Add a dataset, or update its spec.

    Raise SpecChangeRefused if that would change the keys of existing records.
    """
    _check_flat_route(connection, spec)
    row = _by_name.first(connection, spec.name)
    if row is None:
        _add.run(connection, spec.name, encode_spec(spec))
        raise_generation(connection)
        return "created"
    dataset_id, _, stored, *_ = row
    try:
        old = _read_spec(spec.name, stored)
    except SpecError:
        _check_keys_of_records(connection, dataset_id, spec)
    else:
        # Earlier code also wrote the members that have their default.
        if encode_spec(old) == encode_spec(spec):
            return "unchanged"
        _check_keys_unchanged(connection, dataset_id, old, spec)
    _set_spec.run(connection, encode_spec(spec), dataset_id)
    raise_generation(connection)
    return "updated"


def _check_flat_route(connection: StoreConnection, spec: DatasetSpec) -> None:
    for other in all_datasets(connection):
        taken = set(spec.flat_routes) & set(other.spec.flat_routes)
        if taken and other.name != spec.name:
            raise SpecError(
                f"key flat_route: {spec.flat_route} is already the route of {other.name};"
                f" use another"
            )


def _check_keys_unchanged(
    connection: StoreConnection, dataset_id: int, old: DatasetSpec, new: DatasetSpec
) -> None:
    changes = _key_changes(old, new)
    if not changes:
        return
    if _some_records.rows(connection, dataset_id, 1):
        raise SpecChangeRefused(
            f"{new.name} has records, and {changes} would change their keys; keep it as it was, or"
            f" give the spec another name and import the rows there, or delete the dataset first:"
            f" python -m db drop {new.name}"
        )


def _check_keys_of_records(connection: StoreConnection, dataset_id: int, spec: DatasetSpec) -> None:
    """Raise SpecChangeRefused unless the records have the keys that this spec gives them.

    The spec that it replaces cannot be read, so some records are looked at.
    """
    for inputs, key in _some_records.rows(connection, dataset_id, 100):
        values = msgspec.json.decode(inputs)
        if list(values) != list(spec.fields) or spec.key(values) != key:
            raise SpecChangeRefused(
                f"{spec.name} has records with other fields than this spec"
                f" ({', '.join(values)}); its stored spec is damaged, so load the file it had, or"
                f" delete the dataset first: python -m db drop {spec.name}"
            )


def _key_changes(old: DatasetSpec, new: DatasetSpec) -> str:
    """Describe a change that alters the records' keys or the meaning of labels; "" if none does."""
    if list(old.fields) != list(new.fields):
        return f"fields {', '.join(old.fields)} → {', '.join(new.fields)}"
    if (old.kind, old.target) != (new.kind, new.target):
        return f"target {old.kind} {old.target} → {new.kind} {new.target}"
    for name, field in old.fields.items():
        if type(field) is not type(new.fields[name]):
            return f"a different type of {name}"
        if field.default != new.fields[name].default:
            return f"a different default of {name}"
    return "" if new.id else _reading_changes(old, new)


def _reading_changes(old: DatasetSpec, new: DatasetSpec) -> str:
    """Describe a change after which the same file would give other records; "" if none does.

    With row ids such a change is harmless: importing the file again moves its rows.
    """
    for name in ("missing", "decimal"):
        if getattr(old, name) != getattr(new, name):
            return f"another `{name}`"
    for name, field in old.fields.items():
        for key in ("missing", "format", "order"):
            if getattr(field, key, None) != getattr(new.fields[name], key, None):
                return f"another `{key}` of {name}"
    return ""


def set_plan(connection: StoreConnection, dataset: Dataset, plan: tuple[PlanStep, ...]) -> Dataset:
    """Store the current enrichers; if the plan has changed, all records become stale."""
    if plan == dataset.plan:
        return dataset
    encoded = msgspec.json.encode(plan).decode()
    _set_plan.run(connection, encoded, dataset.id, encoded)
    return find_dataset(connection, dataset.name)
