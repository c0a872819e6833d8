"""A single web process: on SIGHUP it re-executes the current code and loses no request."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import PATIENCE_SECONDS, children_of

from .clients import PREDICT, asking, listened, set_schema
from .conftest import Site, get_request, receive, serving_copy, until

CONNECTIONS = 8


@pytest.fixture
def single(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server with a single process on its own store."""
    with serving_copy(trained, tmp_path / "single", WEB_CONCURRENCY="1") as running:
        until(lambda: listened(running) == 1)
        assert not children_of(running.process.pid)
        yield running


def restart(site: Site) -> None:
    """Send SIGHUP, and wait until the re-executed process listens."""
    before = listened(site)
    site.process.send_signal(signal.SIGHUP)
    until(lambda: listened(site) == before + 1)


def has_logged(site: Site, words: str) -> Callable[[], bool]:
    """Return a function that checks whether the server has logged these words."""
    return lambda: words in site.log.read_text()


def has_reexecuted(site: Site) -> bool:
    """Return whether the process has re-executed itself."""
    return b"--listener=" in Path(f"/proc/{site.process.pid}/cmdline").read_bytes()


def test_sighup_under_load_loses_no_request(single: Site) -> None:
    """The process id stays the same for a process manager, and clients notice nothing."""
    with asking(single) as clients:
        restart(single)
        seen = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, seen, strict=True)))
    assert has_reexecuted(single)
    assert single.process.poll() is None
    assert not children_of(single.process.pid)
    assert "Traceback" not in single.log.read_text()


def test_sighup_twice_restarts_it_twice(single: Site) -> None:
    """A process that has re-executed itself can do so again."""
    with asking(single):
        restart(single)
        restart(single)
    assert single.get(PREDICT).status == 200


def test_sighup_twice_at_once_leaves_it_serving(single: Site) -> None:
    """A hurried deployment may send the signal once too often."""
    with asking(single) as clients:
        single.process.send_signal(signal.SIGHUP)
        until(has_logged(single, "asked to restart"))
        single.process.send_signal(signal.SIGHUP)
        until(lambda: listened(single) == 2)
        seen = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, seen, strict=True)))
    assert single.process.poll() is None


def test_sighup_leaves_it_serving_if_it_would_not_start(single: Site) -> None:
    """The log gives the reason; SIGHUP works again once it is fixed."""
    version = set_schema(single, "0000")
    with asking(single):
        single.process.send_signal(signal.SIGHUP)
        until(has_logged(single, "not restarted"))
    assert "python -m db upgrade" in single.log.read_text()
    # Once this request is in the log, all earlier lines are too.
    until(has_logged(single, single.get(PREDICT).headers["X-Request-Id"]))
    assert not is_handing_over(single)
    assert (listened(single), has_reexecuted(single)) == (1, False)
    set_schema(single, version)
    restart(single)
    assert single.get(PREDICT).status == 200


def is_checking(site: Site) -> bool:
    """Return whether the preflight check is running."""
    return bool(children_of(site.process.pid))


def is_handing_over(site: Site) -> bool:
    """Return whether the process is finishing its requests before it re-executes itself."""
    return "it finishes the requests that have come" in site.log.read_text()


@pytest.mark.parametrize("moment", [is_checking, is_handing_over, has_reexecuted])
def test_sigterm_in_the_middle_of_a_restart_loses_no_accepted_request(
    single: Site, moment: Callable[[Site], bool]
) -> None:
    """Old and new code alike answer every connected client, and end with exit code 0."""
    with ExitStack() as stack, asking(single, reconnects=False) as clients:
        single.process.send_signal(signal.SIGHUP)
        until(lambda: moment(single))
        waiting = [stack.enter_context(single.connect()) for _ in range(CONNECTIONS)]
        for connection in waiting:
            connection.sendall(get_request(PREDICT.encode()))
        single.process.terminate()
        assert [receive(connection).status for connection in waiting] == [200] * CONNECTIONS
        assert single.process.wait(PATIENCE_SECONDS) == 0
        until(lambda: not any(client.is_alive() for client in clients))
    assert "Traceback" not in single.log.read_text()
    with pytest.raises(ConnectionRefusedError):
        single.connect()


def test_sigterm_while_the_restarted_process_starts_is_not_lost(single: Site) -> None:
    """A waiting request is still answered and its input stored before the process ends."""
    before = single.record_count()
    single.process.send_signal(signal.SIGHUP)
    until(lambda: has_reexecuted(single))
    with single.connect() as connection:
        connection.sendall(get_request(b"/predict/intents?sentence=entre%20deux%20codes"))
        single.process.terminate()
        assert receive(connection).json()["enrichment"] == "queued"
    assert single.process.wait(PATIENCE_SECONDS) == 0
    assert single.record_count() == before + 1
