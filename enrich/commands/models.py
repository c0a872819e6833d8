"""Commands about models: train, evaluate, models, activate."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import click

from db.cli.console import ProgressBar, as_json
from db.errors import UnknownModel
from db.queue.run import running
from db.records.dataset import all_datasets, find_dataset
from db.records.model import active_model, all_models, model_name
from enrich.planning.maintenance import use_model
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


@click.command()
@dataset_argument
@click.option("--force", is_flag=True, help="Put the new model into use even if it is worse.")
@click.option("--unless-trained", is_flag=True, help="Do nothing if there is a model in use.")
@lock_option
@json_option
def train(
    dataset: str, *, force: bool, unless_trained: bool, lock: Path | None, as_json_: bool
) -> None:
    """Fit DATASET's teacher and student, and put them into use if they are not worse.

    Both are reported out of fold: on rows that they were not trained on.
    """
    store, settings = open_worker_store()
    store = yielding(store, lock)
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
        model = active_model(connection, found.id)
    if unless_trained and model is not None:
        name = model_name(found, model.version)
        click.echo(as_json({"model": name}) if as_json_ else f"{name} is in use")
        return
    from enrich.learning.report import in_words  # noqa: PLC0415  scikit-learn is slow to import
    from enrich.learning.training import train_model  # noqa: PLC0415

    hooks = WorkerHooks(f"trains {dataset}")
    with (
        working(store, settings, threading.Event(), hooks=hooks) as worker,
        running(store, found.id, "train", worker.id) as outcome,
    ):
        progress = ProgressBar(f"train {dataset}, folds fitted")
        trained = train_model(store, dataset, settings, force=force, progress=progress.advance)
        progress.end()
        outcome.say(f"{model_name(found, trained.version)}: {trained.decision.reason}")
    name = model_name(found, trained.version)
    decision = trained.decision
    if as_json_:
        said = {"model": name, "active": decision.active, "reason": decision.reason}
        click.echo(as_json({**said, **trained.metrics}))
        return
    for line in in_words(name, trained.metrics):
        click.echo(line)
    click.echo(f"{name}: {'in use' if decision.active else 'not in use'}, {decision.reason}")


@click.command()
@dataset_argument
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def evaluate(dataset: str, file: Path, *, as_json_: bool) -> None:
    """Hold DATASET's teacher and student against labelled rows of FILE that training never saw."""
    from enrich.evaluation import evaluate_file  # noqa: PLC0415  scikit-learn is slow to import
    from enrich.learning.report import in_words  # noqa: PLC0415

    store, settings = open_worker_store()
    result = evaluate_file(store, dataset, file, settings)
    if as_json_:
        click.echo(as_json(result))
        return
    for line in in_words(result["model"], result):
        click.echo(line)
    if result["seen"]:
        click.echo(f"  {result['seen']:,} rows were left out: training has seen them")


@click.command()
@dataset_argument
@json_option
def models(dataset: str, *, as_json_: bool) -> None:
    """List the versions of DATASET's model with their metrics."""
    store, _ = open_worker_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
        versions = all_models(connection, found.id)
    if as_json_:
        click.echo(as_json([_model_fields(found.name, model) for model in versions]))
        return
    for model in versions:
        state = "in use" if model.active else "kept" if model.kept else "metrics only"
        reads = ", ".join(model.reads) or "no enrichments"
        scores = "  ".join(f"{of} {_score(model.metrics[of])}" for of in ("teacher", "student"))
        click.echo(f"{model_name(found, model.version)}  {state:<12}  {scores}  reads {reads}")
    if not versions:
        click.echo(f"{dataset} has no model yet; train one: python -m enrich train {dataset}")


def _model_fields(name: str, model: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "model": f"{name}@{model.version}",
        "active": model.active,
        "kept": model.kept,
        "made_at": model.made_at,
        "reads": model.reads,
        "metrics": model.metrics,
    }


def _score(score: dict[str, Any]) -> str:
    if "mse" in score:
        return f"R² {score['r2']:.3f}"
    return f"accuracy {score['accuracy']:.3f} macro-F1 {score['macro']['f1']:.3f}"


@click.command()
@click.argument("model")
@json_option
def activate(model: str, *, as_json_: bool) -> None:
    """Put MODEL, such as intents@2, into use; `enrich once` then makes its predictions.

    The active version, the one before and the newest are kept; of others only the metrics.
    """
    parts = re.fullmatch(r"(.+)@(\d+)", model)
    if parts is None:
        raise UnknownModel(f"{model}: name a version, such as {model}@2")
    from enrich.learning.held_out import mark_held_out  # noqa: PLC0415  NumPy is slow to import

    store, settings = open_worker_store()
    use_model(store, parts[1], int(parts[2]), settings)
    with store.reading() as connection:
        dataset = find_dataset(connection, parts[1])
    mark_held_out(store, dataset, int(parts[2]))
    click.echo(
        as_json({"active": model}) if as_json_ else f"{model} is in use; run: python -m enrich once"
    )


@click.command()
@maybe_dataset_argument
@lock_option
@json_option
def survey(dataset: str | None, *, lock: Path | None, as_json_: bool) -> None:
    """Look at whole datasets for the enrichers that need it, where that is due; or at DATASET.

    Workers and `enrich once` do so by themselves.
    """
    from enrich.analysis import analyse_dataset  # noqa: PLC0415  its enrichers are slow to import

    store, settings = open_worker_store()
    store = yielding(store, lock)
    with store.reading() as connection:
        names = (
            [find_dataset(connection, dataset).name]
            if dataset
            else [found.name for found in all_datasets(connection)]
        )
    made = {}
    for name in names:
        with store.reading() as connection:
            found = find_dataset(connection, name)
        hooks = WorkerHooks(f"surveys {name}")
        with (
            working(store, settings, threading.Event(), hooks=hooks) as worker,
            running(store, found.id, "survey", worker.id) as outcome,
        ):
            made[name] = analyse_dataset(store, name, settings)
            outcome.say("done", len(made[name]))
    if as_json_:
        click.echo(as_json(made))
        return
    for name, surveys in made.items():
        for enricher, basis in surveys.items():
            click.echo(f"{name}: {enricher} was told by {basis}; run: python -m enrich once")
        if not surveys:
            click.echo(f"{name}: no survey is due")
