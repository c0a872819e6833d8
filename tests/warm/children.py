"""Commands that are forked, and the child processes and subcommands that they start.

A command has threads and open connections when it starts a child, which no fork may copy. So it
forks a nursery before it does anything else, and the nursery forks the children: twice, and the
process in between ends, so that they become children of the command, which waits for them as usual.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import util
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, NoReturn

from enrich.worker import subcommand

from .words import ANSWER_BYTES, REQUEST_BYTES, answer, run_to_the_end

# <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36
MOST_FILES = 64
# The last argument of a child, but not of the process that keeps track of shared memory.
_MARK = "--multiprocessing-fork"
_spawn = util.spawnv_passfds
# Above the number of every file that a command opens.
_FREE = 512


def become_command(arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Run `python -m ARGUMENTS` in this process, which has no threads, and end it.

    As Python does, it looks for modules in the current folder first.
    """
    _set_environment(environment)
    sys.path.insert(0, str(Path.cwd()))
    module, *words = arguments
    if module != "serve":
        nursery = _fork_nursery()
        vars(util)["spawnv_passfds"] = nursery.spawn
        # Only the name in this module: everything else that it starts is started as usual.
        vars(subcommand)["subprocess"] = SimpleNamespace(**vars(subprocess) | {"run": nursery.run})
    sys.argv = ["-m", *words]
    run_to_the_end(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))


def _set_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


@dataclass(frozen=True)
class _Nursery:
    """The process that forks the children of this one."""

    requests: socket.socket
    lock: Lock

    def spawn(self, path: bytes, arguments: Sequence[Any], files: Sequence[int]) -> int:
        """Start a process of `multiprocessing` with these files; return its id."""
        if _MARK not in arguments:
            return int(_spawn(path, arguments, files))
        return self._fork("-c", arguments[-2:-1], files)

    def run(self, command: Sequence[str], **_options: Any) -> SimpleNamespace:  # noqa: ANN401
        """Run `python -m …` to its end, without its output, as `subprocess.run` does."""
        pid = self._fork("-m", command[2:], [])
        return SimpleNamespace(returncode=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    def _fork(self, kind: str, arguments: Sequence[str], files: Sequence[int]) -> int:
        numbers = [int(file) for file in files]
        request = json.dumps([numbers, dict(os.environ), kind, *arguments]).encode()
        with self.lock:
            socket.send_fds(self.requests, [request], numbers)
            return int(self.requests.recv(ANSWER_BYTES))


def _fork_nursery() -> _Nursery:
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    # Orphans among its descendants become children of this process.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.fork() == 0:
        ours.close()
        _serve(theirs, os.getppid())
    theirs.close()
    return _Nursery(ours, Lock())


def _serve(requests: socket.socket, command: int) -> NoReturn:
    """Fork a child of the command for each request, until the command has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        request, files, _, _ = socket.recv_fds(requests, REQUEST_BYTES, MOST_FILES)
        if not request:
            os._exit(0)
        reader, writer = os.pipe()
        middle = os.fork()
        if middle == 0:
            child = os.fork()
            if child == 0:
                for file in (requests.detach(), reader, writer):
                    os.close(file)
                _become_child(command, files, *json.loads(request))
            os.write(writer, answer(child))
            os._exit(0)
        os.waitpid(middle, 0)
        requests.send(os.read(reader, ANSWER_BYTES))
        for file in (*files, reader, writer):
            os.close(file)


def _become_child(
    command: int,
    files: Sequence[int],
    numbers: Sequence[int],
    environment: Mapping[str, str],
    kind: str,
    *arguments: str,
) -> NoReturn:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    while os.getppid() != command:
        time.sleep(0.001)
    if kind == "-m":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        become_command(arguments, environment)
    _renumber(files, numbers)
    _set_environment(environment)
    [program] = arguments
    sys.argv = ["-c", _MARK]
    run_to_the_end(lambda: exec(program, {"__name__": "__main__"}))  # noqa: S102  multiprocessing's


def _renumber(files: Sequence[int], numbers: Sequence[int]) -> None:
    """Give files the numbers that they have in the command, which a child's program names."""
    high = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _FREE) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(high, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)
