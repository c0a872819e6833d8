"""The runs that failed: commands that ended with an error, or whose process was killed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from db.store.direct.clock import wall_seconds
from db.store.direct.statement import Statement, StoreConnection

from .workers.worker_row import SILENT_SECONDS

FAILED = "failed"

# Runs with their workers, which are removed once their processes are known to have ended.
RUNS = "{schema}run r LEFT JOIN {schema}worker w ON w.id = r.worker_id"
# When a run ended; for one that was killed, the last sign of life of its worker.
ENDED_AT = "COALESCE(r.ended_at, w.seen_at, r.started_at)"

_SELECT = (
    f"SELECT d.name, r.command, r.started_at, {ENDED_AT}, r.records, r.outcome"  # noqa: S608
    f" FROM {RUNS} JOIN {{schema}}dataset d ON d.id = r.dataset_id"
)
_HAS_FAILED = f"(r.outcome = '{FAILED}' OR substr(r.outcome, 1, 7) = '{FAILED}:')"
_IS_LATEST = "r.id IN (SELECT max(id) FROM {schema}run GROUP BY dataset_id, command)"
_failed = Statement(f"{_SELECT} WHERE {_HAS_FAILED} ORDER BY r.id DESC LIMIT {{}}")
_latest_failed = Statement(f"{_SELECT} WHERE {_IS_LATEST} AND {_HAS_FAILED}")
_latest_killed = Statement(
    f"{_SELECT} WHERE {_IS_LATEST} AND r.ended_at IS NULL"
    " AND (w.id IS NULL OR w.seen_at NOT BETWEEN {} AND {})"
)
_KILLED = "its process was killed, or its machine stopped"


@dataclass(frozen=True)
class Run:
    """A run that has ended, or whose worker has."""

    dataset: str
    command: str
    started_at: float
    ended_at: float
    records: int
    outcome: str

    @property
    def reason(self) -> str:
        """Why the run failed, "" if that is not known."""
        return self.outcome.removeprefix(FAILED).removeprefix(": ")


def failed_runs(connection: StoreConnection, limit: int) -> list[Run]:
    """Return the latest failed runs, at most `limit`, the latest first."""
    return [Run(*row) for row in _failed.rows(connection, limit)]


def unrepaired_runs(connection: StoreConnection) -> list[Run]:
    """Return the latest run of each command on each dataset if it failed or its worker died.

    They are sorted by dataset and command.
    """
    now = wall_seconds(connection)
    alive = now - SILENT_SECONDS, now + SILENT_SECONDS
    runs = [Run(*row) for row in _latest_failed.rows(connection)]
    killed = [Run(*row) for row in _latest_killed.rows(connection, *alive)]
    runs += [replace(run, outcome=f"{FAILED}: {_KILLED}") for run in killed]
    return sorted(runs, key=lambda run: (run.dataset, run.command))
