"""A web process of a chosen Python, with nothing around it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .conftest import ROOT, command_environment
from .ports import free_port, wait_until_ready
from .processes import PATIENCE_SECONDS


@contextmanager
def web_process(python: Path | str, url: str, **settings: str) -> Iterator[int]:
    """Run the web process until the block's end, where it must end well; yield its port."""
    port = free_port()
    environment = command_environment(url, PORT=str(port), **settings)
    with subprocess.Popen(
        [python, "-m", "serve"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as web:
        try:
            wait_until_ready(web, port)
            yield port
        finally:
            web.terminate()
            assert web.wait(PATIENCE_SECONDS) == 0
