"""The GPU use of other programs, read by nvidia-smi."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection

TIMEOUT_SECONDS = 5.0


def read_gpu(own: Collection[int]) -> float | None:
    """Return the utilization of the busiest GPU from 0 to 1, 0 if only our processes use GPUs.

    None without nvidia-smi, or if it fails.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    processes = _query(tool, "--query-compute-apps=pid")
    if processes is None:
        return None
    foreign = {int(line) for line in processes if line.isdigit()} - set(own)
    shares = _query(tool, "--query-gpu=utilization.gpu") or []
    busiest = max((int(line) for line in shares if line.isdigit()), default=0) / 100
    return busiest if foreign or not processes else 0.0


def _query(tool: str, query: str) -> list[str] | None:
    try:
        completed = subprocess.run(  # noqa: S603
            [tool, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return [line.strip() for line in completed.stdout.splitlines() if line.strip()]
