"""The load that web processes report to workers, and metrics about workers."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from db.queue.coverage import write_counts
from db.queue.workers.pause import pause_workers, resume_workers
from db.queue.workers.worker_registry import WorkerReport, record_heartbeat, register_worker
from db.records.dataset import find_dataset
from db.store import tables
from db.store.store import Store
from db.traffic.web_load import read_load
from tests.processes import PATIENCE_SECONDS

from .conftest import Site, until


def metric(site: Site, name: str, **labels: str) -> float | None:
    """Return a sample of /metrics, or None if it is missing."""
    for family in text_string_to_metric_families(site.get("/metrics").body.decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def reporting_processes(store: Store) -> int:
    """Count the web processes that report their load."""
    with store.reading() as connection:
        return len(connection.execute(tables.web_signal.select()).all())


def test_a_web_process_reports_its_load_while_there_is_some(own_site: Site) -> None:
    """Workers read it within a second or two."""

    def load_after_a_request() -> bool:
        own_site.get("/livez")
        with own_site.store.reading() as connection:
            load = read_load(connection)
        return load is not None and load.requests_per_second > 0 and load.p95_seconds > 0

    assert until(load_after_a_request)
    assert reporting_processes(own_site.store) == 1


def test_a_web_process_that_ends_removes_its_load(own_site: Site) -> None:
    """Workers must not wait for a load that has ended."""

    def has_reported() -> bool:
        own_site.get("/livez")
        return reporting_processes(own_site.store) == 1

    until(has_reported)
    own_site.process.terminate()
    own_site.process.wait(PATIENCE_SECONDS)
    assert reporting_processes(own_site.store) == 0


def test_metrics_of_workers_are_served_by_the_web_process(own_site: Site) -> None:
    """Prometheus then needs only one address."""
    reason = "other programs use 1.40 CPU cores (starts below 0.3)"
    report = WorkerReport("suspended", 0.0, reason, 500, 25.0, 0.75)
    with own_site.store.writing() as connection:
        worker_id = register_worker(connection)
        record_heartbeat(connection, worker_id, report)
        dataset = find_dataset(connection, "intents")
        write_counts(connection, dataset.id, 1810, {"language": 1810, "embedding": 310})
    assert metric(own_site, "veilleuse_workers", gate="suspended") == 1
    assert metric(own_site, "veilleuse_workers", gate="open") == 0
    assert metric(own_site, "veilleuse_worker_rate", worker=str(worker_id)) == 25
    assert metric(own_site, "veilleuse_worker_open_share", worker=str(worker_id)) == 0.75
    assert metric(own_site, "veilleuse_worker_records", worker=str(worker_id)) == 500
    labels = {"dataset": "intents", "enricher": "embedding"}
    assert metric(own_site, "veilleuse_fresh_records", **labels) == 310
    assert metric(own_site, "veilleuse_backlog_records", **labels) == 1500
    assert (metric(own_site, "veilleuse_counted_timestamp_seconds", **labels) or 0) > 1.7e9


def test_a_pause_is_a_metric(own_site: Site) -> None:
    """An alert can report a pause that somebody forgot."""
    assert metric(own_site, "veilleuse_workers_paused") == 0
    own_site.store.write(pause_workers)
    assert metric(own_site, "veilleuse_workers_paused") == 1
    own_site.store.write(resume_workers)
    assert metric(own_site, "veilleuse_workers_paused") == 0


def test_every_metric_of_the_workers_is_documented(own_site: Site) -> None:
    """The docs name no other metrics of workers."""
    from tests.test_docs import PAGES  # noqa: PLC0415  the import reads the pages

    text = own_site.get("/metrics").body.decode()
    names = set(
        re.findall(
            r"^# TYPE (veilleuse_(?:worker|backlog_rec|fresh|counted|dataset_fault)\w*)",
            text,
            re.MULTILINE,
        )
    )
    assert names == set(re.findall(r"`(veilleuse_\w+)`", PAGES["workers.md"]))
