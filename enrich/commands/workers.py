"""Commands that enrich: once, run, pause, resume."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import click

from db.cli.console import Interrupted, ProgressBar, as_json
from db.errors import EnricherError
from db.queue.pause import pause_workers, resume_workers
from db.queue.quarantine import quarantined_since
from db.queue.run import running
from db.records.dataset import all_datasets, find_dataset
from db.store.dialect import wall_seconds
from enrich.executors.base import Executor, Stopped
from enrich.planning.maintenance import due_analyses_of
from enrich.worker.coverage import CoverageCounter as Counts
from enrich.worker.hooks import WorkerHooks
from enrich.worker.loop import WorkerOptions, run_worker
from enrich.worker.subcommand import run_subcommand
from enrich.worker.worker import working

from .base import json_option, maybe_dataset_argument, open_worker_store, stop_on_signals

executor_option = click.option(
    "--executor",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Compute in a child of this process, or on a Dask cluster.",
)
scheduler_option = click.option(
    "--scheduler", metavar="tcp://HOST:8786", help="The Dask cluster's scheduler."
)


def _executor(name: str, scheduler: str | None, is_stopped: Callable[[], bool]) -> Executor | None:
    if name == "local":
        if scheduler:
            raise click.UsageError("--scheduler goes with --executor dask")
        return None
    if not scheduler:
        raise click.UsageError("--executor dask needs --scheduler tcp://HOST:PORT")
    from enrich.executors.dask import DaskExecutor  # noqa: PLC0415  an extra, and slow to import

    made: Executor = DaskExecutor(scheduler, is_stopped)
    return made


@click.command()
@maybe_dataset_argument
@executor_option
@scheduler_option
@json_option
def once(dataset: str | None, *, executor: str, scheduler: str | None, as_json_: bool) -> None:
    """Enrich all that is stale now, idle or not, then exit; DATASET alone if it is named.

    Exits with 1 if it had to quarantine a record.
    """
    store, settings = open_worker_store()
    stop = stop_on_signals()
    with store.reading() as connection:
        found = [find_dataset(connection, dataset)] if dataset else all_datasets(connection)
        started = wall_seconds(connection)
    names = tuple(one.name for one in found) if dataset else ()
    progress = ProgressBar("enrich")
    hooks = WorkerHooks("enriches all that is stale")
    mine = _executor(executor, scheduler, stop.is_set)
    try:
        for name in due_analyses_of(store, settings, [one.name for one in found]):
            run_subcommand("survey", name)
        with working(store, settings, stop, mine, hooks) as worker, ExitStack() as runs:
            outcomes = [
                runs.enter_context(running(store, one.id, "once", worker.id)) for one in found
            ]
            counts = Counts(store)

            def advance(count: int) -> None:
                progress.advance(count)
                counts.publish()

            done = worker.enrich(names, wait=True, progress=advance)
            counts.publish(at_once=True)
            for outcome in outcomes:
                outcome.say("done", done)
    except Stopped:
        raise Interrupted from None
    finally:
        progress.end()
    with store.reading() as connection:
        refused, reason = quarantined_since(connection, started)
    if refused:
        raise EnricherError(
            f"enriched {done:,} records; {refused:,} of them lack a value and are quarantined,"
            f" the first because of {reason}; see: python -m enrich quarantine list"
        )
    click.echo(as_json({"records": done}) if as_json_ else f"enriched {done:,} records")


@click.command()
@click.option("--now", is_flag=True, help="Work whether the machine is idle or not.")
@executor_option
@scheduler_option
def run(*, now: bool, executor: str, scheduler: str | None) -> None:
    """Be a worker: enrich and train whenever the machine is idle, until SIGTERM."""
    store, settings = open_worker_store()
    stop = stop_on_signals()
    run_worker(
        store, settings, stop, WorkerOptions(now, _executor(executor, scheduler, stop.is_set))
    )


@click.command()
@json_option
def pause(*, as_json_: bool) -> None:
    """Let every worker of this store wait, within a second or two."""
    store, _ = open_worker_store()
    store.write(pause_workers)
    words = "every worker waits; go on with: python -m enrich resume"
    click.echo(as_json({"paused": True}) if as_json_ else words)


@click.command()
@json_option
def resume(*, as_json_: bool) -> None:
    """Let every worker of this store go on."""
    store, _ = open_worker_store()
    store.write(resume_workers)
    words = "every worker may go on when its gate opens"
    click.echo(as_json({"paused": False}) if as_json_ else words)
