"""Commands that enrich: once, run, pause, resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack

import click

from db.cli.console import Interrupted, as_json
from db.errors import EnricherError, SpecError, one_line
from db.queue.quarantine import quarantined_since
from db.queue.run_history import error_words, recorded_run
from db.queue.workers.pause import pause_workers, resume_workers
from db.records.dataset import find_dataset, read_datasets
from db.store.direct.clock import wall_seconds
from enrich.executors.base import Executor, Stopped
from enrich.pipeline.model_check import model_faults
from enrich.planning.maintenance import due_analyses_of
from enrich.worker.coverage_counter import CoverageCounter
from enrich.worker.hooks import WorkerHooks
from enrich.worker.loop import WorkerOptions, run_worker
from enrich.worker.subcommand import run_subcommand
from enrich.worker.worker import working

from .backlog_bar import BacklogBar
from .base import (
    end_waits,
    json_option,
    maybe_dataset_argument,
    open_worker_store,
    stop_on_signals,
)

executor_option = click.option(
    "--executor",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Compute in a child process, or on a Dask cluster.",
)
scheduler_option = click.option(
    "--scheduler", metavar="tcp://HOST:8786", help="The address of the Dask scheduler."
)


def _executor(name: str, scheduler: str | None, is_stopped: Callable[[], bool]) -> Executor | None:
    if name == "local":
        if scheduler:
            raise click.UsageError("--scheduler: is for Dask only; add --executor dask")
        return None
    if not scheduler:
        raise click.UsageError("--executor dask: needs --scheduler tcp://HOST:PORT")
    from enrich.executors.dask import DaskExecutor  # noqa: PLC0415  an extra, and slow to import

    dask: Executor = DaskExecutor(scheduler, is_stopped)
    return dask


@click.command()
@maybe_dataset_argument
@executor_option
@scheduler_option
@json_option
def once(dataset: str | None, *, executor: str, scheduler: str | None, as_json_: bool) -> None:
    """Enrich every stale record, or only those of DATASET, then exit. Ignores the machine's load.

    Exits with 1 if it had to quarantine a record, or if a dataset cannot be enriched; the other
    datasets are enriched nevertheless.
    """
    store, settings = open_worker_store()
    stop = stop_on_signals()
    end_waits(store, stop)
    with store.reading() as connection:
        datasets, damaged = read_datasets(connection)
        if dataset:
            datasets, damaged = [find_dataset(connection, dataset)], []
        started = wall_seconds(connection)
    errors: dict[str, Exception] = {one.name: SpecError(one.reason) for one in damaged}
    names = tuple(chosen.name for chosen in datasets) if dataset else ()
    progress = BacklogBar(store, names)
    progress.prepare("looking for stale records")
    hooks = WorkerHooks("enriching every stale record")
    chosen_executor = _executor(executor, scheduler, stop.is_set)
    try:
        for name in due_analyses_of(store, settings, [chosen.name for chosen in datasets]):
            progress.prepare(f"analysing {name}")
            run_subcommand("survey", name)
        with working(store, settings, stop, chosen_executor, hooks) as worker, ExitStack() as runs:
            outcomes = {
                chosen.name: runs.enter_context(recorded_run(store, chosen.id, "once", worker.id))
                for chosen in datasets
            }
            coverage = CoverageCounter(store)
            progress.start()

            def advance(count: int) -> None:
                progress.advance(count)
                coverage.publish()

            def note_error(name: str, error: Exception) -> None:
                errors.setdefault(name, error)

            done = worker.enrich(names, wait=True, progress=advance, on_error=note_error)
            for fault in model_faults(store, outcomes):
                note_error(fault.dataset, EnricherError(fault.reason))
            coverage.publish(at_once=True)
            for name, outcome in outcomes.items():
                if name in errors:
                    outcome.fail(errors[name])
                else:
                    outcome.complete("done", done)
    except Stopped:
        raise Interrupted from None
    finally:
        progress.end()
    with store.reading() as connection:
        refused, reason = quarantined_since(connection, started)
    _raise_errors(errors, done)
    if refused:
        raise EnricherError(
            f"enriched {done:,} records; {refused:,} of them lack a value and are quarantined,"
            f" the first because of {reason}; see: python -m enrich quarantine list"
        )
    click.echo(as_json({"records": done}) if as_json_ else f"enriched {done:,} records")


def _raise_errors(errors: Mapping[str, Exception], done: int) -> None:
    """Raise EnricherError if datasets could not be enriched, with the reason of each."""
    if errors:
        reasons = "; ".join(
            one_line(f"{name}: {error_words(error, 'the log above')}")
            for name, error in errors.items()
        )
        raise EnricherError(f"enriched {done:,} records, but not all of {reasons}")


@click.command()
@click.option("--now", is_flag=True, help="Ignore the machine's load; wait only while paused.")
@executor_option
@scheduler_option
def run(*, now: bool, executor: str, scheduler: str | None) -> None:
    """Run a worker: enrich and train whenever the machine is idle, until SIGTERM."""
    store, settings = open_worker_store()
    stop = stop_on_signals()
    run_worker(
        store, settings, stop, WorkerOptions(now, _executor(executor, scheduler, stop.is_set))
    )


@click.command()
@json_option
def pause(*, as_json_: bool) -> None:
    """Pause every worker of this store within two seconds, until `resume`."""
    store, _ = open_worker_store()
    store.write(pause_workers)
    words = "workers are paused; to resume: python -m enrich resume"
    click.echo(as_json({"paused": True}) if as_json_ else words)


@click.command()
@json_option
def resume(*, as_json_: bool) -> None:
    """Resume the workers of this store."""
    store, _ = open_worker_store()
    store.write(resume_workers)
    words = "workers are resumed; each works when its gate opens"
    click.echo(as_json({"paused": False}) if as_json_ else words)
