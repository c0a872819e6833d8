"""The container engine of this machine: docker or podman."""

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
    """Return the engine's program: what CONTAINER_ENGINE names, or the first that works here."""
    wanted = os.environ.get("CONTAINER_ENGINE")
    found = next(filter(_works, [wanted] if wanted else ENGINES), None)
    if found is None:
        sys.exit(
            f"{wanted or ' or '.join(ENGINES)} does not work here: CONTAINER_ENGINE names another"
        )
    return found


def _works(name: str) -> bool:
    """Tell whether an engine is there, and what runs its containers as well."""
    program = shutil.which(name)
    return program is not None and _run(program, "info").returncode == 0


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def ask(*arguments: str) -> str:
    """Run a command of the engine; returns what it printed, or ends with its error."""
    done = _run(engine(), *arguments)
    if done.returncode:
        sys.exit(f"{' '.join(arguments[:2])} failed: {done.stderr.strip()}")
    # What a container says it may say to either.
    return done.stdout + (done.stderr if arguments[0] == "logs" else "")


def image_name(room: str) -> str:
    """Return what `make images` calls the image of a room: veilleuse-web."""
    return f"{PREFIX}-{room}"


def inspect_image(name: str) -> dict[str, Any]:
    """Return what an engine knows of an image; ends where there is none."""
    if name.startswith(PREFIX) and name not in ask("images", "--format", "{{.Repository}}"):
        sys.exit(f"there is no image {name}: make images")
    found: dict[str, Any] = json.loads(ask("image", "inspect", name))[0]
    return found


def inspect_container(name: str) -> dict[str, Any]:
    """Return what an engine knows of a container."""
    found: dict[str, Any] = json.loads(ask("container", "inspect", name))[0]
    return found
