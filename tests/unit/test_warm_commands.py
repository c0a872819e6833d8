"""Tests that a command which is forked does what it does when Python starts it."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, command_environment, run_cold, run_words
from tests.processes import PATIENCE_SECONDS, is_gone
from tests.warm.command import may_be_warm, start_warm


@pytest.mark.parametrize(
    ("words", "code"),
    [(["enrich", "status"], 1), (["db", "upgrade"], 0), (["db", "no-such-command"], 2)],
)
def test_a_forked_command_answers_as_a_started_one(
    words: list[str], code: int, tmp_path: Path
) -> None:
    """Exit code and output are the same, in the folder and with the variables of the caller."""
    environment = command_environment("sqlite:///store.db", PYTHONPATH=str(ROOT))
    forked = run_words(words, environment, tmp_path)
    assert (tmp_path / "store.db").exists() == (code == 0)
    assert forked == run_cold(words, environment, tmp_path)
    assert forked.code == code
    assert forked.out or forked.err


def test_a_forked_process_is_signalled_and_waited_for_as_any_other() -> None:
    """A signal that ends it is its exit code, and nothing of it is left."""
    environment = command_environment("sqlite://", PORT="0")
    with tempfile.TemporaryFile() as out:
        process = start_warm(["http.server", "0"], environment, ROOT, out, out)
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        assert process.poll() == -signal.SIGKILL
        assert is_gone(process.pid)


def test_variables_that_python_reads_at_its_start_need_a_start() -> None:
    """A fork would ignore them without a word."""
    assert may_be_warm({"DATABASE_URL": "sqlite://", "NO_COLOR": "1"})
    assert not may_be_warm({"PYTHONUTF8": "0"})
    assert not may_be_warm({"LC_ALL": "C"})
