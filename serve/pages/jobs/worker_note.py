"""Why no worker does what waits, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from db.queue.workers.pause import paused_at
from db.queue.workers.worker_row import WorkerRow, all_workers
from db.store.direct.clock import wall_seconds
from serve.pages.language.translation import gettext as _


@dataclass(frozen=True)
class WorkerNote:
    """A sentence on the workers, and the command that helps."""

    sentence: str
    command: str


def read_worker_note(connection: Connection) -> WorkerNote | None:
    """Return why jobs wait, None if a worker takes them."""
    now = wall_seconds(connection)
    living = [worker for worker in all_workers(connection) if worker.lives(now)]
    return worker_note(living, is_paused=paused_at(connection) is not None)


def worker_note(living: list[WorkerRow], *, is_paused: bool) -> WorkerNote | None:
    """Return why no worker works, None if one does."""
    if not living:
        sentence = _("No worker is running, so nothing is done. Start one on any machine:")
        return WorkerNote(sentence, "python -m enrich run")
    if is_paused:
        sentence = _("All workers are paused. Let them work again:")
        return WorkerNote(sentence, "python -m enrich resume")
    if any(worker.state == "open" for worker in living):
        return None
    reason = next((worker.reason for worker in living if worker.reason), "")
    sentence = _(
        "The workers wait until their machines are idle ({reason}), and begin by themselves. To"
        " work at once, whatever else runs, start a worker that does not wait:"
    ).format(reason=reason or _("the reason is not known yet"))
    return WorkerNote(sentence, "python -m enrich run --now")
