"""A rehearsal of a deployment to a platform, under load: make rehearse.

It does what Heroku does: the release phase, then web and worker by honcho from the Procfile with a
postgres:// address, PORT and WEB_CONCURRENCY=2, and a router before them. While people ask, it
rolls back to the code of an earlier commit on the new schema, and goes forward again; processes
start before the router turns to them, and those before get SIGTERM. Each may hold 512 MiB.

Exit code 0: no request was lost and all kept within their limits; 1: not so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmark.target.nginx import configure, nginx_command, running_nginx
from benchmark.target.postgres import running_postgres
from benchmark.target.resource_meter import ResourceMeter

from .options import REPORTS
from .processes import (
    ROOT,
    answers,
    children,
    end_on_sigterm,
    free_port,
    run_to_end,
    running_command,
    tree_mebibytes,
    wait_until,
)
from .text_table import table

SCENARIO = ("--scenario", "unseen", "--time", "60s", "--objective", "errors <= 0 in 10000")
PROCESSES = ("web", "worker")
LIMIT_MIB = 512
# What the platform kills after, and what it leaves each version before the next comes.
STOP_SECONDS = 30.0
PAUSE_SECONDS = 12.0
BINARIES = Path(sys.executable).parent


@dataclass
class Formation:
    """The processes of one version, from their start to their end."""

    name: str
    code: Path
    port: int
    log: Path
    environment: dict[str, str]
    mebibytes: dict[str, float] = field(default_factory=dict)
    stop_seconds: float = 0.0
    left: int = 0
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def is_well(self) -> bool:
        """Whether its processes kept within their memory, and all ended in time."""
        held = [self.mebibytes.get(name, 0.0) for name in PROCESSES]
        return all(0 < one <= LIMIT_MIB for one in held) and not self.left

    def start(self) -> None:
        """Start web and worker, and go on once they serve."""
        command = [str(BINARIES / "honcho"), "start", "--app-root", str(self.code)]
        command += ["--procfile", str(self.code / "Procfile"), "--port", str(self.port)]
        with self.log.open("wb") as log:
            running = running_command(
                self.environment, [*command, *PROCESSES], log.fileno(), self.code
            )
            self._running.enter_context(running)
        wait_until(self.name, lambda: answers(self.port, "/readyz"))
        self._running.enter_context(ResourceMeter(self._note_memory))

    def end(self) -> None:
        """Send all processes SIGTERM, as a platform does, and wait until the last has ended."""
        family = [
            pid for top in _told(self.log, "started (pid=").values() for pid in _tree(int(top))
        ]
        began = time.monotonic()
        self.close()
        while (left := [pid for pid in family if Path(f"/proc/{pid}").exists()]) and (
            time.monotonic() - began <= STOP_SECONDS
        ):
            time.sleep(0.05)
        self.stop_seconds, self.left = time.monotonic() - began, len(left)

    def close(self) -> None:
        """Leave nothing running, whether it has ended or never started."""
        self._running.close()

    def _note_memory(self) -> None:
        """Note the most that each process held."""
        for name, pid in _told(self.log, "started (pid=").items():
            # Not there yet, or no more.
            with suppress(OSError):
                held = tree_mebibytes(int(pid))
                self.mebibytes[name] = max(held, self.mebibytes.get(name, 0.0))


def _tree(pid: int) -> list[int]:
    """Return a process and all that it started."""
    with suppress(OSError):
        return [pid, *(one for child in children(pid) for one in _tree(child))]
    return []


def _told(log: Path, words: str) -> dict[str, str]:
    """Return what honcho said of each process: "12:00:00 system | web.1 started (pid=42)"."""
    found = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        if "system" in line and words in line:
            before, _, after = line.partition(words)
            found[before.split()[-1].partition(".")[0]] = after.split(")")[0]
    return found


class Router:
    """nginx before whichever version is to be asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()

    def running(self, first: int) -> AbstractContextManager[None]:
        """Route to a port for as long as the block does."""
        return running_nginx(self._folder, self.port, first)

    def turn_to(self, port: int) -> None:
        """Send what comes from now on to another port."""
        config = configure(self._folder, self.port, port)
        subprocess.run([*nginx_command(config), "-s", "reload"], check=True)  # noqa: S603
        # Until nginx has started the workers that know it.
        time.sleep(1)


def run_line(line: str, code: Path, environment: dict[str, str]) -> None:
    """Run a line of a Procfile to its end, as a platform does."""
    run_to_end(line, ["/bin/bash", "-c", line], environment, code)


def release_line(code: Path) -> str:
    """Return what the Procfile does before a version starts."""
    lines = (code / "Procfile").read_text("utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("release:"))


def check_out(commit: str, folder: Path) -> Path:
    """Write the code of a commit into a folder."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(archive), commit], check=True)  # noqa: S603, S607
    shutil.unpack_archive(archive, folder, filter="data")
    return folder


def rehearse(back: str, folder: Path, url: str) -> int:
    """Deploy, roll back and go forward again under load; returns an exit code."""
    path = f"{BINARIES}:{os.environ['PATH']}"
    environment = {**os.environ, "DATABASE_URL": url, "WEB_CONCURRENCY": "2", "PATH": path}
    versions = {"this version": ROOT, back: check_out(back, folder / "back"), "forward again": ROOT}
    formations = [
        Formation(name, code, free_port(), folder / f"{number}.log", environment)
        for number, (name, code) in enumerate(versions.items())
    ]
    run_line(release_line(ROOT), ROOT, environment)
    run_line("sh deploy/samples.sh", ROOT, environment)
    try:
        return _say(formations, deploy(formations, Router(folder), REPORTS / "rehearsal"))
    finally:
        for one in formations:
            one.close()


def deploy(formations: list[Formation], router: Router, out: Path) -> int:
    """Put one version in the place of the other while people ask; returns their verdict's code."""
    formations[0].start()
    command = [str(ROOT / "benchmark/run.sh"), "--host", f"http://127.0.0.1:{router.port}"]
    command += [*SCENARIO, "--out", str(out)]
    with (
        router.running(formations[0].port),
        running_command(os.environ.copy(), command, sys.stdout.fileno()) as load,
    ):
        for before, after in pairwise(formations):
            time.sleep(PAUSE_SECONDS)
            # A rollback has no release phase: the schema stays.
            if after.code == ROOT:
                run_line(release_line(ROOT), ROOT, after.environment)
            after.start()
            router.turn_to(after.port)
            before.end()
        code = load.wait()
        formations[-1].end()
    return code


def _say(formations: list[Formation], code: int) -> int:
    rows: list[tuple[str, ...]] = [("version", *PROCESSES, "ended in", "left")]
    rows += [
        (
            one.name,
            *(f"{one.mebibytes.get(name, 0):.0f} MiB" for name in PROCESSES),
            f"{one.stop_seconds:.1f} s",
            str(one.left),
        )
        for one in formations
    ]
    good = not code and all(one.is_well for one in formations)
    print(f"{'PASS' if good else 'FAIL'}  rehearsal: at most {LIMIT_MIB} MiB each\n{table(rows)}")
    return 0 if good else 1


def main() -> int:
    """Rehearse."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.deploy_drill")
    parser.add_argument("--back", default="HEAD~1", help="the commit to roll back to")
    given = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory() as name, running_postgres() as url:
        # As the platform writes it.
        return rehearse(given.back, Path(name), url.replace("postgresql://", "postgres://", 1))


if __name__ == "__main__":
    sys.exit(main())
