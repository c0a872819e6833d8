"""The catalog: the datasets that are served, with their students, as of one generation."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from db.errors import ArtifactError, InputError, UnknownDataset, VeilleuseError
from db.queue.fault import Fault, stopped_parts
from db.records.dataset import Dataset, read_datasets
from db.records.models.trained_model import Model, active_model, model_name, read_student
from db.scoring.student import Student
from db.scoring.student_data import decode_student
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.store.direct.errors import store_errors
from db.store.direct.statement import StoreConnection
from db.store.generation import read_generation

from .cache import ResponseCache

# The subject of a fault of a model that cannot be used here; see db.queue.fault.
STUDENT = "student"

log = logging.getLogger("veilleuse.web")


class NoModelError(VeilleuseError):
    """The dataset has no model yet."""


@dataclass(frozen=True)
class Served:
    """A dataset and its active student; without a student only stored predictions are served."""

    id: int
    spec: DatasetSpec
    model: str = ""
    student: Student | None = None
    student_sha256: str = ""
    # Why the student or the model cannot be used.
    fault: str = ""

    @property
    def student_labels(self) -> tuple[str, ...]:
        """The labels that the student can answer."""
        return tuple(self.student.labels) if self.student else ()

    @property
    def is_final(self) -> bool:
        """Whether the student's answer is all that there will be.

        It is the teacher itself, and there are no enrichments to wait for.
        """
        is_teacher = self.student is not None and self.student.is_teacher
        return is_teacher and not self.spec.enrichers

    def needs_no_store(self, names: Collection[str]) -> bool:
        """Return whether inputs with these names are answered from memory alone."""
        return self.is_final and not self.spec.is_row_id_alone(names)

    def require_student(self) -> Student:
        """Return the student; raises NoModelError, which says what to do."""
        if self.student is None:
            raise NoModelError(_why_no_student(self))
        return self.student

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.spec.name


def _why_no_student(served: Served) -> str:
    train = f"python -m enrich train {served.name}"
    if served.model:
        return f"{served.model} is damaged; activate another version, or train a new one: {train}"
    return f"{served.name} has no model yet; train one: {train}"


class Catalog:
    """All datasets that are served, and the response cache of this generation."""

    def __init__(
        self,
        generation: int,
        served: Iterable[Served],
        cache: ResponseCache,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.generation = generation
        # What is stopped in the workers, which /readyz names.
        self.faults = faults
        self.datasets = {one.name: one for one in served}
        self.cache = cache
        flat = [one for one in self.datasets.values() if one.spec.flat_route]
        self.flat_routes = {one.spec.flat_route: one for one in flat}
        self.language_routes = {one.spec.flat_routes[1]: one for one in flat}

    def find(self, name: str) -> Served:
        """Return a dataset by name; raises UnknownDataset, which lists the known names."""
        try:
            return self.datasets[name]
        except KeyError:
            known = ", ".join(self.datasets) or "none yet"
            raise UnknownDataset(f"there is no dataset {name!r}; there are: {known}") from None

    def match(self, fields: Iterable[str]) -> Served:
        """Return the only dataset that these fields, or this row id, fit; raises InputError."""
        given = set(fields)
        fitting = [one for one in self.datasets.values() if fits(one.spec, given)]
        if len(fitting) == 1:
            return fitting[0]
        known = "; ".join(
            f"/predict/{one.name} with {', '.join(one.spec.fields)}"
            for one in self.datasets.values()
        )
        which = "several datasets have" if fitting else "no dataset has"
        named = ", ".join(sorted(given)) or "none"
        raise InputError("query", f"{which} just these fields ({named}); there are: {known}")


def fits(spec: DatasetSpec, given: Collection[str]) -> bool:
    """Return whether a dataset can be asked with values of these names."""
    if not given or not spec.request_names.issuperset(given):
        return False
    if spec.is_row_id_alone(given):
        return True
    return all(name in given or spec.fields[name].column in given for name in spec.required)


def load_catalog(
    connection: StoreConnection, before: Catalog | None, settings: Settings
) -> Catalog:
    """Read the catalog from the store; students that have not changed are reused.

    What cannot be read of one dataset is a fault of the catalog, and the other datasets go on. A
    damaged student is left out, while stored predictions go on being served. A dataset whose spec
    cannot be read any more is served as `before`.
    """
    # The number first: a change during the reads raises it again.
    generation = read_generation(connection)
    datasets, damaged = read_datasets(connection)
    served = [_try_served(connection, dataset, before) for dataset in datasets]
    faults = [*stopped_parts(connection, damaged), *(_fault(one) for one in served if one.fault)]
    known = before.datasets if before else {}
    served += [known[one.name] for one in damaged if one.name in known]
    most_bytes = int(settings.cache_mib * 2**20 / settings.web_concurrency)
    cache = ResponseCache(settings.cache_entries, most_bytes)
    return Catalog(generation, served, cache, faults)


def _fault(served: Served) -> Fault:
    return Fault(served.name, STUDENT, served.fault, 0.0, 1, 0.0, 0.0)


def _try_served(connection: StoreConnection, dataset: Dataset, before: Catalog | None) -> Served:
    """Return a dataset as it is served, with its fault if there is one."""
    try:
        return _served(connection, dataset, before)
    except store_errors():
        # The store is at fault, and everything is read again.
        raise
    except Exception as error:
        fault = f"{dataset.name}: its model cannot be read: {' '.join(str(error).split())}"
        log.exception("%s", fault)
        return Served(dataset.id, dataset.spec, fault=fault)


def _served(connection: StoreConnection, dataset: Dataset, before: Catalog | None) -> Served:
    model = active_model(connection, dataset.id)
    if model is None:
        return Served(dataset.id, dataset.spec)
    old = before.datasets.get(dataset.name) if before else None
    name = model_name(dataset, model.version)
    if old and old.student and (old.id, old.student_sha256) == (dataset.id, model.student_sha256):
        return Served(dataset.id, dataset.spec, name, old.student, old.student_sha256)
    student, fault = _student(connection, dataset, model, name)
    return Served(dataset.id, dataset.spec, name, student, model.student_sha256, fault)


def _student(
    connection: StoreConnection, dataset: Dataset, model: Model, name: str
) -> tuple[Student | None, str]:
    """Return a model's student, or None and why it cannot be used."""
    try:
        artifact = read_student(connection, model)
        student = Student(decode_student(artifact.data, artifact.sha256))
        _check_fields(student, dataset.spec)
    except ArtifactError as error:
        fault = f"{name}: {error}"
        log.error(fault)  # noqa: TRY400  the message says all that there is
        return None, fault
    return student, ""


def _check_fields(student: Student, spec: DatasetSpec) -> None:
    """Raise ArtifactError if the student reads fields that the dataset does not have."""
    try:
        student.outputs(dict.fromkeys(spec.fields))
    except KeyError as error:
        message = f"the student reads {error}, which is no field; train a new model"
        raise ArtifactError(message) from error
