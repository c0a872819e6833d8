"""The environment of a run: code, machine and data, which tell whether two runs are comparable."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import subprocess
from importlib import metadata
from pathlib import Path

from benchmark.processes import ROOT

PACKAGES = ("bottle", "waitress", "granian", "sqlalchemy", "scikit-learn", "locust")


def describe_environment(rows: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return the code, machine, data and settings of a run as text, by name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    environment = {
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": ", ".join(filter(None, map(_version, PACKAGES))),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _cpu(),
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "open files": f"{soft:,} (at most {hard:,})",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "data": f"{_lines(rows):,} rows, sha256 {_hash(rows)[:16]}",
        "settings": ", ".join(f"{name}={value}" for name, value in sorted(settings.items())),
    }
    return {name: value for name, value in environment.items() if value}


def _commit() -> str:
    """Return the commit, with a + if files differ from it; "" outside a repository."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")


def _lines(file: Path) -> int:
    return len(file.read_text("utf-8").splitlines())


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
