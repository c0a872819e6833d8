"""Virtual environments, for what must not run in that of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def make_environment(folder: Path, requirements: Path) -> Path:
    """Install pinned requirements, and nothing else, into a new one; returns its commands' folder.

    The pip of the tests does it: one of its own would take four times as long to be there.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    wanted = ["--require-hashes", "--no-deps", "--no-compile", "-r", str(requirements)]
    subprocess.run([*pip, "install", "--quiet", *wanted], check=True, capture_output=True)
    return folder / "bin"
