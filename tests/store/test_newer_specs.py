"""Specs that a newer release has stored: they stop their own dataset alone."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from db.files.exporter import export_rows
from db.queue.fault import all_faults
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.worker.worker import working
from tests.conftest import notes_spec, register
from tests.inline import InlineExecutor

from .test_confinement import LENGTH, add
from .test_enrich import fill


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"type":"text"', '"type":"picture"', "needs a newer version of this code"),
        ('"kind":"classification"', '"kind":"ranking"', "needs a newer version of this code"),
        ("Length", "NotThereYet", "NotThereYet"),
        ('"fields":{', '"fields":null,"x":{', "is damaged"),
    ],
    ids=["field", "kind", "enricher", "null"],
)
def test_a_spec_of_a_newer_release_stops_its_dataset_alone(
    store: Store, settings: Settings, old: str, new: str, reason: str
) -> None:
    """The other dataset gets its values, and the reason is kept for everybody to see."""
    add(store, "newer", length=LENGTH)
    plain = register(store, notes_spec({"length": EnricherSpec(use=LENGTH.use)}))
    fill(store, plain, 30)
    with store.writing() as connection:
        spec = tables.dataset.c.spec
        of_newer = tables.dataset.c.name == "newer"
        text = connection.execute(select(spec).where(of_newer)).scalar_one()
        assert old in text
        connection.execute(
            update(tables.dataset).where(of_newer).values(spec=text.replace(old, new))
        )
    with working(store, settings, threading.Event(), InlineExecutor()) as worker:
        worker.enrich(on_error=lambda _name, _error: None)
    assert all("length" in row["enrichments"] for row in export_rows(store, plain))
    with store.reading() as connection:
        (fault,) = all_faults(connection)
    assert fault.dataset == "newer"
    assert reason in fault.reason
