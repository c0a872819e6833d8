"""GPUs that others use, where there are any."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection

SECONDS = 5.0


def read_gpu(own: Collection[int]) -> float | None:
    """Return how much of the busiest GPU is used, 0 where only our processes use them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    processes = _ask(tool, "--query-compute-apps=pid")
    if processes is None:
        return None
    foreign = {int(line) for line in processes if line.isdigit()} - set(own)
    shares = _ask(tool, "--query-gpu=utilization.gpu") or []
    busiest = max((int(line) for line in shares if line.isdigit()), default=0) / 100
    return busiest if foreign or not processes else 0.0


def _ask(tool: str, query: str) -> list[str] | None:
    try:
        done = subprocess.run(  # noqa: S603
            [tool, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
