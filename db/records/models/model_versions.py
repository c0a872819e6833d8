"""Versions of a model: how one is added, made the active one, and checked."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from db.errors import UnknownModel
from db.records.dataset import Dataset
from db.scoring.library_versions import (
    ModelCheck,
    ModelLibraries,
    Versions,
    decode_libraries,
    encode_libraries,
)
from db.scoring.student_data import Artifact
from db.store import tables
from db.store.generation import raise_generation

from .trained_model import Model, find_model, model_name


class KnownAnswers(msgspec.Struct, frozen=True):
    """Some answers that a teacher gave when it was made, by the keys of their records.

    A row has a probability for each label, or one number. The inputs are not kept with them: who
    deletes a record deletes its inputs.
    """

    keys: list[bytes]
    rows: list[list[float]]


@dataclass(frozen=True)
class NewModel:
    """A trained model to add; `reads` maps the enrichers that it reads to their fingerprints.

    Without a teacher the student is the teacher.
    """

    metrics: dict[str, Any]
    reads: dict[str, str]
    student: Artifact
    teacher: Artifact | None
    out_of_fold: bytes
    made_with: Versions = field(default_factory=dict)
    known_answers: KnownAnswers | None = None


def add_model(connection: Connection, dataset_id: int, new: NewModel) -> int:
    """Add a version, which is not active yet; return its number."""
    _lock_models(connection, dataset_id)
    newest = select(func.coalesce(func.max(tables.model.c.version), 0)).where(
        tables.model.c.dataset_id == dataset_id
    )
    version: int = connection.execute(newest).scalar_one() + 1
    connection.execute(
        tables.model.insert().values(
            dataset_id=dataset_id,
            version=version,
            active=False,
            made_at=time.time(),
            metrics=msgspec.json.encode(new.metrics).decode(),
            reads=msgspec.json.encode(new.reads).decode(),
            student=new.student.data,
            student_sha256=new.student.sha256,
            teacher=new.teacher.data if new.teacher else None,
            teacher_sha256=new.teacher.sha256 if new.teacher else "",
            out_of_fold=new.out_of_fold,
            libraries=encode_libraries(ModelLibraries(new.made_with)),
            known_answers=msgspec.msgpack.encode(new.known_answers) if new.known_answers else None,
        )
    )
    _drop_old_artifacts(connection, dataset_id)
    return version


def _lock_models(connection: Connection, dataset_id: int) -> None:
    """Let two trainings that end at the same time change the versions one after the other.

    Otherwise both could use the same number, or each wait for a row that the other has changed.
    """
    connection.execute(
        select(tables.dataset.c.id)
        .where(tables.dataset.c.id == dataset_id)
        .with_for_update(key_share=True)
    )


def activate_model(connection: Connection, dataset: Dataset, version: int) -> None:
    """Activate a version; raise UnknownModel if it or its artifacts no longer exist."""
    _lock_models(connection, dataset.id)
    model = find_model(connection, dataset, version)
    if not model.kept:
        raise UnknownModel(
            f"{model_name(dataset, version)}: its artifacts have been deleted;"
            f" train a new version: python -m enrich train {dataset.name}"
        )
    of_dataset = tables.model.c.dataset_id == dataset.id
    connection.execute(
        update(tables.model).where(of_dataset, tables.model.c.active).values(active=False)
    )
    connection.execute(
        update(tables.model)
        .where(tables.model.c.id == model.id)
        .values(active=True, activated_at=time.time())
    )
    _drop_old_artifacts(connection, dataset.id)
    raise_generation(connection)


def _drop_old_artifacts(connection: Connection, dataset_id: int) -> None:
    """Keep only the artifacts of the active version, the one active before it, and the newest."""
    of_dataset = tables.model.c.dataset_id == dataset_id
    used = select(tables.model.c.id).where(of_dataset, tables.model.c.activated_at.isnot(None))
    newest = (
        select(tables.model.c.id).where(of_dataset).order_by(tables.model.c.version.desc()).limit(1)
    )
    keep = {
        *connection.execute(used.order_by(tables.model.c.activated_at.desc()).limit(2)).scalars(),
        *connection.execute(newest).scalars(),
    }
    connection.execute(
        update(tables.model)
        # Of few rows, so that it seldom waits for earlier code, which takes no lock to activate.
        .where(of_dataset, tables.model.c.id.notin_(keep), tables.model.c.student.isnot(None))
        .values(student=None, teacher=None, out_of_fold=None, known_answers=None)
    )


def read_out_of_fold(connection: Connection, model: Model) -> bytes | None:
    """Return a version's out-of-fold answers, None if they have been deleted."""
    query = select(tables.model.c.out_of_fold).where(tables.model.c.id == model.id)
    stored: bytes | None = connection.execute(query).scalar_one()
    return stored


def read_known_answers(connection: Connection, model: Model) -> KnownAnswers | None:
    """Return a version's known answers; None if it has none, or if they are damaged."""
    query = select(tables.model.c.known_answers).where(tables.model.c.id == model.id)
    stored: bytes | None = connection.execute(query).scalar_one()
    try:
        return msgspec.msgpack.decode(stored, type=KnownAnswers) if stored else None
    except msgspec.DecodeError:
        return None


def record_check(connection: Connection, model: Model, check: ModelCheck) -> None:
    """Keep how a version's teacher answers with other versions of its libraries."""
    # The lock keeps a check that another worker makes at the same time.
    query = select(tables.model.c.libraries).where(tables.model.c.id == model.id)
    stored = connection.execute(query.with_for_update()).scalar_one()
    libraries = decode_libraries(stored).with_check(check)
    connection.execute(
        update(tables.model)
        .where(tables.model.c.id == model.id)
        .values(libraries=encode_libraries(libraries))
    )
