"""Tests of command-line completion in a real bash."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import command_environment, make_store, register, sample_spec

COMPLETION_SCRIPT = """
eval "$({python} -m db completion bash)"
COMP_WORDS=({python} {words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_veilleuse
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def complete(url: str, words: str) -> list[str]:
    """Return the completions that bash offers for the last of these words."""
    script = COMPLETION_SCRIPT.format(python=sys.executable, words=words)
    result = subprocess.run(
        ["bash", "-c", script],
        env=command_environment(url),
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("-m en", ["enrich"]),
        ("-m db im", ["import"]),
        ("-m enrich quarantine re", ["retry"]),
        ("-m enrich train in", ["intents"]),
        ("-m db export cu", ["customers"]),
        ("-m serve --c", ["--check"]),
        ("something.py -", []),
    ],
)
def test_a_shell_completes_packages_commands_options_and_datasets(
    sqlite_url: str, words: str, offered: list[str]
) -> None:
    """The names of the datasets come from the store."""
    store = make_store(sqlite_url)
    for name in ("intents", "customers"):
        register(store, sample_spec(name))
    store.close()
    assert complete(sqlite_url, words) == offered


def test_without_a_store_no_completion_is_offered(sqlite_url: str) -> None:
    """Pressing Tab must not print an error."""
    assert complete(sqlite_url, "-m enrich train in") == []
