"""When rows are due to be imported from a user's database, and predictions to be published.

A run that failed or was killed is repeated after the same time as one that succeeded.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from sqlalchemy import Connection

from db.queue.run_history import last_ended_at
from db.records.dataset import Dataset, all_datasets
from db.records.models.trained_model import active_model
from db.settings import Settings
from db.store.direct.clock import wall_seconds

MINUTE_SECONDS = 60.0


def import_due(connection: Connection, dataset: Dataset, _settings: Settings) -> str:
    """Return why the rows of a dataset's source are due, "" if they are not."""
    source = dataset.spec.source
    if source is None or not os.environ.get(source.url):
        return ""
    return _reason(connection, dataset.id, "import", source.every_minutes)


def publication_due(connection: Connection, dataset: Dataset, _settings: Settings) -> str:
    """Return why the predictions of a dataset are due to be published, "" if they are not."""
    publication = dataset.spec.publish
    if publication is None or not os.environ.get(publication.url):
        return ""
    if active_model(connection, dataset.id) is None:
        return ""
    return _reason(connection, dataset.id, "publish", publication.every_minutes)


def all_missing_variables(connection: Connection) -> set[tuple[str, str]]:
    """Return the datasets that need the URL of a database, each with the variable that is unset."""
    return {
        (dataset.name, section.url)
        for dataset in all_datasets(connection)
        for section in (dataset.spec.source, dataset.spec.publish)
        if section is not None and not os.environ.get(section.url)
    }


def _reason(connection: Connection, dataset_id: int, command: str, every_minutes: int) -> str:
    ended_at = last_ended_at(connection, dataset_id, command)
    if ended_at is None:
        return "it has not run yet"
    if wall_seconds(connection) < ended_at + MINUTE_SECONDS * every_minutes:
        return ""
    return f"it last ran at {datetime.fromtimestamp(ended_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
