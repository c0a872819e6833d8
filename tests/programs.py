"""Programs and rights that some tests need and that a machine may lack.

Such a test is skipped, in one line that says how to install what is missing. `make test-all` skips
nothing: there, a test that would be skipped fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

# Debian installs servers where only root looks.
WHERE = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def require_program(*names: str, install: str) -> str:
    """Return the path of the first of these programs that is installed, or skip the test."""
    found = next((path for name in names if (path := shutil.which(name, path=WHERE))), None)
    if found is None:
        pytest.skip(f"needs {names[0]}: {install}")
    return found


def require_image(name: str) -> None:
    """Skip the test unless Podman has this image."""
    podman = require_program("podman", install="apt-get install podman")
    there = subprocess.run([podman, "image", "exists", name], check=False, capture_output=True)
    if there.returncode:
        pytest.skip(f"needs the image {name}: .ci/podman")
