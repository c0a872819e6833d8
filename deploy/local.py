"""Everything on one machine, as `make run` starts it: store, samples, models, worker, web process.

Started again it finds all that in the store, and only starts the worker and the web process.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent
SAMPLES = ("intents", "customers")
READY_SECONDS = 60.0
END_SECONDS = 30.0
EXAMPLES = (
    "/",
    "/predict/intents?sentence=Trouve%20un%20h%C3%B4tel%20pr%C3%A8s%20de%20Talence",
    "/predict/customers?education=PhD&age=12&income=1000",
    "/docs",
)


def main() -> int:
    """Prepare, then run until a signal or until the web process ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    started: list[subprocess.Popen[bytes]] = []
    try:
        check_port()
        prepare()
        web = start("serve")
        started += [web, start("enrich", "run")]
        if wait_until_ready(web):
            say_where()
        return web.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        end(*started)


def check_port() -> None:
    """End at once where something else listens already: training first would be in vain."""
    host, port = address().removeprefix("http://").rsplit(":", 1)
    with socket.socket() as probe:
        if probe.connect_ex((host, int(port))) == 0:
            sys.exit(f"{address()} is taken already; end what holds it, or: make run PORT=8001")


def prepare() -> None:
    """Make the store, and fill and train what is not there yet."""
    call("db", "upgrade")
    call("db", "load", *(f"datasets/{name}.toml" for name in SAMPLES))
    for name in SAMPLES:
        call("db", "import", name, f"datasets/{name}.csv")
        call("enrich", "train", name, "--unless-trained")


def call(room: str, *arguments: str) -> None:
    """Run one command of ours to its end, or end with it."""
    done = subprocess.run([sys.executable, "-m", room, *arguments], cwd=ROOT, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.returncode)


def start(room: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start one of our processes; Ctrl-C is ours to pass on."""
    command = [sys.executable, "-m", room, *arguments]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)  # noqa: S603


def address() -> str:
    """Return where the web process can be reached from here."""
    host = os.environ.get("HOST") or "127.0.0.1"
    port = os.environ.get("PORT") or "8000"
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104


def wait_until_ready(web: subprocess.Popen[bytes]) -> bool:
    """Return whether the web process answers before long."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and web.poll() is None:
        try:
            with urllib.request.urlopen(f"{address()}/readyz", timeout=1):  # noqa: S310
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def say_where() -> None:
    """Print what to look at first."""
    print("\nVeilleuse is ready. Try:", flush=True)
    for path in EXAMPLES:
        print(f"  {address()}{path}", flush=True)
    print("Ctrl-C ends it.\n", flush=True)


def end(*processes: subprocess.Popen[bytes]) -> None:
    """End what was started, and wait for it."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
