"""The web process on a full disk: it answers, and writes again once there is space."""

from __future__ import annotations

import itertools
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from serve.prediction.request_recorder import RETRY_SECONDS
from tests.integration.answers import TAUGHT, teach
from tests.integration.clients import PREDICT
from tests.integration.conftest import API_KEY, Reply, Site, serving, serving_copy, until
from tests.integration.test_overload import figures
from tests.processes import PATIENCE_SECONDS

DISK_MIB = 24
QUEUE_ENTRIES = 50
CANNOT_WRITE = "unseen inputs cannot be written now"


class Disk(Protocol):
    """The folder of a server's store, on a disk that can be filled."""

    folder: Path

    def fill(self, site: Site) -> None:
        """Leave no free space."""

    def make_room(self, site: Site) -> None:
        """Free space so that the server can write again."""


@dataclass
class Mounted:
    """A separate file system, which one large file fills to the last byte."""

    folder: Path

    def fill(self, _site: Site) -> None:
        """Write ever smaller pieces until each size is refused."""
        with (self.folder / "filler").open("ab", buffering=0) as filler:
            for size in (2**16, 2**12, 1):
                try:
                    while filler.write(b"\0" * size):
                        pass
                except OSError:
                    continue
        assert shutil.disk_usage(self.folder).free == 0

    def make_room(self, _site: Site) -> None:
        """Remove the file that fills the disk."""
        (self.folder / "filler").unlink()


@dataclass
class Limited:
    """A file size limit of zero on the server process; setting it needs no special rights."""

    folder: Path
    before: tuple[int, int] = field(default=(-1, -1))

    def fill(self, site: Site) -> None:
        """Forbid the server to write to any file, including its log."""
        pid = site.process.pid
        _, hard = self.before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    def make_room(self, site: Site) -> None:
        """Restore the previous limit."""
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, self.before)


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """Mount a small file system for the block; yields whether mounting is permitted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    is_mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(params=["mounted", "limited"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Yield a disk that can be filled: a small file system or a limited process."""
    folder = tmp_path / "disk"
    with ExitStack() as stack:
        if request.param == "limited":
            yield Limited(folder)
        elif stack.enter_context(mounted(folder)):
            yield Mounted(folder)
        else:
            pytest.skip("needs the right to mount a file system: run the tests as root")


@pytest.fixture
def site(trained: Path, disk: Disk, tmp_path: Path) -> Iterator[Site]:
    """Yield a server whose store is on that disk."""
    shutil.copytree(trained.parent, disk.folder, dirs_exist_ok=True)
    url, queue = f"sqlite:///{disk.folder / trained.name}", str(QUEUE_ENTRIES)
    with serving(url, tmp_path / "log.txt", QUEUE_ENTRIES=queue) as running:
        teach(running.store)
        yield running


@dataclass
class NewInputs:
    """Sends unseen inputs, and records which were queued and how many were dropped."""

    site: Site
    queued: set[str] = field(default_factory=set)
    dropped: int = 0

    def ask(self, count: int) -> None:
        """Ask for predictions of new inputs; every one must be answered."""
        for _ in range(count):
            sentence = f"phrase inouïe {len(self.queued) + self.dropped} " + "très longue " * 40
            if self.site.predict(sentence)["enrichment"] == "queued":
                self.queued.add(sentence.strip())
            else:
                self.dropped += 1

    def written(self) -> bool:
        """Return whether exactly the queued inputs are in the store."""
        found = {row.inputs for row in self.site.records(origin="request")}
        return found == {f'{{"sentence":"{sentence}"}}' for sentence in self.queued}


def fill_up(site: Site, disk: Disk, new_inputs: NewInputs) -> None:
    """Fill the disk, and then the space that the store had already reserved."""
    new_inputs.ask(1)
    until(new_inputs.written)
    disk.fill(site)

    def is_waiting() -> bool:
        new_inputs.ask(QUEUE_ENTRIES)
        # While the store still has space, the queue is empty after this time.
        time.sleep(2 * RETRY_SECONDS)
        is_full = isinstance(disk, Limited) or CANNOT_WRITE in site.log.read_text()
        return is_full and figures(site)["veilleuse_unseen_queue_inputs", ""] > 0

    def is_dropped() -> bool:
        new_inputs.ask(QUEUE_ENTRIES)
        return new_inputs.dropped > 0

    until(is_waiting)
    until(is_dropped)


def test_on_a_full_disk_every_request_is_answered_and_queued_inputs_are_written_later(
    site: Site, disk: Disk
) -> None:
    """An input that does not fit in the queue is counted and reported as dropped."""
    new_inputs = NewInputs(site)
    fill_up(site, disk, new_inputs)
    assert site.get("/readyz").status == 200
    assert site.predict(TAUGHT)["source"] == "teacher"
    assert not new_inputs.written()
    assert isinstance(disk, Limited) or CANNOT_WRITE in site.log.read_text()
    assert figures(site)["veilleuse_unseen_queue_dropped", ""] == new_inputs.dropped
    disk.make_room(site)
    until(new_inputs.written)
    assert figures(site)["veilleuse_unseen_queue_inputs", ""] == 0
    new_inputs.ask(QUEUE_ENTRIES // 2)
    until(new_inputs.written)
    assert figures(site)["veilleuse_unseen_queue_dropped", ""] == new_inputs.dropped
    request_id = site.get("/livez").headers["X-Request-Id"]
    until(lambda: request_id in site.log.read_text())


def test_on_a_full_disk_added_records_are_refused_with_a_problem_response(
    site: Site, disk: Disk
) -> None:
    """The client tries again later; once there is space the records are added."""
    disk.fill(site)
    batches = itertools.count()

    def add() -> Reply:
        number = next(batches)
        # Small enough that the server buffers the body in memory and not in a file.
        items = [{"sentence": f"ajoutée {number} {item} {'x' * 900}"} for item in range(50)]
        return site.post("/records/intents", items, API_KEY)

    # The first requests may still fit into the space that the store had reserved.
    (refused,) = until(lambda: [reply for reply in [add()] if reply.status != 200])
    assert (refused.status, refused.content_type) == (503, "application/problem+json")
    assert site.get(PREDICT).status == 200
    disk.make_room(site)
    added = add()
    assert (added.status, added.json()["added"]) == (200, 50)


def test_a_request_body_that_does_not_fit_on_the_disk_is_refused(
    trained: Path, tmp_path: Path
) -> None:
    """A large body is buffered in a file; once there is space again it is accepted."""
    items = [{"sentence": f"ajoutée {item} {'x' * 900}"} for item in range(100)]
    disk = Limited(tmp_path)
    with serving_copy(trained, tmp_path / "own") as site:
        disk.fill(site)
        assert site.post("/records/intents", items, API_KEY).status == 503
        assert site.get(PREDICT).status == 200
        disk.make_room(site)
        assert site.post("/records/intents", items, API_KEY).json()["added"] == 100


def test_a_process_on_a_full_disk_exits_with_code_0(site: Site, disk: Disk) -> None:
    """It discards what it cannot write, instead of waiting for space until it is killed."""
    fill_up(site, disk, NewInputs(site))
    site.process.terminate()
    assert site.process.wait(PATIENCE_SECONDS) == 0


def test_a_store_that_was_on_a_full_disk_is_served_again(site: Site, disk: Disk) -> None:
    """Records that were written before the disk was full are undamaged."""
    new_inputs = NewInputs(site)
    new_inputs.ask(10)
    until(new_inputs.written)
    before = site.record_count()
    fill_up(site, disk, new_inputs)
    site.process.terminate()
    assert site.process.wait(PATIENCE_SECONDS) == 0
    if isinstance(disk, Mounted):
        disk.make_room(site)
    with serving(site.url, site.log.with_name("again.txt")) as restarted:
        assert restarted.predict(TAUGHT)["source"] == "teacher"
        assert restarted.record_count() >= before
        assert restarted.get(PREDICT).status == 200
        until(lambda: restarted.records(inputs='{"sentence":"je cherche un vol pour Lisbonne"}'))
