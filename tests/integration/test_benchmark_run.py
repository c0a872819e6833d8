"""Run benchmark/run.sh as a person or a pipeline does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from serve.api.access.session import COOKIE, make_session
from tests.conftest import ROOT, command_environment
from tests.processes import PATIENCE_SECONDS, wait_for

from .conftest import Site, serving_copy

# Objectives that every machine meets: these tests do not measure speed.
HOLDS = ["errors <= 0 in 10000", "p95 <= 60000 ms", "server p99 <= 60000 ms"]
BURNERS = 4
STARVED_SECONDS = 4.0
KEY = "a-key-for-readers"
SCRIPT = [str(ROOT / "benchmark/run.sh")]
# Tests of the verdict about the server must pass on machines of any speed.
ON_A_BUSY_MACHINE = [sys.executable, "-m", "tests.integration.busy_benchmark"]


def arguments(
    out: Path, *options: str, objectives: list[str] = HOLDS, program: list[str] = ON_A_BUSY_MACHINE
) -> list[str]:
    """Return a command that runs a small scenario."""
    wanted = [part for text in objectives for part in ("--objective", text)]
    return [*program, "--out", str(out), *options, *wanted]


def run(url: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=command_environment(url)
    )


@pytest.fixture(scope="module")
def url(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a store with both sample datasets.

    It is a copy: a server that is killed leaves the load that it has reported in its store.
    """
    return f"sqlite:///{shutil.copy(trained, tmp_path_factory.mktemp('benchmarked'))}"


@pytest.fixture
def keyed_site(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server whose answers need a key."""
    with serving_copy(trained, tmp_path / "keyed", READ_KEYS=KEY) as running:
        yield running


FEW = ("--users", "5", "--spawn-rate", "5", "--time", "4s")


@dataclass(frozen=True)
class Passed:
    """A run that passed, its report folder, and whether it left the store unchanged."""

    done: subprocess.CompletedProcess[str]
    folder: Path
    store_unchanged: bool


@pytest.fixture(scope="module")
def passed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Passed:
    """Run a scenario that meets its objectives."""
    folder, before = tmp_path_factory.mktemp("passed"), trained.read_bytes()
    done = run(f"sqlite:///{trained}", arguments(folder, *FEW))
    return Passed(done, folder, trained.read_bytes() == before)


@pytest.mark.slow
def test_a_run_that_meets_its_objectives_passes(passed: Passed) -> None:
    """The verdict comes first, then each objective; the store is unchanged."""
    assert passed.done.returncode == 0, passed.done.stdout + passed.done.stderr
    assert passed.done.stdout.startswith("PASS  steady: ")
    assert all(text in passed.done.stdout for text in HOLDS)
    assert passed.store_unchanged


@pytest.mark.slow
def test_a_run_writes_a_self_contained_report(passed: Passed) -> None:
    """Charts, tables and figures are also written as separate files."""
    files = {file.name for file in passed.folder.iterdir()}
    assert files >= {"report.html", "result.json", "seconds.csv", "server.csv", "generator.csv"}
    assert files >= {"load.png", "latency.png", "memory.png"}
    page = (passed.folder / "report.html").read_text("utf-8")
    assert not re.search(r"<(script|link|img)|url\(\s*[\"']?http|@import", page)
    assert page.count("<svg") == sum(name.endswith(".png") for name in files)
    result = json.loads((passed.folder / "result.json").read_text("utf-8"))
    assert result["word"] == "PASS"
    assert result["figures"]["asked"] > 0
    # The store is not enriched yet, so the student answers.
    assert result["figures"]["p95 of student"] > 0


@pytest.mark.slow
def test_a_missed_objective_fails_the_run_and_an_earlier_run_is_compared(
    url: str, tmp_path: Path, passed: Passed
) -> None:
    """The output names the objective that was missed."""
    impossible = arguments(tmp_path, *FEW, objectives=["max <= 0 ms"])
    done = run(url, [*impossible, "--compare", str(passed.folder)])
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("FAIL  ")
    assert re.search(r"max <= 0 ms +\S+ ms +-.*not met", done.stdout)
    assert f"compared with {passed.folder}: " in done.stdout
    assert "Compared with " in (tmp_path / "report.html").read_text("utf-8")


@contextmanager
def playing(command: list[str], url: str, out: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run; yield once the server has received its requests."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=command_environment(url)
    ) as runner:
        log = out / "server.log"
        wait_for(lambda: log.exists() and "/predict" in log.read_text("utf-8"))
        yield runner


def process_of(runner: subprocess.Popen[str], *words: str) -> psutil.Process:
    """Return the process with these arguments that a run has started."""
    started = psutil.Process(runner.pid).children(recursive=True)
    return next(process for process in started if set(words) <= set(process.cmdline()))


@pytest.mark.slow
def test_a_server_that_is_killed_midway_fails_with_its_errors(url: str, tmp_path: Path) -> None:
    """These are errors of the server, so the run is not invalid."""
    command = arguments(tmp_path, "--scenario", "unseen", "--time", "6s")
    with playing(command, url, tmp_path) as runner:
        process_of(runner, "-m", "serve").kill()
        out, _ = runner.communicate(timeout=PATIENCE_SECONDS)
    assert runner.returncode == 1, out
    assert out.startswith("FAIL  ")
    assert re.search(r"errors: .*ECONNREFUSED", out)
    assert "ECONNREFUSED" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_a_terminated_run_leaves_nothing_running(url: str, tmp_path: Path) -> None:
    """Both the server and the load generator end."""
    command = arguments(tmp_path, "--scenario", "unseen", "--time", "600s", program=SCRIPT)
    with playing(command, url, tmp_path) as runner:
        started = psutil.Process(runner.pid).children(recursive=True)
        runner.terminate()
        runner.communicate(timeout=PATIENCE_SECONDS)
    assert psutil.wait_procs(started, timeout=PATIENCE_SECONDS)[1] == []


@contextmanager
def burning(core: int) -> Iterator[None]:
    """Keep a core busy with processes of higher priority than the load generator."""
    command = ["taskset", "-c", str(core), sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        for _ in range(BURNERS):
            burner = stack.enter_context(subprocess.Popen(command))
            stack.callback(burner.kill)
        yield


@pytest.mark.slow
def test_a_run_with_a_starved_generator_is_invalid(url: str, tmp_path: Path) -> None:
    """Such a run proves neither that the server is slow nor that it is fast."""
    core = max(os.sched_getaffinity(0))
    command = arguments(tmp_path, "--scenario", "unseen", "--time", "7s", program=SCRIPT)
    command += ["--generator-cores", str(core)]
    with playing(command, url, tmp_path) as runner:
        process_of(runner, "locust").nice(19)
        with burning(core):
            time.sleep(STARVED_SECONDS)
        out, _ = runner.communicate(timeout=PATIENCE_SECONDS)
    assert runner.returncode == 3, out
    assert out.startswith("INVALID  ")
    assert "generator" in out.splitlines()[1]


@pytest.mark.slow
def test_a_running_server_is_benchmarked_with_a_key(keyed_site: Site, tmp_path: Path) -> None:
    """With --host no server is started; without the key every request is refused."""
    host = f"http://127.0.0.1:{keyed_site.port}"
    few = [*FEW, "--host", host]
    session = make_session(KEY, int(time.time()) + 3600)
    cookie = ["--cookie", f"{COOKIE}={session}"]
    done = run("", [*arguments(tmp_path / "with", *few), *cookie])
    assert done.returncode == 0, done.stdout + done.stderr
    refused = run("", arguments(tmp_path / "without", *few, objectives=HOLDS[:1]))
    assert refused.returncode == 1
    assert "401" in refused.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scenario", "nothing"], "--scenario nothing: no such scenario"),
        (["--objective", "soon"], '"soon": not an objective'),
        (["--time", "soon"], "--time soon: not a duration; write 90s"),
        (["--generator-cores", "1000"], "--generator-cores 1000: no such CPU core"),
        (["--compare", "nowhere"], "nowhere/result.json"),
    ],
)
def test_a_run_that_cannot_start_is_refused_in_one_line(
    url: str, tmp_path: Path, options: list[str], words: str
) -> None:
    """The command is refused before anything starts."""
    done = run(url, arguments(tmp_path / "out", *options, objectives=[], program=SCRIPT))
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
