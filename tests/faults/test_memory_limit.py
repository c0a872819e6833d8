"""A child that uses too much memory under a limit of its process, control group or container."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.chunk import MOST_ATTEMPTS
from db.queue.workers.worker_row import all_workers
from db.records.dataset import Dataset
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.enrichers.base import Row
from enrich.gate.machine.cgroup import Cgroup
from tests.conftest import ROOT, Done, command_environment, notes_spec, register
from tests.extent import on_store
from tests.processes import PATIENCE_SECONDS, wait_for
from tests.programs import require_image

MIB = 2**20
LIMIT_BYTES = 512 * MIB
HUNGER_BYTES = 2048 * MIB
PIECE_BYTES = 16 * MIB
NEIGHBOURS = 40
HUNGRY = "j'ai faim"
IMAGE = "docker.io/library/python:3.11-slim-bookworm"


class Hungry:
    """Return each sentence's length; one sentence makes it take memory until it is killed.

    With `limit_bytes` the process limits itself and kills itself at the limit. This imitates what
    a kernel does to a control group, on a machine where the test cannot make one.
    """

    version = "1"

    def __init__(self, limit_bytes: int = 0) -> None:
        if limit_bytes:
            resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        if any(row["sentence"] == HUNGRY for row in rows):
            eat(HUNGER_BYTES)
        return [len(row["sentence"]) for row in rows]


def eat(size: int) -> list[bytearray]:
    """Allocate memory and write to each page; kill this process where memory runs out."""
    try:
        return [bytearray(b"x" * PIECE_BYTES) for _ in range(size // PIECE_BYTES)]
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)
        raise


# Prints its readings of the machine's memory while it uses the given number of MiB itself.
LOOK = f"""
import json, os, sys
from enrich.gate.machine.cgroup import Cgroup
from enrich.gate.machine.memory import read_memory
from enrich.gate.machine.process_tree import anonymous_bytes
used = b"x" * (int(sys.argv[1]) * {MIB})
cgroup = Cgroup()
print(json.dumps({{
    "limits": [use.limit_bytes for use in cgroup.memory_use()],
    "share": read_memory(cgroup, 0),
    "without_own": read_memory(cgroup, anonymous_bytes([os.getpid()])),
}}))
"""


@contextmanager
def group(limit_bytes: int, around: Path | None = None) -> Iterator[Path]:
    """Make a control group with this much memory and no swap; raises OSError without the right."""
    levels = Cgroup().memory
    if not levels.folders:
        raise FileNotFoundError("this machine has no control groups for memory")
    folder = (around or levels.folders[-1]) / f"veilleuse-{uuid.uuid4().hex[:8]}"
    if levels.is_v2:
        (folder.parent / "cgroup.subtree_control").write_text("+memory", "ascii")
    names = V2 if levels.is_v2 else V1
    folder.mkdir()
    try:
        (folder / names.limit).write_text(str(limit_bytes), "ascii")
        if (folder / names.swap).exists():
            (folder / names.swap).write_text("0" if levels.is_v2 else str(limit_bytes), "ascii")
        yield folder
    finally:
        empty(folder)


@dataclass(frozen=True)
class Names:
    """The file names of a version of control groups."""

    limit: str
    swap: str
    events: str


V1 = Names("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control")
V2 = Names("memory.max", "memory.swap.max", "memory.events")


def empty(folder: Path) -> None:
    """Kill the processes that are left in a group, and remove the group."""

    def is_removed() -> bool:
        for pid in (folder / "cgroup.procs").read_text("ascii").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(OSError):
            folder.rmdir()
        return not folder.exists()

    wait_for(is_removed, lambda: f"{folder} cannot be removed")


def kills(folder: Path) -> int:
    """Return how many processes of a group the kernel has killed for lack of memory."""
    names = V1 if (folder / V1.events).exists() else V2
    words = (folder / names.events).read_text("ascii").split()
    return int(words[words.index("oom_kill") + 1])


def may_make_groups() -> bool:
    """Return whether this user can make control groups on this machine."""
    try:
        with group(LIMIT_BYTES):
            return True
    except OSError:
        return False


HAS_GROUPS = may_make_groups()


def require_groups() -> None:
    """Skip the test where control groups cannot be made."""
    if not HAS_GROUPS:
        pytest.skip("needs control groups that it may make: run the tests as root")


@dataclass(frozen=True)
class Place:
    """An environment with little memory; `prefix` runs a command in it."""

    prefix: tuple[str, ...] = ()
    folder: Path | None = None
    python: str = sys.executable
    limit_bytes: int = 0

    def run(self, url: str, *arguments: str) -> Done:
        """Run Python in this environment until it ends."""
        done = subprocess.run(
            [*self.prefix, self.python, *arguments],
            cwd=ROOT,
            env=command_environment(url),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def within(folder: Path) -> Place:
    """Return the place that runs commands in a control group."""
    return Place(("sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', str(folder)), folder)


@contextmanager
def container(url: str, folder: Path) -> Iterator[Place]:
    """Yield a container that can read the project and its packages, and write to one folder."""
    name = f"veilleuse-{uuid.uuid4().hex[:8]}"
    packages = sysconfig.get_path("platlib")
    sockets = make_url(url).query.get("host")
    volumes = [f"{ROOT}:{ROOT}:ro", f"{packages}:{packages}:ro", f"{folder}:{folder}"]
    if sockets:
        volumes.append(f"{sockets}:{sockets}")
    environment = {
        "DATABASE_URL": url,
        "CODE_PATHS": "datasets,tests",
        "PYTHONPATH": os.pathsep.join((packages, os.environ.get("PYTHONPATH", ""))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    prefix = (
        # When the kernel kills it, the container's monitor leaves a file in its working directory.
        *("env", f"--chdir={folder}", "podman", "run", "--rm", "--name", name, "--network", "none"),
        *("--memory", str(LIMIT_BYTES), "--memory-swap", str(LIMIT_BYTES)),
        *(word for volume in volumes for word in ("-v", volume)),
        *(word for pair in environment.items() for word in ("-e", "=".join(pair))),
        *("-w", str(ROOT), IMAGE),
    )
    try:
        yield Place(prefix, python="python3")
    finally:
        subprocess.run(["podman", "rm", "--force", "--ignore", name], check=True)


# process: only a limit of the process, so that the test is useful on any Linux.
# group: a control group; inner and outer: two nested groups, of which the named one is smaller.
PLACES = ["process", "group", "inner", "outer", "container"]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Place]:
    """Yield each place with little memory in turn."""
    with ExitStack() as stack:
        yield make_place(stack, request.param, database_url, tmp_path)


def make_place(stack: ExitStack, kind: str, url: str, folder: Path) -> Place:
    """Return a place that lasts until the stack is closed."""
    if kind == "process":
        return Place(limit_bytes=LIMIT_BYTES)
    if kind == "container":
        require_image(IMAGE)
        return stack.enter_context(container(url, folder))
    require_groups()
    if kind == "group":
        return within(stack.enter_context(group(LIMIT_BYTES)))
    sizes = (2 * LIMIT_BYTES, LIMIT_BYTES) if kind == "inner" else (LIMIT_BYTES, 2 * LIMIT_BYTES)
    around = stack.enter_context(group(sizes[0]))
    return within(stack.enter_context(group(sizes[1], around)))


def fill(store: Store, limit_bytes: int, *texts: str) -> Dataset:
    """Make a dataset of these sentences and many harmless ones."""
    use, config = f"{__name__}.Hungry", {"limit_bytes": limit_bytes}
    spec = notes_spec({"hungry": EnricherSpec(use=use, config=config)})
    dataset = register(store, spec)
    rows = []
    for text in (*texts, *(f"rien du tout {number}" for number in range(NEIGHBOURS))):
        inputs = dataset.spec.read_inputs({"sentence": text})
        rows.append(NewRow(dataset.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return dataset


def lacking(store: Store, dataset: Dataset) -> list[str]:
    """Return the sentences that lack their value."""
    rows = list(export_rows(store, dataset))
    texts = [(row["inputs"]["sentence"], row["enrichments"].get("hungry")) for row in rows]
    return [text for text, value in texts if value != len(text)]


@on_store("sqlite")
def test_a_child_that_eats_memory_dies_and_its_worker_lives(
    store: Store, database_url: str, place: Place
) -> None:
    """The record is quarantined, and the other records are enriched."""
    dataset = fill(store, place.limit_bytes, HUNGRY)
    done = place.run(database_url, "-m", "enrich", "once")
    assert done.code == 1, done.err
    assert "1 of them lack a value and are quarantined" in done.err
    assert "the compute child died with exit code -9" in done.err
    assert lacking(store, dataset) == [HUNGRY]
    if place.folder is not None:
        assert kills(place.folder if kills(place.folder) else place.folder.parent) >= MOST_ATTEMPTS


def test_memory_is_read_within_the_nearest_limit(database_url: str, place: Place) -> None:
    """A nearly full container is not mistaken for the large host on which it runs."""
    done = place.run(database_url, "-c", LOOK, str(LIMIT_BYTES // MIB // 2))
    assert done.code == 0, done.err
    seen = json.loads(done.out)
    if place.limit_bytes:
        # A limit of one process is not a limit of a control group.
        assert LIMIT_BYTES not in seen["limits"]
        return
    assert LIMIT_BYTES in seen["limits"]
    assert 0.2 < seen["share"] < 0.5
    assert 0.7 < seen["without_own"] <= 1


@contextmanager
def started(
    place: Place, url: str, *arguments: str, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python in a place, and kill it at the end of the block."""
    with subprocess.Popen(
        [*place.prefix, place.python, *arguments],
        cwd=ROOT,
        env=command_environment(url, **more),
        stdin=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def reasons(store: Store) -> list[str]:
    """Return the reason that each worker reports for its gate."""
    with store.reading() as connection:
        return [worker.reason for worker in all_workers(connection)]


# Leaves about a quarter of the group's memory free, while the host has plenty.
HOG = f"import sys; x = b'x' * {350 * MIB}; open(sys.argv[1], 'w'); input()"
GATE = {
    "GATE_OPEN_CORES": "1024",
    "GATE_CLOSE_CORES": "1024",
    "GATE_OPEN_SECONDS": "0",
    "GATE_CLOSED_SECONDS": "0",
    "GATE_OPEN_MEMORY": "0.4",
    "GATE_CLOSE_MEMORY": "0.35",
    "GATE_PRESSURE": "1",
}


def test_a_worker_waits_while_others_fill_its_group(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """It works once they have ended, although the host had free memory all the time."""
    require_groups()
    dataset = fill(store, 0)
    full = tmp_path / "full"
    with group(LIMIT_BYTES) as folder, ExitStack() as stack:
        place = within(folder)
        hog = stack.enter_context(started(place, database_url, "-c", HOG, str(full)))
        wait_for(full.exists)
        with started(place, database_url, "-m", "enrich", "run", **GATE) as running:
            wait_for(lambda: any("of the memory free" in reason for reason in reasons(store)))
            assert len(lacking(store, dataset)) == NEIGHBOURS
            hog.kill()
            hog.wait()
            wait_for(lambda: not lacking(store, dataset))
            running.terminate()
            assert running.wait(PATIENCE_SECONDS) == 0
