"""Commands about models: train, evaluate, models, activate; and survey."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from typing import Any

import click

from db.cli.console import as_json, counted
from db.cli.terminal.colour import paint
from db.cli.terminal.progress_bar import ProgressBar
from db.errors import UnknownModel
from db.queue.run_history import recorded_run
from db.records.dataset import all_datasets, find_dataset
from db.records.models.trained_model import active_model, all_models, model_name
from db.records.record import count_labelled
from db.versions.held_out import mark_held_out
from enrich.planning.maintenance import FEWEST_LABELS, use_model
from enrich.planning.model_versions import describe_use, is_from_here
from enrich.worker.hooks import WorkerHooks
from enrich.worker.subcommand import yielding
from enrich.worker.worker import working

from .base import (
    dataset_argument,
    json_option,
    lock_option,
    maybe_dataset_argument,
    open_worker_store,
)
from .model_table import format_models


@click.command()
@dataset_argument
@click.option("--force", is_flag=True, help="Activate the new model even if it is worse.")
@click.option(
    "--sample",
    type=click.IntRange(min=FEWEST_LABELS),
    help="Number of records to train on, a fair sample; by default as many as memory has room for.",
)
@click.option("--unless-trained", is_flag=True, help="Do nothing if a model is active.")
@lock_option
@json_option
def train(
    dataset: str,
    *,
    force: bool,
    sample: int | None,
    unless_trained: bool,
    lock: Path | None,
    as_json_: bool,
) -> None:
    """Train a new model of DATASET, and activate it if it is not worse than the active one.

    Its metrics are out of fold: measured on rows that teacher and student were not trained on.
    """
    store, settings = open_worker_store()
    store = yielding(store, lock)
    with store.reading() as connection:
        stored = find_dataset(connection, dataset)
        model = active_model(connection, stored.id)
        labelled = count_labelled(connection, stored.id)
    if unless_trained and model is not None:
        name = model_name(stored, model.version)
        click.echo(as_json({"model": name}) if as_json_ else f"{name} is already active")
        return
    progress = ProgressBar(f"train {dataset}", as_share=True)
    progress.begin(f"reading {counted(labelled, 'labelled record')}")
    from enrich.learning.quality.report_text import format_report  # noqa: PLC0415  scikit-learn is slow to import
    from enrich.learning.training import TrainingMonitor, train_model  # noqa: PLC0415

    hooks = WorkerHooks(f"training {dataset}")
    with (
        working(store, settings, threading.Event(), hooks=hooks) as worker,
        recorded_run(store, stored.id, "train", worker.id) as outcome,
    ):

        def show(note: str, records: int, total: int) -> None:
            if not records:
                progress.begin(note, total)
            progress.advance(records, note)

        def say(sentence: str) -> None:
            progress.end()
            click.echo(sentence, err=True)

        trained = train_model(
            store,
            dataset,
            settings,
            force=force,
            sample=sample,
            monitor=TrainingMonitor(show, say),
        )
        progress.end()
        outcome.complete(f"{model_name(stored, trained.version)}: {trained.decision.reason}")
    name = model_name(stored, trained.version)
    decision = trained.decision
    if as_json_:
        result = {"model": name, "active": decision.active, "reason": decision.reason}
        click.echo(as_json({**result, **trained.metrics}))
        return
    for line in format_report(name, trained.metrics):
        click.echo(line)
    why = "; ".join(filter(None, (decision.gain, decision.reason)))
    click.echo(f"{_describe_state(name, is_active=decision.active)} {why}")


def _describe_state(name: str, *, is_active: bool) -> str:
    if is_active:
        return paint(f"{name} is active:", "green", sys.stdout)
    return paint(f"{name} is not active:", "yellow", sys.stdout)


@click.command()
@dataset_argument
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--every-row",
    is_flag=True,
    help="Include rows with inputs that the model was trained on.",
)
@json_option
def evaluate(dataset: str, file: Path, *, every_row: bool, as_json_: bool) -> None:
    """Evaluate DATASET's active model on the labelled rows of FILE.

    Rows with inputs that the model was trained on are left out, and so are rows that cannot be
    read, with the reason.
    """
    from enrich.evaluation import evaluate_file  # noqa: PLC0415  scikit-learn is slow to import
    from enrich.learning.quality.report_text import format_report  # noqa: PLC0415

    store, settings = open_worker_store()
    result = evaluate_file(store, dataset, file, settings, every_row=every_row)
    if as_json_:
        click.echo(as_json(result))
        return
    for line in format_report(result["model"], result):
        click.echo(line)
    for note in result["notes"]:
        click.echo(f"  {note}")
    if result["seen"]:
        rows = counted(result["seen"], "row")
        click.echo(f"  {rows} left out: the model was trained on these inputs")
    if result["skipped"]:
        click.echo(f"  {counted(result['skipped'], 'row')} skipped: they cannot be read")
    for fault in result["faults"]:
        click.echo(f"    {fault}")
    if result["skipped"] > len(result["faults"]):
        click.echo(f"    and {result['skipped'] - len(result['faults']):,} more")


@click.command()
@dataset_argument
@json_option
def models(dataset: str, *, as_json_: bool) -> None:
    """List the versions of DATASET's model with their metrics."""
    store, _ = open_worker_store()
    with store.reading() as connection:
        stored = find_dataset(connection, dataset)
        versions = all_models(connection, stored.id)
    if as_json_:
        click.echo(as_json([_model_fields(stored.name, model) for model in versions]))
        return
    if not versions:
        click.echo(f"{dataset} has no model yet; train one: python -m enrich train {dataset}")
        return
    for line in format_models(stored, versions, sys.stdout):
        click.echo(line)
    for model in versions:
        if model.kept and not is_from_here(model):
            click.echo(describe_use(stored, model))


def _model_fields(name: str, model: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "model": f"{name}@{model.version}",
        "active": model.active,
        "kept": model.kept,
        "made_at": model.made_at,
        "reads": model.reads,
        "libraries": model.libraries,
        "metrics": model.metrics,
    }


@click.command()
@click.argument("model")
@json_option
def activate(model: str, *, as_json_: bool) -> None:
    """Activate MODEL, such as intents@2. To compute its predictions, run `enrich once`.

    The store keeps the active version, the previous one and the newest; of all others it keeps
    only the metrics.
    """
    parts = re.fullmatch(r"(.+)@(\d+)", model)
    if parts is None:
        raise UnknownModel(f"{model}: is not a version of a model; name one, such as {model}@2")
    store, settings = open_worker_store()
    use_model(store, parts[1], int(parts[2]), settings)
    with store.reading() as connection:
        dataset = find_dataset(connection, parts[1])
    mark_held_out(store, dataset, int(parts[2]))
    words = f"{model} is active; compute its predictions: python -m enrich once"
    click.echo(as_json({"active": model}) if as_json_ else words)


@click.command()
@maybe_dataset_argument
@lock_option
@json_option
def survey(dataset: str | None, *, lock: Path | None, as_json_: bool) -> None:
    """Analyse whole datasets, or only DATASET, for the enrichers that need it, if that is due.

    Workers and `enrich once` do this by themselves.
    """
    from enrich.dataset_analysis import analyse_dataset  # noqa: PLC0415  its enrichers are slow to import

    store, settings = open_worker_store()
    store = yielding(store, lock)
    with store.reading() as connection:
        names = (
            [find_dataset(connection, dataset).name]
            if dataset
            else [stored.name for stored in all_datasets(connection)]
        )
    bases = {}
    for name in names:
        with store.reading() as connection:
            stored = find_dataset(connection, name)
        hooks = WorkerHooks(f"analysing {name}")
        with (
            working(store, settings, threading.Event(), hooks=hooks) as worker,
            recorded_run(store, stored.id, "survey", worker.id) as outcome,
        ):
            bases[name] = analyse_dataset(store, name, settings)
            outcome.complete("done", len(bases[name]))
    if as_json_:
        click.echo(as_json(bases))
        return
    for name, analyses in bases.items():
        for enricher, basis in analyses.items():
            click.echo(f"{name}: {enricher} has analysed {basis}; run: python -m enrich once")
        if not analyses:
            click.echo(f"{name}: no analysis is due")
