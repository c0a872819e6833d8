"""Test a deployment to a platform under load: make rehearse.

It does what Heroku does: run the release phase, start web and worker from the Procfile with honcho,
a postgres:// address, PORT and WEB_CONCURRENCY=2, and put a router in front of them. The code of an
earlier commit makes the store. While a load runs, this version takes its place, the earlier one
returns on the new schema, and this one comes again. At each change both versions work side by side:
the router sends requests to both, and both import, enrich and train. Then the old processes get
SIGTERM. Each process type may use 512 MiB.

Exit code 0: no request, row or prediction was lost or doubled, and all processes kept their limits;
1: otherwise.
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

from benchmark.target.nginx import nginx_command, running_nginx, write_config
from benchmark.target.postgres import running_postgres
from benchmark.target.resource_meter import ResourceMeter

from .options import REPORTS
from .processes import (
    ROOT,
    children,
    exit_on_sigterm,
    free_port,
    is_ready,
    run_to_end,
    running_command,
    tree_mebibytes,
    wait_until,
)
from .rolling_work import RollingWork
from .text_table import format_table

SCENARIO = ("--scenario", "unseen", "--time", "200s", "--objective", "errors <= 0 in 10000")
PROCESSES = ("web", "worker")
LIMIT_MIB = 512
# The platform kills processes that have not stopped within this time.
STOP_SECONDS = 30.0
# How long each version runs alone before the next one is deployed.
VERSION_SECONDS = 8.0
BINARIES = Path(sys.executable).parent


@dataclass
class ProcessFormation:
    """The web and worker processes of one version, from their start to their stop."""

    name: str
    code: Path
    port: int
    log: Path
    environment: dict[str, str]
    peak_mebibytes: dict[str, float] = field(default_factory=dict)
    stop_seconds: float = 0.0
    left_running: int = 0
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def is_within_limits(self) -> bool:
        """Whether memory was measured and within its limit, and all processes stopped in time."""
        peaks = [self.peak_mebibytes.get(name, 0.0) for name in PROCESSES]
        return all(0 < peak <= LIMIT_MIB for peak in peaks) and not self.left_running

    def start(self) -> None:
        """Start web and worker, and wait until the web process is ready."""
        command = [str(BINARIES / "honcho"), "start", "--app-root", str(self.code)]
        command += ["--procfile", str(self.code / "Procfile"), "--port", str(self.port)]
        with self.log.open("wb") as log:
            running = running_command(
                self.environment, [*command, *PROCESSES], log.fileno(), self.code
            )
            self._running.enter_context(running)
        wait_until(f"{self.name} is ready", lambda: is_ready(self.port))
        self._running.enter_context(ResourceMeter(self._record_memory))

    def stop(self) -> None:
        """Send all processes SIGTERM, as a platform does, and wait until they have stopped."""
        pids = [pid for top in self._pids().values() for pid in _process_tree(top)]
        began = time.monotonic()
        self.close()
        while (left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and (
            time.monotonic() - began <= STOP_SECONDS
        ):
            time.sleep(0.05)
        self.stop_seconds, self.left_running = time.monotonic() - began, len(left)

    def close(self) -> None:
        """Stop honcho and the resource meter, if they run."""
        self._running.close()

    def _pids(self) -> dict[str, int]:
        """Return the process of each process type, as honcho logs it.

        A line of the log: "12:00:00 system | web.1 started (pid=42)".
        """
        pids = {}
        for line in self.log.read_text("utf-8", "replace").splitlines():
            before, separator, after = line.partition("started (pid=")
            if "system" in line and separator:
                process_type = before.split()[-1].partition(".")[0]
                pids[process_type] = int(after.split(")")[0])
        return pids

    def _record_memory(self) -> None:
        """Record the peak memory of each process type."""
        for name, pid in self._pids().items():
            # The process may not have started yet, or have stopped.
            with suppress(OSError):
                used = tree_mebibytes(pid)
                self.peak_mebibytes[name] = max(used, self.peak_mebibytes.get(name, 0.0))


def _process_tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    with suppress(OSError):
        return [pid, *(tree_pid for child in children(pid) for tree_pid in _process_tree(child))]
    return []


class NginxRouter:
    """The platform's router: an nginx that sends requests to one version, or to two."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()

    def running(self, server_port: int) -> AbstractContextManager[None]:
        """Run the router in front of a port while the block runs."""
        return running_nginx(self._folder, self.port, server_port)

    def switch_to(self, *server_ports: int) -> None:
        """Send all further requests to these ports."""
        config = write_config(self._folder, self.port, *server_ports)
        subprocess.run([*nginx_command(config), "-s", "reload"], check=True)  # noqa: S603
        # nginx reloads in the background: wait until its new workers have started.
        time.sleep(1)


def run_line(line: str, code: Path, environment: dict[str, str]) -> None:
    """Run a line of a Procfile to its end, as a platform does."""
    run_to_end(line, ["/bin/bash", "-c", line], environment, code)


def release_line(code: Path) -> str:
    """Return the Procfile's command for the release phase."""
    lines = (code / "Procfile").read_text("utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("release:"))


def check_out(commit: str, folder: Path) -> Path:
    """Write the code of a commit into a new folder."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(archive), commit], check=True)  # noqa: S603, S607
    shutil.unpack_archive(archive, folder, filter="data")
    return folder


def run_drill(earlier: str, folder: Path, url: str) -> int:
    """Deploy after an earlier commit, roll back and go forward under load; return an exit code."""
    path = f"{BINARIES}:{os.environ['PATH']}"
    environment = {**os.environ, "DATABASE_URL": url, "WEB_CONCURRENCY": "2", "PATH": path}
    back = check_out(earlier, folder / "back")
    versions = {earlier: back, "this version": ROOT, "back again": back, "forward again": ROOT}
    formations = [
        ProcessFormation(name, code, free_port(), folder / f"{number}.log", environment)
        for number, (name, code) in enumerate(versions.items())
    ]
    run_line(release_line(back), back, environment)
    run_line("sh deploy/samples.sh", back, environment)
    work = RollingWork(folder, environment)
    work.prepare(back)
    try:
        code = deploy_in_turn(formations, NginxRouter(folder), work, REPORTS / "rehearsal")
        return _print_verdict(formations, code, work)
    finally:
        for formation in formations:
            formation.close()


def deploy_in_turn(
    formations: list[ProcessFormation], router: NginxRouter, work: RollingWork, out: Path
) -> int:
    """Replace each version by the next under load; return the exit code of benchmark/run.sh."""
    formations[0].start()
    command = [str(ROOT / "benchmark/run.sh"), "--host", f"http://127.0.0.1:{router.port}"]
    command += [*SCENARIO, "--out", str(out)]
    with (
        router.running(formations[0].port),
        running_command(os.environ.copy(), command, sys.stdout.fileno()) as load,
    ):
        for before, after in pairwise(formations):
            time.sleep(VERSION_SECONDS)
            # A rollback has no release phase: the schema stays.
            if after.code == ROOT:
                run_line(release_line(ROOT), ROOT, after.environment)
            after.start()
            router.switch_to(before.port, after.port)
            work.do_at_once([before.code, after.code])
            router.switch_to(after.port)
            before.stop()
        print(
            "all versions have been deployed; waiting for the load to end",
            file=sys.stderr,
            flush=True,
        )
        code = load.wait()
        formations[-1].stop()
    return code


def _print_verdict(formations: list[ProcessFormation], load_code: int, work: RollingWork) -> int:
    """Print PASS or FAIL with the figures of each version; return an exit code."""
    rows: list[tuple[str, ...]] = [("version", *PROCESSES, "stopped in", "left running")]
    rows += [
        (
            formation.name,
            *(f"{formation.peak_mebibytes.get(name, 0):.0f} MiB" for name in PROCESSES),
            f"{formation.stop_seconds:.1f} s",
            str(formation.left_running),
        )
        for formation in formations
    ]
    faults = work.find_faults(ROOT)
    is_kept = all(formation.is_within_limits for formation in formations)
    is_passed = not load_code and is_kept and not faults
    word = "PASS" if is_passed else "FAIL"
    print(f"{word}  deployment drill: at most {LIMIT_MIB} MiB each\n{format_table(rows)}")
    print(f"{work.describe()} imported by both versions: {', '.join(faults) or 'none lost'}")
    return 0 if is_passed else 1


def main() -> int:
    """Run the drill on a new PostgreSQL; return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.deploy_drill")
    parser.add_argument("--back", default="HEAD~1", help="commit to roll back to")
    arguments = parser.parse_args()
    exit_on_sigterm()
    with tempfile.TemporaryDirectory() as name, running_postgres() as url:
        # Platforms write the address with this scheme.
        address = url.replace("postgresql://", "postgres://", 1)
        return run_drill(arguments.back, Path(name), address)


if __name__ == "__main__":
    sys.exit(main())
