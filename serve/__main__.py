"""The web process: `python -m serve`."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from db.cli.console import Interrupted, run_command
from db.settings import Settings, load_settings
from serve.server.single_process import serve_single_process
from serve.server.supervisor import Supervisor
from serve.server.waitress_server import ServerHooks, listen, raise_descriptor_limit
from serve.server.web_process import WebProcess, serve_web_process
from serve.telemetry.log import BatchedHandler, set_up_log
from serve.telemetry.multiprocess import mark_process_dead

from .malloc import use_one_arena


def main(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    settings = load_settings()
    log_handler = set_up_log(settings.log_format, settings.log_file, settings.log_file_mib)
    if arguments.check:
        # Whoever asks may hold signals back, and so would we.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if settings.server == "granian":
            from serve.server.granian_server import check_granian  # noqa: PLC0415

            check_granian()
        WebProcess(settings, log_handler, None)
        print(f"would start on http://{settings.host}:{settings.port}")
    elif settings.server == "granian":
        # Only where it is asked for: it is not among the requirements of the web process.
        from serve.server.granian_server import serve_by_granian  # noqa: PLC0415

        serve_by_granian(settings)
    else:
        use_one_arena()
        raise_descriptor_limit()
        listener = _listener(settings, arguments.listener)
        if settings.web_concurrency == 1:
            serve_single_process(settings, log_handler, listener)
        else:
            sys.exit(_run_supervisor(settings, log_handler, listener, arguments))


def _run_supervisor(
    settings: Settings,
    log_handler: BatchedHandler,
    listener: socket.socket,
    arguments: argparse.Namespace,
) -> int:
    """Keep a crew until SIGTERM; returns the exit code."""
    folder = Path(arguments.process_metrics or tempfile.mkdtemp(prefix="veilleuse-web-"))

    def work(shared: socket.socket, on_listen: Callable[[], None]) -> int:
        parent = os.getppid()
        calls = ServerHooks(on_listen, is_supervised=lambda: os.getppid() == parent)

        def serve() -> None:
            # Told to end before it listens: nothing has come that could be lost.
            with contextlib.suppress(Interrupted):
                serve_web_process(settings, log_handler, folder, shared, calls)

        return run_command(serve)

    supervisor = Supervisor(
        work,
        listener,
        settings.web_concurrency,
        before=[int(pid) for pid in filter(None, arguments.before.split(","))],
        on_death=lambda pid: mark_process_dead(folder, pid),
        keep=(f"--board={folder}",),
    )
    try:
        return supervisor.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listener(settings: Settings, descriptor: int | None) -> socket.socket:
    """Return the socket that this process was given by the code before it, or a new one."""
    return listen(settings) if descriptor is None else socket.socket(fileno=descriptor)


def _parser() -> argparse.ArgumentParser:
    description = (
        "Be the web process. Settings come from the environment, such as PORT, HOST and"
        " DATABASE_URL; README.md lists them."
    )
    parser = argparse.ArgumentParser(prog="python -m serve", description=description)
    parser.add_argument(
        "--check", action="store_true", help="look whether it would start, and exit: 0 if so"
    )
    # What a crew hands to the code that takes its place.
    parser.add_argument("--listener", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--before", default="", help=argparse.SUPPRESS)
    parser.add_argument("--board", default="", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    given = _parser().parse_args()
    sys.exit(run_command(lambda: main(given)))
