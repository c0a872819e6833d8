"""The warm process, which forks a command for each request on its socket: see `command`."""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

from .children import become_command
from .words import REQUEST_BYTES, answer

# What commands and compute children import, except modules that start threads.
MODULES = (
    "db.__main__",
    "enrich.commands.group",
    "enrich.executors.child",
    "enrich.executors.teacher_check",
    "enrich.learning.training",
    "alembic.command",
    "cleanlab.filter",
    "datasketch",
    "psycopg",
    "serve.__main__",
    "serve.server.single_process",
    "skops.io",
)


def serve(requests: socket.socket) -> None:
    """Fork a process for each request, until there can be no more."""
    before = dict(os.environ)
    for name in MODULES:
        importlib.import_module(name)
    # They are run again, as `__main__`.
    for name in ("db.__main__", "serve.__main__"):
        del sys.modules[name]
    set_by_imports = {name: one for name, one in os.environ.items() if before.get(name) != one}
    # Collections of garbage would copy the memory that forked processes share.
    gc.freeze()
    # The kernel reaps the processes that `_wait_for_command` runs in.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, files, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 3)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            arguments, environment, folder, limits = json.loads(request)
            os.chdir(folder)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            _wait_for_command(files, arguments, set_by_imports | environment)
        for file in files:
            os.close(file)


def _wait_for_command(
    files: Sequence[int], arguments: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Fork the command, and answer with its id and then with how it ended."""
    answers, out, err = files
    pid = os.fork()
    if pid == 0:
        os.dup2(out, 1)
        os.dup2(err, 2)
        for file in files:
            os.close(file)
        become_command(arguments, environment)
    os.write(answers, answer(pid))
    os.write(answers, answer(os.waitpid(pid, 0)[1]))
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
