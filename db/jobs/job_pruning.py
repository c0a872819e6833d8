"""Delete old jobs with their files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import and_, or_, select

from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.store import Store, let_others_write

from .job import RECEIVING, delete_job

KEEP_SECONDS = 7 * 86_400.0
# A file that is still coming after this time never ends: its web process was killed.
RECEIVE_SECONDS = 3600.0


def prune_jobs(store: Store, may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete the jobs that ended seven days ago, and uploads that broke off; return how many.

    It ends between two jobs once `may_go_on` returns False.
    """
    with store.reading() as connection:
        now = wall_seconds(connection)
        is_old = tables.job.c.ended_at < now - KEEP_SECONDS
        is_broken = and_(
            tables.job.c.state == RECEIVING, tables.job.c.seen_at < now - RECEIVE_SECONDS
        )
        query = select(tables.job.c.id).where(or_(is_old, is_broken)).order_by(tables.job.c.id)
        due = list(connection.execute(query).scalars())
    done = 0
    for job_id in due:
        if not may_go_on():
            break
        done += store.write(partial(delete_job, job_id=job_id))
        let_others_write()
    return done
