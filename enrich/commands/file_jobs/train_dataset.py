"""The job "train": a new model of a dataset, as `python -m enrich train` trains it."""

from __future__ import annotations

from typing import Any

from db.queue.run_history import recorded_run
from db.records.dataset import find_dataset
from db.records.models.trained_model import model_name

from .job_work import JobWork


def train_dataset(work: JobWork, name: str) -> dict[str, Any]:
    """Train a model; return its name, whether it is active, and why. Raises TrainingError."""
    work.progress.begin("training")
    from enrich.learning.training import TrainingMonitor, train_model  # noqa: PLC0415  scikit-learn is slow to import

    def show(_note: str, records: int, total: int) -> None:
        work.progress.expect(total)
        work.progress.advance(records)

    with work.store.reading() as connection:
        dataset = find_dataset(connection, name)
    worker_id = work.claim.worker_id
    with recorded_run(work.store, dataset.id, "train", worker_id) as outcome:
        monitor = TrainingMonitor(show, lambda _sentence: None)
        trained = train_model(work.store, name, work.settings, monitor=monitor)
        model, decision = model_name(dataset, trained.version), trained.decision
        outcome.complete(f"{model}: {decision.reason}")
    return {
        "dataset": name,
        "model": model,
        "version": trained.version,
        "active": decision.active,
        "reason": decision.reason,
    }


def train_again(work: JobWork) -> dict[str, Any]:
    """Train the job's dataset."""
    return train_dataset(work, work.job.dataset)
