"""The datasets in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy import Connection, Row, exists, select, update

from db.errors import SpecChangeRefused, SpecError, UnknownDataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.stored_spec import DamagedSpec, decode_spec, encode_spec
from db.store import tables
from db.store.generation import raise_generation


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


def all_datasets(connection: Connection) -> list[Dataset]:
    """Return every dataset whose stored spec can be read, by name."""
    return read_datasets(connection)[0]


def read_datasets(connection: Connection) -> tuple[list[Dataset], list[DamagedDataset]]:
    """Return the datasets by name, and apart from them those whose stored spec is damaged."""
    readable, damaged = [], []
    for row in connection.execute(select(tables.dataset).order_by(tables.dataset.c.name)):
        try:
            readable.append(_dataset(row))
        except SpecError as error:
            damaged.append(DamagedDataset(row.id, row.name, str(error)))
    return readable, damaged


def find_dataset(connection: Connection, name: str) -> Dataset:
    """Return the dataset with this name; raise UnknownDataset, which lists the names there are."""
    row = connection.execute(select(tables.dataset).where(tables.dataset.c.name == name)).first()
    if row is None:
        names = (
            connection.execute(select(tables.dataset.c.name).order_by(tables.dataset.c.name))
            .scalars()
            .all()
        )
        known = f"there are {', '.join(names)}" if names else "load one: python -m db load FILE"
        raise UnknownDataset(f"no dataset is named {name!r}; {known}")
    return _dataset(row)


def _dataset(row: Row[tuple[object, ...]]) -> Dataset:
    return Dataset(row.id, _read_spec(row.name, row.spec), _read_plan(row.plan), row.revision)


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
    connection: Connection, spec: DatasetSpec
) -> Literal["created", "updated", "unchanged"]:
    """Add a dataset, or update its spec.

    Raise SpecChangeRefused if that would change the keys of existing records.
    """
    _check_flat_route(connection, spec)
    row = connection.execute(
        select(tables.dataset).where(tables.dataset.c.name == spec.name)
    ).first()
    if row is None:
        connection.execute(tables.dataset.insert().values(name=spec.name, spec=encode_spec(spec)))
        raise_generation(connection)
        return "created"
    try:
        old = _read_spec(spec.name, row.spec)
    except SpecError:
        _check_keys_of_records(connection, row.id, spec)
    else:
        # Earlier code also wrote the members that have their default.
        if encode_spec(old) == encode_spec(spec):
            return "unchanged"
        _check_keys_unchanged(connection, row.id, old, spec)
    connection.execute(
        update(tables.dataset).where(tables.dataset.c.id == row.id).values(spec=encode_spec(spec))
    )
    raise_generation(connection)
    return "updated"


def _check_flat_route(connection: Connection, spec: DatasetSpec) -> None:
    for other in all_datasets(connection):
        taken = set(spec.flat_routes) & set(other.spec.flat_routes)
        if taken and other.name != spec.name:
            raise SpecError(
                f"key flat_route: {spec.flat_route} is already the route of {other.name};"
                f" use another"
            )


def _check_keys_unchanged(
    connection: Connection, dataset_id: int, old: DatasetSpec, new: DatasetSpec
) -> None:
    changes = _key_changes(old, new)
    if not changes:
        return
    if connection.execute(
        select(exists().where(tables.record.c.dataset_id == dataset_id))
    ).scalar_one():
        raise SpecChangeRefused(
            f"{new.name} has records, and {changes} would change their keys; keep it as it was, or"
            f" give the spec another name and import the rows there, or delete the dataset first:"
            f" python -m db drop {new.name}"
        )


def _check_keys_of_records(connection: Connection, dataset_id: int, spec: DatasetSpec) -> None:
    """Raise SpecChangeRefused unless the records have the keys that this spec gives them.

    The spec that it replaces cannot be read, so some records are looked at.
    """
    columns = tables.record.c
    some = select(columns.inputs, columns.key).where(columns.dataset_id == dataset_id).limit(100)
    for inputs, key in connection.execute(some):
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


def set_plan(connection: Connection, dataset: Dataset, plan: tuple[PlanStep, ...]) -> Dataset:
    """Store the current enrichers; if the plan has changed, all records become stale."""
    if plan == dataset.plan:
        return dataset
    encoded = msgspec.json.encode(plan).decode()
    # If several workers start together, only the first one raises the revision.
    connection.execute(
        update(tables.dataset)
        .where(tables.dataset.c.id == dataset.id, tables.dataset.c.plan != encoded)
        .values(plan=encoded, revision=tables.dataset.c.revision + 1)
    )
    return find_dataset(connection, dataset.name)
