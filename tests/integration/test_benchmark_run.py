"""benchmark/run.sh, as a person or a pipeline runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, command_environment
from tests.processes import PATIENCE_SECONDS, wait_for

from .conftest import Site, serving_copy

# What no machine can miss: tests say nothing of speed.
HOLDS = ["errors <= 0 in 10000", "p95 <= 60000 ms", "server p99 <= 60000 ms"]
BURNERS = 4
STARVED_SECONDS = 4.0
KEY = "a-key-for-readers"
SCRIPT = [str(ROOT / "benchmark/run.sh")]
# What the verdict says of the server is tested on machines of any speed.
ON_A_BUSY_MACHINE = [sys.executable, "-m", "tests.integration.busy_benchmark"]


def arguments(
    out: Path, *given: str, objectives: list[str] = HOLDS, program: list[str] = ON_A_BUSY_MACHINE
) -> list[str]:
    """Return a command that plays a small scenario."""
    wanted = [part for text in objectives for part in ("--objective", text)]
    return [*program, "--out", str(out), *given, *wanted]


def run(url: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=command_environment(url)
    )


@pytest.fixture
def url(trained: Path) -> str:
    """Give the address of a store with both samples."""
    return f"sqlite:///{trained}"


@pytest.fixture
def keyed_site(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Give a server whose answers need a key."""
    with serving_copy(trained, tmp_path / "keyed", READ_KEYS=KEY) as running:
        yield running


FEW = ("--users", "5", "--spawn-rate", "5", "--time", "4s")


@dataclass(frozen=True)
class Passed:
    """A run that passed, its report's folder, and whether the store is as it was before."""

    done: subprocess.CompletedProcess[str]
    folder: Path
    left_alone: bool


@pytest.fixture(scope="module")
def passed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Passed:
    """Play a scenario that holds."""
    folder, before = tmp_path_factory.mktemp("passed"), trained.read_bytes()
    done = run(f"sqlite:///{trained}", arguments(folder, *FEW))
    return Passed(done, folder, trained.read_bytes() == before)


@pytest.mark.slow
def test_a_run_that_holds_its_promises_passes(passed: Passed) -> None:
    """Verdict first, then each objective; the store that was named is as it was before."""
    assert passed.done.returncode == 0, passed.done.stdout + passed.done.stderr
    assert passed.done.stdout.startswith("PASS  steady: ")
    assert all(text in passed.done.stdout for text in HOLDS)
    assert passed.left_alone


@pytest.mark.slow
def test_a_run_leaves_a_report_that_needs_nothing_beside_it(passed: Passed) -> None:
    """And its charts, tables and figures for whoever wants to go on with them."""
    files = {file.name for file in passed.folder.iterdir()}
    assert files >= {"report.html", "result.json", "seconds.csv", "server.csv", "generator.csv"}
    assert files >= {"load.png", "latency.png", "memory.png"}
    page = (passed.folder / "report.html").read_text("utf-8")
    assert not re.search(r"<(script|link|img)|url\(\s*[\"']?http|@import", page)
    assert page.count("<svg") == sum(name.endswith(".png") for name in files)
    result = json.loads((passed.folder / "result.json").read_text("utf-8"))
    assert result["word"] == "PASS"
    assert result["figures"]["asked"] > 0
    # Of a store that is not enriched yet.
    assert result["figures"]["p95 of student"] > 0


@pytest.mark.slow
def test_a_promise_that_does_not_hold_fails_and_an_earlier_run_is_compared(
    url: str, tmp_path: Path, passed: Passed
) -> None:
    """With the objective that was missed."""
    impossible = arguments(tmp_path, *FEW, objectives=["max <= 0 ms"])
    done = run(url, [*impossible, "--compare", str(passed.folder)])
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("FAIL  ")
    assert re.search(r"max <= 0 ms +\S+ ms +-.*not met", done.stdout)
    assert f"compared with {passed.folder}: " in done.stdout
    assert "Compared with " in (tmp_path / "report.html").read_text("utf-8")


@contextmanager
def playing(command: list[str], url: str, out: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run, and go on once its generator has been answered."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=command_environment(url)
    ) as runner:
        log = out / "server.log"
        wait_for(lambda: log.exists() and "/predict" in log.read_text("utf-8"))
        yield runner


def below(runner: subprocess.Popen[str], *words: str) -> psutil.Process:
    """Return the process that a run has started with these arguments."""
    found = psutil.Process(runner.pid).children(recursive=True)
    return next(one for one in found if set(words) <= set(one.cmdline()))


@pytest.mark.slow
def test_a_server_that_is_killed_midway_fails_with_its_errors(url: str, tmp_path: Path) -> None:
    """They are the server's, and no doubt of the run."""
    command = arguments(tmp_path, "--scenario", "unseen", "--time", "6s")
    with playing(command, url, tmp_path) as runner:
        below(runner, "-m", "serve").kill()
        out, _ = runner.communicate(timeout=PATIENCE_SECONDS)
    assert runner.returncode == 1, out
    assert out.startswith("FAIL  ")
    assert re.search(r"errors: .*ECONNREFUSED", out)
    assert "ECONNREFUSED" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_a_run_that_is_told_to_end_leaves_nothing_running(url: str, tmp_path: Path) -> None:
    """Neither the server that it started nor the generator."""
    command = arguments(tmp_path, "--scenario", "unseen", "--time", "600s", program=SCRIPT)
    with playing(command, url, tmp_path) as runner:
        family = psutil.Process(runner.pid).children(recursive=True)
        runner.terminate()
        runner.communicate(timeout=PATIENCE_SECONDS)
    assert psutil.wait_procs(family, timeout=PATIENCE_SECONDS)[1] == []


@contextmanager
def burning(core: int) -> Iterator[None]:
    """Keep a core busy with what is more important than a generator."""
    command = ["taskset", "-c", str(core), sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        for _ in range(BURNERS):
            burner = stack.enter_context(subprocess.Popen(command))
            stack.callback(burner.kill)
        yield


@pytest.mark.slow
def test_a_generator_that_is_starved_proves_nothing(url: str, tmp_path: Path) -> None:
    """Neither that the server is slow nor that it is not."""
    core = max(os.sched_getaffinity(0))
    command = arguments(tmp_path, "--scenario", "unseen", "--time", "7s", program=SCRIPT)
    command += ["--generator-cores", str(core)]
    with playing(command, url, tmp_path) as runner:
        below(runner, "locust").nice(19)
        with burning(core):
            time.sleep(STARVED_SECONDS)
        out, _ = runner.communicate(timeout=PATIENCE_SECONDS)
    assert runner.returncode == 3, out
    assert out.startswith("INVALID  ")
    assert "generator" in out.splitlines()[1]


@pytest.mark.slow
def test_a_server_elsewhere_is_asked_with_a_key(keyed_site: Site, tmp_path: Path) -> None:
    """Where it runs already, nothing is started; without the key it refuses everything."""
    host = f"http://127.0.0.1:{keyed_site.port}"
    few = [*FEW, "--host", host]
    cookie = ["--cookie", f"veilleuse_key={KEY}"]
    done = run("", [*arguments(tmp_path / "with", *few), *cookie])
    assert done.returncode == 0, done.stdout + done.stderr
    refused = run("", arguments(tmp_path / "without", *few, objectives=HOLDS[:1]))
    assert refused.returncode == 1
    assert "401" in refused.stdout


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--scenario", "nothing"], "--scenario nothing: no such scenario"),
        (["--objective", "soon"], '"soon": not an objective'),
        (["--time", "soon"], "--time soon: not a duration; write 90s"),
        (["--generator-cores", "1000"], "--generator-cores 1000: no such CPU core"),
        (["--compare", "nowhere"], "nowhere/result.json"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    url: str, tmp_path: Path, given: list[str], words: str
) -> None:
    """Before anything is started."""
    done = run(url, arguments(tmp_path / "out", *given, objectives=[], program=SCRIPT))
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
