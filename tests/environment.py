"""Virtual environments for programs that must not run in that of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def make_environment(folder: Path, requirements: Path) -> Path:
    """Install only the pinned requirements into a new environment; return its `bin` folder.

    The pip of the tests installs them: an environment with its own pip takes four times as long.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    wanted = ["--require-hashes", "--no-deps", "--no-compile", "-r", str(requirements)]
    subprocess.run([*pip, "install", "--quiet", *wanted], check=True, capture_output=True)
    return folder / "bin"
