"""The web process while its disk is full: it answers, and writes again once there is room."""

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
CANNOT = "unseen inputs cannot be written now"


class Disk(Protocol):
    """Where a server's store is."""

    folder: Path

    def fill(self, site: Site) -> None:
        """Leave no room at all."""

    def make_room(self, site: Site) -> None:
        """Let the server write again."""


@dataclass
class Mounted:
    """A file system of its own, which a large file fills to the last byte."""

    folder: Path

    def fill(self, _site: Site) -> None:
        """Write until it is refused, in ever smaller pieces."""
        with (self.folder / "filler").open("ab", buffering=0) as filler:
            for size in (2**16, 2**12, 1):
                try:
                    while filler.write(b"\0" * size):
                        pass
                except OSError:
                    continue
        assert shutil.disk_usage(self.folder).free == 0

    def make_room(self, _site: Site) -> None:
        """Remove what fills it."""
        (self.folder / "filler").unlink()


@dataclass
class Limited:
    """A process that may not write to any file, its log included: anybody may set such a limit."""

    folder: Path
    before: tuple[int, int] = field(default=(-1, -1))

    def fill(self, site: Site) -> None:
        """Refuse every byte."""
        pid = site.process.pid
        _, hard = self.before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    def make_room(self, site: Site) -> None:
        """Take the limit away."""
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, self.before)


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """Mount a small file system until the block's end; tells whether that is permitted here."""
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
    """Give a disk that can be full, in both ways."""
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
    """Give a server whose store is on that disk."""
    shutil.copytree(trained.parent, disk.folder, dirs_exist_ok=True)
    url, queue = f"sqlite:///{disk.folder / trained.name}", str(QUEUE_ENTRIES)
    with serving(url, tmp_path / "log.txt", QUEUE_ENTRIES=queue) as running:
        teach(running.store)
        yield running


@dataclass
class Crowd:
    """Asks what nobody has asked before, and keeps in mind what it was told."""

    site: Site
    queued: set[str] = field(default_factory=set)
    dropped: int = 0

    def ask(self, count: int) -> None:
        """Ask so many more; every one must be answered."""
        for _ in range(count):
            sentence = f"phrase inouïe {len(self.queued) + self.dropped} " + "très longue " * 40
            if self.site.predict(sentence)["enrichment"] == "queued":
                self.queued.add(sentence.strip())
            else:
                self.dropped += 1

    def written(self) -> bool:
        """Tell whether all that was taken has been written, and nothing else."""
        found = {row.inputs for row in self.site.records(origin="request")}
        return found == {f'{{"sentence":"{sentence}"}}' for sentence in self.queued}


def fill_up(site: Site, disk: Disk, crowd: Crowd) -> None:
    """Fill the disk, and what room the store has made for itself, too."""
    crowd.ask(1)
    until(crowd.written)
    disk.fill(site)

    def is_waiting() -> bool:
        crowd.ask(QUEUE_ENTRIES)
        # Where the store still has room, the queue is empty by then.
        time.sleep(2 * RETRY_SECONDS)
        is_full = isinstance(disk, Limited) or CANNOT in site.log.read_text()
        return is_full and figures(site)["veilleuse_unseen_queue_inputs", ""] > 0

    def is_dropped() -> bool:
        crowd.ask(QUEUE_ENTRIES)
        return crowd.dropped > 0

    until(is_waiting)
    until(is_dropped)


def test_on_a_full_disk_everything_is_answered_and_what_was_taken_is_written_later(
    site: Site, disk: Disk
) -> None:
    """What finds no room in the queue is counted, and said to be off."""
    crowd = Crowd(site)
    fill_up(site, disk, crowd)
    assert site.get("/readyz").status == 200
    assert site.predict(TAUGHT)["source"] == "teacher"
    assert not crowd.written()
    assert isinstance(disk, Limited) or CANNOT in site.log.read_text()
    assert figures(site)["veilleuse_unseen_queue_dropped", ""] == crowd.dropped
    disk.make_room(site)
    until(crowd.written)
    assert figures(site)["veilleuse_unseen_queue_inputs", ""] == 0
    crowd.ask(QUEUE_ENTRIES // 2)
    until(crowd.written)
    assert figures(site)["veilleuse_unseen_queue_dropped", ""] == crowd.dropped
    seen = site.get("/livez").headers["X-Request-Id"]
    until(lambda: seen in site.log.read_text())


def test_on_a_full_disk_records_are_refused_with_a_problem(site: Site, disk: Disk) -> None:
    """Whoever adds them comes again; once there is room they are taken."""
    disk.fill(site)
    batches = itertools.count()

    def add() -> Reply:
        number = next(batches)
        # Less than what is kept in a file until it has come.
        items = [{"sentence": f"ajoutée {number} {item} {'x' * 900}"} for item in range(50)]
        return site.post("/records/intents", items, API_KEY)

    # Until what room the store has made for itself is used up.
    (refused,) = until(lambda: [one for one in [add()] if one.status != 200])
    assert (refused.status, refused.content_type) == (503, "application/problem+json")
    assert site.get(PREDICT).status == 200
    disk.make_room(site)
    added = add()
    assert (added.status, added.json()["created"]) == (200, 50)


def test_a_body_for_which_there_is_no_room_is_refused(trained: Path, tmp_path: Path) -> None:
    """A large one waits in a file; once there is room again it is taken."""
    items = [{"sentence": f"ajoutée {item} {'x' * 900}"} for item in range(100)]
    disk = Limited(tmp_path)
    with serving_copy(trained, tmp_path / "own") as site:
        disk.fill(site)
        assert site.post("/records/intents", items, API_KEY).status == 503
        assert site.get(PREDICT).status == 200
        disk.make_room(site)
        assert site.post("/records/intents", items, API_KEY).json()["created"] == 100


def test_a_process_on_a_full_disk_ends_with_0(site: Site, disk: Disk) -> None:
    """What it cannot write it gives up, instead of waiting for room until it is killed."""
    fill_up(site, disk, Crowd(site))
    site.process.terminate()
    assert site.process.wait(PATIENCE_SECONDS) == 0


def test_a_store_that_was_on_a_full_disk_is_served_again(site: Site, disk: Disk) -> None:
    """Nothing that was written before is damaged."""
    crowd = Crowd(site)
    crowd.ask(10)
    until(crowd.written)
    before = site.record_count()
    fill_up(site, disk, crowd)
    site.process.terminate()
    assert site.process.wait(PATIENCE_SECONDS) == 0
    if isinstance(disk, Mounted):
        disk.make_room(site)
    with serving(site.url, site.log.with_name("again.txt")) as run_once:
        assert run_once.predict(TAUGHT)["source"] == "teacher"
        assert run_once.record_count() >= before
        assert run_once.get(PREDICT).status == 200
        until(lambda: run_once.records(inputs='{"sentence":"je cherche un vol pour Lisbonne"}'))
