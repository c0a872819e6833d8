"""The command line of the worker: `python -m enrich`."""

from __future__ import annotations

import logging
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click

from db.chunk import quarantined_since
from db.console import Interrupted, Progress, as_json, run_command
from db.dataset import all_datasets, find_dataset
from db.errors import EnricherError, UnknownModel
from db.model import active_model, all_models, model_name
from db.run import begin_run, end_run
from db.settings import Settings, load_settings
from db.status import store_status
from db.store import Store, open_store
from db.worker import all_workers, bury_dead

from .executor import Stopped
from .scheduler import run_worker
from .upkeep import use_model
from .worker import working

json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Enrich records and train models."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)


def _open() -> tuple[Store, Settings]:
    settings = load_settings()
    return open_store(settings), settings


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


@cli.command()
@click.argument("dataset")
@click.option("--force", is_flag=True, help="Put the new model into use even if it is worse.")
@click.option("--unless-trained", is_flag=True, help="Do nothing if there is a model in use.")
@json_option
def train(dataset: str, *, force: bool, unless_trained: bool, as_json_: bool) -> None:
    """Fit DATASET's teacher and student, and put them into use if they are not worse."""
    store, settings = _open()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
        model = active_model(connection, found.id)
    if unless_trained and model is not None:
        name = model_name(found, model.version)
        click.echo(as_json({"model": name}) if as_json_ else f"{name} is in use")
        return
    from .learning.report import in_words  # noqa: PLC0415  scikit-learn is slow to import
    from .learning.training import train_model  # noqa: PLC0415

    with working(store, settings, threading.Event()) as worker:
        with store.writing() as connection:
            run_id = begin_run(connection, found.id, "train", worker.id)
        outcome = "failed"
        try:
            progress = Progress(f"train {dataset}, folds fitted")
            trained = train_model(store, dataset, settings, force=force, progress=progress.advance)
            progress.end()
            outcome = f"{model_name(found, trained.version)}: {trained.verdict.reason}"
        finally:
            with store.writing() as connection:
                end_run(connection, run_id, 0, outcome)
    name = model_name(found, trained.version)
    verdict = trained.verdict
    if as_json_:
        said = {"model": name, "active": verdict.active, "reason": verdict.reason}
        click.echo(as_json({**said, **trained.metrics}))
        return
    for line in in_words(name, trained.metrics):
        click.echo(line)
    click.echo(f"{name}: {'in use' if verdict.active else 'not in use'}, {verdict.reason}")


@cli.command()
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def evaluate(dataset: str, file: Path, *, as_json_: bool) -> None:
    """Hold DATASET's teacher and student against labelled rows of FILE that training never saw."""
    from .learning.evaluation import evaluate_file  # noqa: PLC0415  scikit-learn is slow to import
    from .learning.report import in_words  # noqa: PLC0415

    store, settings = _open()
    result = evaluate_file(store, dataset, file, settings)
    if as_json_:
        click.echo(as_json(result))
        return
    for line in in_words(result["model"], result):
        click.echo(line)
    if result["seen"]:
        click.echo(f"  {result['seen']:,} rows were left out: training has seen them")


@cli.command()
@click.argument("dataset")
@json_option
def models(dataset: str, *, as_json_: bool) -> None:
    """List the versions of DATASET's model with their metrics."""
    store, _ = _open()
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


@cli.command()
@click.argument("model")
@json_option
def activate(model: str, *, as_json_: bool) -> None:
    """Put MODEL, such as intents@2, into use."""
    parts = re.fullmatch(r"(.+)@(\d+)", model)
    if parts is None:
        raise UnknownModel(f"{model}: name a version, such as {model}@2")
    store, settings = _open()
    use_model(store, parts[1], int(parts[2]), settings)
    click.echo(
        as_json({"active": model}) if as_json_ else f"{model} is in use; run: python -m enrich once"
    )


@cli.command()
@click.argument("dataset", required=False)
@json_option
def once(dataset: str | None, *, as_json_: bool) -> None:
    """Enrich all that is stale now, idle or not, then exit; DATASET alone if it is named."""
    store, settings = _open()
    stop = _stop_on_signals()
    names = (dataset,) if dataset else ()
    progress = Progress("enrich")
    started = time.time()
    try:
        with working(store, settings, stop) as worker:
            runs = _begin_runs(store, names, worker.id)
            done = worker.enrich(names, wait=True, progress=progress.advance)
            with store.writing() as connection:
                for run_id in runs:
                    end_run(connection, run_id, done, "done")
                refused = quarantined_since(connection, started)
    except Stopped:
        raise Interrupted from None
    finally:
        progress.end()
    if refused:
        raise EnricherError(
            f"enriched {done:,} records; {len(refused):,} could not be and are quarantined,"
            f" the first because of {refused[0]}"
        )
    click.echo(as_json({"records": done}) if as_json_ else f"enriched {done:,} records")


def _begin_runs(store: Store, names: tuple[str, ...], worker_id: int) -> list[int]:
    with store.writing() as connection:
        return [
            begin_run(connection, found.id, "once", worker_id)
            for found in all_datasets(connection)
            if not names or found.name in names
        ]


@cli.command()
@click.option("--now", is_flag=True, help="Work whether the machine is idle or not.")
def run(*, now: bool) -> None:
    """Be a worker: enrich and train whenever the machine is idle, until SIGTERM."""
    store, settings = _open()
    run_worker(store, settings, _stop_on_signals(), now=now)


@cli.command()
@json_option
def status(*, as_json_: bool) -> None:
    """Say how far enrichment has come, and what each worker does."""
    store, _ = _open()
    with store.writing() as connection:
        bury_dead(connection)
    with store.reading() as connection:
        workers = all_workers(connection)
    datasets = store_status(store)["datasets"]
    if as_json_:
        click.echo(as_json({"datasets": datasets, "workers": workers}))
        return
    for found in datasets:
        click.echo(f"{found['name']}: model {found['model'] or 'none yet'}")
        for name, fresh in found["enriched"].items():
            click.echo(f"  {name:<16} {fresh:>10,} of {found['records']:,} fresh")
        if found["quarantined"]:
            click.echo(f"  {found['quarantined']:,} records are quarantined")
    for worker in workers:
        why = f": {worker['reason']}" if worker["reason"] else ""
        click.echo(f"worker {worker['id']} on {worker['host']} is {worker['state']}{why}")
    if not workers:
        click.echo("no worker runs; start one: python -m enrich run")


if __name__ == "__main__":
    sys.exit(run_command(lambda: cli(prog_name="python -m enrich")))
