"""What must be so at the end: nothing lost, nothing doubled, and flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from db.queue.fault import read_faults
from db.records.dataset import Dataset, find_dataset
from db.records.encoded_inputs import decode_inputs
from db.store import tables
from db.store.store import Store

from .load import PREDICTIONS, Ledger
from .processes import SoakProcess

# The last third of the time may use so much more memory than the second.
MOST_GROWTH = 1.15


def faults_of(store: Store, ledger: Ledger, imported: set[str], dataset: str) -> Iterator[str]:
    """Yield what has been lost or doubled, and requests that failed."""
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    sentences = dict(_each_count(store, found))
    predicted = _predicted(store, found)
    wanted = imported | ledger.added
    yield from _named("added rows are lost", {text for text in wanted if not sentences.get(text)})
    doubled = {text for text, count in sentences.items() if count > 1}
    yield from _named("added rows are doubled", doubled)
    yield from _named("rows were never added", {t for t, n in sentences.items() if n} - wanted)
    asked = ledger.queued | wanted
    yield from _named("inputs are lost", {text for text in asked if text not in sentences})
    yield from _named("inputs have no prediction", asked & sentences.keys() - predicted)
    yield from _failures(ledger)
    yield from _notes(store, found)


def _each_count(store: Store, dataset: Dataset) -> Iterator[tuple[str, int]]:
    """Yield each sentence with the number of its observations."""
    record, observation = tables.record.c, tables.observation.c
    query = (
        select(record.inputs, func.count(observation.id))
        .outerjoin(tables.observation, observation.record_id == record.id)
        .where(record.dataset_id == dataset.id)
        .group_by(record.id)
    )
    with store.reading() as connection:
        for inputs, count in connection.execute(query):
            yield str(decode_inputs(inputs)["sentence"]), count


def _predicted(store: Store, dataset: Dataset) -> set[str]:
    record, prediction = tables.record.c, tables.prediction.c
    query = (
        select(record.inputs)
        .join(tables.prediction, prediction.key == record.key)
        .where(record.dataset_id == dataset.id, prediction.dataset_id == dataset.id)
    )
    with store.reading() as connection:
        rows = connection.execute(query).scalars()
        return {str(decode_inputs(inputs)["sentence"]) for inputs in rows}


def _failures(ledger: Ledger) -> Iterator[str]:
    """Yield answers that no client should get: the store's absence excuses what needs it."""
    for answer, count in ledger.statuses.items():
        kind, status = answer.split()
        allowed = {"200"} if kind in PREDICTIONS else {"200", "503"}
        if status not in allowed:
            yield f"{count:,} answers of {kind} were {status}"
    if ledger.slow:
        seconds, kind = max(ledger.slow)
        yield f"{len(ledger.slow):,} answers were slow, the slowest ({kind}) took {seconds:.1f} s"


def _notes(store: Store, dataset: Dataset) -> Iterator[str]:
    """Yield quarantined records and faults that the store has kept."""
    with store.reading() as connection:
        count = connection.execute(select(func.count()).select_from(tables.quarantine)).scalar_one()
        if count:
            yield f"{count:,} records are in quarantine"
        for fault in read_faults(connection, dataset.id):
            yield f"a fault remains: {fault.subject}: {fault.reason}"


def _named(what: str, texts: set[str]) -> Iterator[str]:
    if texts:
        yield f"{len(texts):,} {what}, such as {min(texts)!r}"


def memory_growth(processes: Sequence[SoakProcess], minutes: float) -> Iterator[tuple[str, str]]:
    """Yield each kind of process with its memory, and "" or why it grows too much."""
    for kind in ("web", "worker"):
        points = [point for one in processes if one.name.startswith(kind) for point in one.memory]
        middle = [size for at, size in points if minutes / 3 <= at < 2 * minutes / 3]
        last = [size for at, size in points if at >= 2 * minutes / 3]
        if not middle or not last:
            continue
        # The most: processes that have just been started again have little.
        before, after = max(middle) / 2**20, max(last) / 2**20
        growth = after / before
        line = f"{kind}: {before:.0f} MiB in the second third, {after:.0f} MiB in the last"
        yield line, f"{kind}: memory has grown {growth:.2f} ×" if growth > MOST_GROWTH else ""
