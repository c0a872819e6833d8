"""What `python -m serve` does: start the web process or processes."""

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
from db.cli.terminal.argument_parser import ArgumentParser
from db.settings import Settings, load_settings
from serve.app import import_deferred
from serve.server.descriptor_limit import raise_descriptor_limit
from serve.server.listener import listen, remove_socket, shown_address
from serve.server.single_process import serve_single_process
from serve.server.supervisor import Supervisor
from serve.server.waitress.server import ServerHooks
from serve.server.web_process import WebProcess, serve_web_process
from serve.telemetry.log import BatchedHandler, set_up_log
from serve.telemetry.multiprocess import mark_process_dead

from .memory import use_one_arena


def main(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    settings = load_settings()
    log_handler = set_up_log(settings.log_format, settings.log_file, settings.log_file_mib)
    if arguments.check:
        # The check may inherit blocked signals from a server that is about to restart.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if settings.server == "granian":
            from serve.server.granian_server import check_granian  # noqa: PLC0415

            check_granian()
        WebProcess(settings, log_handler, None)
        import_deferred()
        print(f"would start on {shown_address(settings)}")
    elif settings.server == "granian":
        # Imported only here: granian is not among the requirements of the web process.
        from serve.server.granian_server import serve_by_granian  # noqa: PLC0415

        serve_by_granian(settings)
    else:
        use_one_arena()
        raise_descriptor_limit()
        listener = _listener(settings, arguments.listener)
        if settings.web_concurrency == 1:
            serve_single_process(settings, log_handler, listener)
            code = 0
        else:
            code = _run_supervisor(settings, log_handler, listener, arguments)
        remove_socket(settings.host)
        sys.exit(code)


def _run_supervisor(
    settings: Settings,
    log_handler: BatchedHandler,
    listener: socket.socket,
    arguments: argparse.Namespace,
) -> int:
    """Supervise several web processes until SIGTERM; return the exit code."""
    folder = Path(arguments.metrics_folder or tempfile.mkdtemp(prefix="veilleuse-web-"))

    def work(shared: socket.socket, on_listen: Callable[[], None]) -> int:
        parent = os.getppid()
        hooks = ServerHooks(on_listen, is_supervised=lambda: os.getppid() == parent)

        def serve() -> None:
            # An interrupt before the server listens ends it: no request can be lost yet.
            with contextlib.suppress(Interrupted):
                serve_web_process(settings, log_handler, folder, shared, hooks)

        return run_command(serve)

    supervisor = Supervisor(
        work,
        listener,
        settings.web_concurrency,
        predecessors=[int(pid) for pid in filter(None, arguments.predecessors.split(","))],
        on_exit=lambda pid: mark_process_dead(folder, pid),
        reexec_arguments=(f"--board={folder}",),
    )
    try:
        return supervisor.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listener(settings: Settings, descriptor: int | None) -> socket.socket:
    """Return the socket inherited from the code before a reload, or a new one."""
    return listen(settings) if descriptor is None else socket.socket(fileno=descriptor)


def _parser() -> argparse.ArgumentParser:
    description = (
        "Run the web process: predictions, pages and metrics over HTTP. Settings come from"
        " environment variables such as PORT, HOST and DATABASE_URL; README.md lists them."
    )
    parser = ArgumentParser(prog="python -m serve", description=description, add_help=False)
    parser.add_argument(
        "--check",
        action="store_true",
        help="Check whether it would start, and exit: 0 if it would, else 1.",
    )
    parser.add_argument("-h", "--help", action="help", help="Show this message and exit.")
    # On SIGHUP the running code passes these to the code that takes its place. Earlier releases
    # pass the same names, so the names cannot change.
    parser.add_argument("--listener", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--before", dest="predecessors", default="", help=argparse.SUPPRESS)
    parser.add_argument("--board", dest="metrics_folder", default="", help=argparse.SUPPRESS)
    return parser


def run() -> int:
    """Run the command; return the exit code."""
    parsed = _parser().parse_args()
    return run_command(lambda: main(parsed))
