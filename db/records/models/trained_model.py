"""Models: numbered versions of a dataset's teacher and student; one version is active."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from db.errors import ArtifactError, UnknownModel
from db.records.dataset import Dataset
from db.scoring.library_versions import ModelLibraries, decode_libraries
from db.scoring.student_data import Artifact
from db.store.direct.connection import Row
from db.store.direct.statement import Statement, StoreConnection

# Above every version.
_NO_VERSION = 2**31 - 1
_SELECT = (
    "SELECT id, version, active, made_at, metrics, reads, student_sha256, teacher_sha256,"
    " libraries, student IS NOT NULL FROM {schema}model WHERE dataset_id = {}"
)
_all = Statement(f"{_SELECT} ORDER BY version DESC")
_newest = Statement(f"{_SELECT} AND version < {{}} ORDER BY version DESC LIMIT {{}}")
_active = Statement(f"{_SELECT} AND active")
_one = Statement(f"{_SELECT} AND version = {{}}")
_artifacts = {
    "student": Statement("SELECT student FROM {schema}model WHERE id = {}"),
    "teacher": Statement("SELECT teacher FROM {schema}model WHERE id = {}"),
}


@dataclass(frozen=True)
class Model:
    """A version without its artifacts; `kept` says whether they are still stored."""

    id: int
    version: int
    active: bool
    made_at: float
    metrics: dict[str, Any]
    reads: dict[str, str]
    student_sha256: str
    teacher_sha256: str
    kept: bool
    libraries: ModelLibraries = field(default_factory=ModelLibraries)


def model_name(dataset: Dataset, version: int) -> str:
    """Return the name of a version in predictions, such as intents@3."""
    return f"{dataset.name}@{version}"


def all_models(connection: StoreConnection, dataset_id: int) -> list[Model]:
    """Return every version, the newest first."""
    return [_model(row) for row in _all.rows(connection, dataset_id)]


def newest_models(
    connection: StoreConnection, dataset_id: int, limit: int, before: int | None = None
) -> list[Model]:
    """Return the newest versions, of those before a version, at most `limit`, the newest first."""
    end = _NO_VERSION if before is None else before
    return [_model(row) for row in _newest.rows(connection, dataset_id, end, limit)]


def active_model(connection: StoreConnection, dataset_id: int) -> Model | None:
    """Return the active version, None if there is none."""
    row = _active.first(connection, dataset_id)
    return None if row is None else _model(row)


def find_model(connection: StoreConnection, dataset: Dataset, version: int) -> Model:
    """Return a version; raise UnknownModel if it does not exist."""
    row = _one.first(connection, dataset.id, version)
    if row is None:
        raise UnknownModel(
            f"{model_name(dataset, version)}: this version does not exist;"
            f" list them: python -m enrich models {dataset.name}"
        )
    return _model(row)


def _model(row: Row) -> Model:
    model_id, version, active, made_at, metrics, reads, student, teacher, libraries, kept = row
    return Model(
        id=model_id,
        version=version,
        active=bool(active),
        made_at=made_at,
        metrics=msgspec.json.decode(metrics),
        reads=msgspec.json.decode(reads),
        student_sha256=student,
        teacher_sha256=teacher,
        kept=bool(kept),
        libraries=decode_libraries(libraries),
    )


def read_student(connection: StoreConnection, model: Model) -> Artifact:
    """Return a version's student as stored bytes, which have not been checked."""
    return _artifact(connection, model, "student", model.student_sha256)


def read_teacher(connection: StoreConnection, model: Model) -> Artifact | None:
    """Return a version's teacher as stored bytes, which have not been checked.

    There is none if the student is the teacher.
    """
    if not model.teacher_sha256:
        return None
    return _artifact(connection, model, "teacher", model.teacher_sha256)


def _artifact(connection: StoreConnection, model: Model, column: str, sha256: str) -> Artifact:
    data = _artifacts[column].value(connection, model.id)
    if data is None:
        raise ArtifactError(f"version {model.version}: its {column} has been deleted")
    return Artifact(data, sha256)
