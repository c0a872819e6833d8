"""The datasets in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy import Connection, Row, exists, select, update

from db.errors import SpecChangeRefused, SpecError, UnknownDataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.stored_spec import decode_spec, encode_spec
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


def all_datasets(connection: Connection) -> list[Dataset]:
    """Return every dataset, by name."""
    return [
        _dataset(row)
        for row in connection.execute(select(tables.dataset).order_by(tables.dataset.c.name))
    ]


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
    plan = msgspec.json.decode(row.plan, type=tuple[PlanStep, ...])
    return Dataset(row.id, decode_spec(row.spec), plan, row.revision)


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
    # Earlier code also wrote the members that have their default.
    if encode_spec(decode_spec(row.spec)) == encode_spec(spec):
        return "unchanged"
    _check_keys_unchanged(connection, row.id, decode_spec(row.spec), spec)
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
