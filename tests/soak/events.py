"""What happens at random: restarts, failovers, kills, deployments and a clock that jumps."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .processes import SoakProcess, wait_until_web_is_ready
from .replicas import Replicas

DAY_SECONDS = 86_400
_CLOCK_JUMPS = (3 * DAY_SECONDS, -DAY_SECONDS, 400 * DAY_SECONDS, 0)


@dataclass
class Site:
    """All processes of the test."""

    replicas: Replicas
    webs: dict[int, SoakProcess]
    workers: list[SoakProcess]
    folder: Path
    random: random.Random
    done: Counter[str] = field(default_factory=Counter)
    # What went wrong with a process, with the end of its log.
    faults: list[str] = field(default_factory=list)

    def everything(self) -> list[SoakProcess]:
        """Return all web processes and workers."""
        return [*self.webs.values(), *self.workers]

    def happen(self) -> str:
        """Let one event happen; return its name."""
        events, weights = zip(*_EVENTS.items(), strict=True)
        event: Callable[[Site], None] = self.random.choices(events, weights)[0]
        event(self)
        self.done[event.__name__] += 1
        return event.__name__


def kill_worker(site: Site) -> None:
    """Kill a worker with its child, as a machine does that runs out of memory."""
    victim = site.random.choice(site.workers)
    victim.end(signal.SIGKILL)
    time.sleep(site.random.uniform(0, 3))
    victim.start()


def restart_worker(site: Site) -> None:
    """Deploy a worker: end it with SIGTERM and start it again."""
    worker = site.random.choice(site.workers)
    worker.wait_until_it_handles_sigterm()
    code = worker.end(signal.SIGTERM)
    lines = worker.log.read_text("utf-8", "replace").splitlines()
    # A worker that has not started yet is interrupted, as every command.
    if code and "interrupted" not in lines[-1]:
        site.faults.append(f"{worker.name} ended with {code}: {' | '.join(lines[-4:])}")
    worker.start()


def reload_web(site: Site) -> None:
    """Deploy a web process: SIGHUP has it load the current code without closing its port."""
    port = site.random.choice([*site.webs])
    site.webs[port].process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    time.sleep(2)
    wait_until_web_is_ready(site.webs[port], port)


def restart_store(site: Site) -> None:
    """Restart the primary in an orderly way."""
    site.replicas.restart_primary("fast")


def crash_store(site: Site) -> None:
    """Crash the primary, and start it again."""
    site.replicas.restart_primary("immediate")


def fail_over(site: Site) -> None:
    """Crash the primary for good: the standby takes over."""
    site.replicas.fail_over()


def set_clock(site: Site) -> None:
    """Set the clock of a worker to another day, or right again."""
    number = site.random.randrange(len(site.workers))
    jump = site.random.choice(_CLOCK_JUMPS)
    (site.folder / f"clock-{number}").write_text(str(jump))


# How often each event happens, relative to the others.
_EVENTS = {
    kill_worker: 8,
    restart_worker: 4,
    reload_web: 4,
    restart_store: 3,
    crash_store: 2,
    fail_over: 2,
    set_clock: 2,
}
