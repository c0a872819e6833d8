"""The long-running worker: APScheduler ticks, a pass each, and training when it is due."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from db.dataset import all_datasets
from db.errors import VeilleuseError
from db.run import is_running
from db.settings import Settings
from db.store import Store

from .executor import Stopped
from .gate import closed_because, read_machine
from .upkeep import training_due
from .worker import Worker, working

TICK_SECONDS = 5
# Between chunks the machine is read no more often than this: a reading takes half a second.
READ_SECONDS = 5.0
POLL_SECONDS = 0.2
TERMINATE_SECONDS = 3

log = logging.getLogger("veilleuse.worker")


def run_worker(store: Store, settings: Settings, stop: threading.Event, *, now: bool) -> None:
    """Work whenever the machine is idle until `stop` is set; with `now`, idle or not."""
    with working(store, settings, stop) as worker:
        shift = _Shift(store, settings, stop, worker, now=now)
        # A pass may well take longer than a tick; that is no reason to warn.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        scheduler = BackgroundScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        at_once = datetime.now(UTC)
        scheduler.add_job(shift.tick, "interval", seconds=TICK_SECONDS, next_run_time=at_once)
        scheduler.start()
        log.info("worker %s has started", worker.id)
        stop.wait()
        scheduler.shutdown(wait=True)
    log.info("worker has ended")


def _tell(what: str, error: Exception) -> None:
    log.warning("%s failed: %s", what, " ".join(str(error).split()))


class _Shift:
    """What one worker does at each tick."""

    def __init__(
        self, store: Store, settings: Settings, stop: threading.Event, worker: Worker, *, now: bool
    ) -> None:
        self._store = store
        self._settings = settings
        self._stop = stop
        self._worker = worker
        self._now = now
        self._reason: str | None = None
        self._read_at = -READ_SECONDS
        self._not_before: dict[str, str] = {}

    def tick(self) -> None:
        """Enrich, then train; whatever goes wrong is logged, and the next tick tries again."""
        try:
            done = self._worker.enrich(may_work=self._may_work, on_error=_tell)
            if done:
                log.info("enriched %s records", f"{done:,}")
            self._train()
        except Stopped:
            pass
        except (VeilleuseError, SQLAlchemyError) as error:
            _tell("this pass", error)

    def _may_work(self) -> bool:
        if self._stop.is_set():
            return False
        if time.monotonic() - self._read_at >= READ_SECONDS:
            self._look()
        return not self._reason

    def _look(self) -> None:
        """Read the machine, which takes a moment, and tell when that has changed something."""
        reason = "" if self._now else closed_because(read_machine())
        self._read_at = time.monotonic()
        if self._reason is None or bool(reason) != bool(self._reason):
            log.info("%s", f"waiting: {reason}" if reason else "the machine is idle")
        self._reason = reason
        self._worker.say("waiting" if reason else "working", reason)

    def _train(self) -> None:
        with self._store.reading() as connection:
            due = [
                (found.name, reason)
                for found in all_datasets(connection)
                if not is_running(connection, found.id, "train")
                and (reason := training_due(connection, found, self._settings))
            ]
        for name, reason in due:
            # What failed is tried again when the reason has changed, not at every tick.
            if self._not_before.get(name) == reason or not self._may_work():
                continue
            log.info("training %s: %s", name, reason)
            if self._run_training(name) != 0:
                self._not_before[name] = reason

    def _run_training(self, name: str) -> int:
        """Train in a process of its own, at the lowest priority; end it when the worker ends."""
        command = [sys.executable, "-m", "enrich", "train", name]
        with subprocess.Popen(["nice", "-n", "19", *command]) as training:  # noqa: S603, S607
            while training.poll() is None:
                if self._stop.wait(POLL_SECONDS):
                    training.terminate()
                    try:
                        training.wait(TERMINATE_SECONDS)
                    except subprocess.TimeoutExpired:
                        training.kill()
            return training.returncode
