"""The container engine of this machine: podman or docker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from typing import Any

from benchmark.processes import ROOT

PREFIX = "veilleuse"
ENGINES = ("podman", "docker")


@cache
def engine() -> str:
    """Return the program that CONTAINER_ENGINE names, or the first engine that works here."""
    wanted = os.environ.get("CONTAINER_ENGINE")
    found = next(filter(_works, [wanted] if wanted else ENGINES), None)
    if found is None:
        sys.exit(
            f"CONTAINER_ENGINE: {wanted or ' or '.join(ENGINES)} does not work here;"
            " install one, or set CONTAINER_ENGINE to another"
        )
    return found


def _works(name: str) -> bool:
    """Return True if an engine is installed and its service answers."""
    program = shutil.which(name)
    return program is not None and _run(program, "info").returncode == 0


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def run_engine(*arguments: str) -> str:
    """Run a command of the engine and return its output; exits with its error if it fails."""
    done = _run(engine(), *arguments)
    if done.returncode:
        sys.exit(f"{' '.join(arguments[:2])} failed: {done.stderr.strip()}")
    # A container may log to either stream.
    return done.stdout + (done.stderr if arguments[0] == "logs" else "")


def image_name(role: str) -> str:
    """Return the name of an image that `make images` builds: veilleuse-web."""
    return f"{PREFIX}-{role}"


def inspect_image(name: str) -> dict[str, Any]:
    """Return the engine's description of an image; exits if there is no such image."""
    if name.startswith(PREFIX) and name not in run_engine("images", "--format", "{{.Repository}}"):
        sys.exit(f"{name}: no such image; build it with make images")
    description: dict[str, Any] = json.loads(run_engine("image", "inspect", name))[0]
    return description


def inspect_container(name: str) -> dict[str, Any]:
    """Return the engine's description of a container."""
    description: dict[str, Any] = json.loads(run_engine("container", "inspect", name))[0]
    return description
