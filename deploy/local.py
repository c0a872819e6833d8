"""Run Veilleuse with its samples on one machine: `make run`.

Creates the store, imports the samples and trains their models, then runs the web process and a
worker. The next time, the store has all that, and only the two processes are started.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

# It is found from here.
from serve.healthcheck import connect, given_address, is_ready, local_host, url_of  # noqa: E402

HOST, PORT = given_address()
SAMPLES = ("intents", "customers")
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
EXAMPLES = (
    "/",
    "/predict/intents?sentence=Trouve%20un%20h%C3%B4tel%20pr%C3%A8s%20de%20Talence",
    "/predict/customers?education=PhD&age=12&income=1000",
    "/docs",
)


def main() -> int:
    """Prepare the store, then run until a signal or until the web process exits."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    started: list[subprocess.Popen[bytes]] = []
    try:
        check_port()
        prepare()
        web = start("serve")
        started += [web, start("enrich", "run")]
        if wait_until_ready(web):
            print_addresses()
        return web.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop(*started)


def check_port() -> None:
    """Exit if another program listens on the port, before minutes are spent on training."""
    try:
        connect(HOST, PORT).close()
    except OSError:
        # Nothing listens there; the web process says what else may be wrong.
        return
    sys.exit(f"PORT: another program listens on {address()}; stop it, or make run PORT=8001")


def prepare() -> None:
    """Create the store if needed, import the samples, and train those that have no model."""
    call("db", "upgrade")
    call("db", "load", *(f"datasets/{name}.toml" for name in SAMPLES))
    for name in SAMPLES:
        call("db", "import", name, f"datasets/{name}.csv")
        call("enrich", "train", name, "--unless-trained")


def call(package: str, *arguments: str) -> None:
    """Run `python -m PACKAGE` to its end; exit with its code if it fails."""
    done = subprocess.run([sys.executable, "-m", package, *arguments], cwd=ROOT, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.returncode)


def start(package: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start `python -m PACKAGE` in a session of its own: this process passes Ctrl-C on."""
    command = [sys.executable, "-m", package, *arguments]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)  # noqa: S603


def address() -> str:
    """Return the address of the web process on this machine."""
    return url_of(local_host(HOST), PORT)


def wait_until_ready(web: subprocess.Popen[bytes]) -> bool:
    """Wait until the web process is ready; return False if it exits or takes too long."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and web.poll() is None:
        if is_ready(HOST, PORT):
            return True
        time.sleep(0.1)
    return False


def print_addresses() -> None:
    """Print the addresses to try first."""
    print("\nVeilleuse is ready. Try:", flush=True)
    for path in EXAMPLES:
        print(f"  {example(path)}", flush=True)
    print("Ctrl-C stops it.\n", flush=True)


def example(path: str) -> str:
    """Return an address to open, or the command that asks a unix socket."""
    if HOST.startswith("unix:"):
        return f"curl --unix-socket {HOST.removeprefix('unix:')} 'http://localhost{path}'"
    return f"{address()}{path}"


def stop(*processes: subprocess.Popen[bytes]) -> None:
    """Stop processes and wait for them; kill those that do not stop in time."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
