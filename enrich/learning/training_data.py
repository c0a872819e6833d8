"""The data that a model is trained on, read from the store, and whether it is enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from sqlalchemy import Connection

from db.errors import TrainingError
from db.records.dataset import Dataset, find_dataset
from db.records.enrichment import enrichers_covering_labels
from db.records.observation import adopt_labels, count_labels, has_uncounted_labels
from db.records.record import count_labelled, first_inputs, labelled_key
from db.settings import Settings
from db.spec.field import TextField
from db.store.store import Store
from enrich.enrichers.base import find_enrichers
from enrich.gate.machine.cgroup import Cgroup
from enrich.gate.machine.memory import read_free_bytes
from enrich.planning.maintenance import FEWEST_LABELS
from enrich.planning.plan import make_plan

from .sample import DatasetSize, describe_sample, sample_size
from .training_table import Frame, read_labelled, read_unlabelled

# An enrichment may be an embedding of hundreds of numbers.
COLUMNS_OF_ENRICHMENT = 10
# The texts of so many records tell how long they are.
MEASURED_RECORDS = 200


@dataclass(frozen=True)
class TrainingData:
    """What a model of a dataset is trained on."""

    dataset: Dataset
    # The enrichers that have a fresh value for every labelled record, with their fingerprints.
    covering: dict[str, str]
    # The names of the other enrichers.
    not_covering: list[str]
    # Those of `covering` whose values a teacher can read.
    reads: dict[str, str]
    frame: Frame
    unlabelled: Frame
    # How many records were sampled, None if all are there.
    sample: int | None
    # Labelled rows in the store, of which those of the sample are a part.
    all_rows: int


def read_training_data(
    store: Store, name: str, settings: Settings, wanted: int | None, say: Callable[[str], None]
) -> TrainingData:
    """Return the data of a fair sample of `wanted` records, or of as many as memory has room for.

    If memory decides, `say` is called with a sentence that says so.
    """
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        if has_uncounted_labels(connection, dataset.id):
            store.write(partial(adopt_labels, dataset_id=dataset.id))
        steps = make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths))
        fingerprints = {step.name: step.fingerprint for step in steps}
        covering = {
            enricher: fingerprints[enricher]
            for enricher in enrichers_covering_labels(connection, dataset.id, fingerprints)
        }
        sample = _choose_sample(connection, dataset, covering, wanted, say)
        # Keys are hashes, and so the smallest ones are a fair sample.
        limit = None if sample is None else labelled_key(connection, dataset.id, sample)
        frame = read_labelled(connection, dataset, covering, limit)
        unlabelled = read_unlabelled(connection, dataset, covering)
        all_rows = count_labels(connection, dataset.id)
    return TrainingData(
        dataset=dataset,
        covering=covering,
        not_covering=sorted(fingerprints.keys() - covering),
        reads={
            name: fingerprint for name, fingerprint in covering.items() if name in frame.columns
        },
        frame=frame,
        unlabelled=unlabelled,
        sample=sample,
        all_rows=all_rows,
    )


def _choose_sample(
    connection: Connection,
    dataset: Dataset,
    covering: Mapping[str, str],
    wanted: int | None,
    say: Callable[[str], None],
) -> int | None:
    """Return the number of records to sample, None for all."""
    whole = _find_size(connection, dataset, len(covering))
    free_bytes = read_free_bytes(Cgroup())
    size = sample_size(whole, free_bytes, wanted)
    if size >= whole.records:
        return None
    if size < FEWEST_LABELS:
        raise TrainingError(
            f"{dataset.name}: {free_bytes:,} bytes of memory are free, too few to train on"
            f" {FEWEST_LABELS} records; free some, or train on another machine"
        )
    if wanted is None:
        say(describe_sample(dataset.name, whole, size, free_bytes))
    return size


def _find_size(connection: Connection, dataset: Dataset, enrichments: int) -> DatasetSize:
    texts = [name for name, field in dataset.spec.fields.items() if isinstance(field, TextField)]
    some = first_inputs(connection, dataset.id, MEASURED_RECORDS)
    characters = sum(len(str(inputs[name] or "")) for inputs in some for name in texts)
    return DatasetSize(
        records=count_labelled(connection, dataset.id),
        columns=len(dataset.spec.fields) + COLUMNS_OF_ENRICHMENT * enrichments,
        characters=characters / max(len(some), 1),
    )


def check_enough(data: TrainingData) -> None:
    """Raise TrainingError if there is too little to learn from."""
    name, frame, spec = data.dataset.name, data.frame, data.dataset.spec
    if not len(frame):
        raise TrainingError(
            f"{name}: no row has a label; import a file with a column"
            f" {spec.target}: python -m db import {name} FILE"
        )
    if len(frame) < FEWEST_LABELS:
        raise TrainingError(
            f"{name}: {len(frame)} labelled rows are too few, training needs at least"
            f" {FEWEST_LABELS}; import more: python -m db import {name} FILE"
        )
    if len(frame.keys) == 1:
        raise TrainingError(
            f"{name}: all {len(frame):,} labelled rows have the same inputs, so nothing can be"
            f" learnt from them; import others, or add the columns in which the rows differ"
        )
    if spec.kind == "regression":
        if np.ptp(frame.labels) == 0:
            number = f"{frame.labels[0]:g}"
            raise TrainingError(f"{name}: every {spec.target} is {number}; import rows with others")
        return
    labels, counts = np.unique(frame.labels, return_counts=True)
    if len(labels) == 1:
        raise TrainingError(f"{name}: every label is {labels[0]}; import rows with others")
    if counts.max() == 1:
        raise TrainingError(
            f"{name}: no label has 2 rows; import more of each, or choose another target"
            f" if {spec.target} names each row"
        )
