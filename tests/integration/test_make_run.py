"""Start everything with `make run`, as a newcomer does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.conftest import command_environment
from tests.ports import free_port
from tests.processes import PATIENCE_SECONDS


def start(folder: Path) -> tuple[subprocess.Popen[str], list[str]]:
    """Start everything; return the process and its output up to the line about Ctrl-C."""
    running = subprocess.Popen(
        [sys.executable, "deploy/local.py"],
        cwd=folder,
        env=command_environment("", PORT=str(free_port())),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    lines = []
    for line in running.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            return running, lines
    raise AssertionError("".join(lines))


def end(running: subprocess.Popen[str], how: signal.Signals) -> None:
    """Send a signal; fail unless the process and everything that it started end."""
    started = psutil.Process(running.pid).children(recursive=True)
    os.kill(running.pid, how)
    running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0
    assert psutil.wait_procs(started, timeout=PATIENCE_SECONDS)[1] == []


@pytest.mark.slow
def test_make_run_prints_working_addresses_and_repeats_no_work(checkout: Path) -> None:
    """It prints the dashboard, two predictions and the docs; a second start trains nothing."""
    running, lines = start(checkout)
    urls = re.findall(r"^  (http://\S+)$", "".join(lines), re.MULTILINE)
    assert len(urls) == 4
    replies = []
    for url in urls:
        with urllib.request.urlopen(url) as reply:  # noqa: S310  our own server
            replies.append(reply.read())
    welcome, hotel, customer = map(msgspec.json.decode, replies[:3])
    assert set(welcome["datasets"]) == {"customers", "intents"}
    assert hotel["prediction"] == "find-hotel"
    assert isinstance(customer["prediction"], float)
    assert len(customer["warnings"]) == 2
    assert b"swagger-ui" in replies[3]
    end(running, signal.SIGINT)
    running, lines = start(checkout)
    end(running, signal.SIGTERM)
    text = "".join(lines)
    assert "1,000 rows: 0 added, 0 corrected, 1,000 unchanged" in text
    assert "customers@1 is already active" in text
    assert "labelled rows, teacher" not in text
