"""One web process alone: on SIGHUP it becomes today's code by itself, and loses no request."""

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
    """Give a server of one process on a store of its own."""
    with serving_copy(trained, tmp_path / "lone", WEB_CONCURRENCY="1") as running:
        until(lambda: listened(running) == 1)
        assert not children_of(running.process.pid)
        yield running


def restart(site: Site) -> None:
    """Have it become today's code, and wait until that listens."""
    before = listened(site)
    site.process.send_signal(signal.SIGHUP)
    until(lambda: listened(site) == before + 1)


def has_said(site: Site, words: str) -> Callable[[], bool]:
    """Return a function that tells whether it has logged these words."""
    return lambda: words in site.log.read_text()


def has_become(site: Site) -> bool:
    """Tell whether today's code runs in it."""
    return b"--listener=" in Path(f"/proc/{site.process.pid}/cmdline").read_bytes()


def test_sighup_under_load_loses_no_request(single: Site) -> None:
    """The process stays, for whoever watches it, and so do those that ask."""
    with asking(single) as clients:
        restart(single)
        seen = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, seen, strict=True)))
    assert has_become(single)
    assert single.process.poll() is None
    assert not children_of(single.process.pid)
    assert "Traceback" not in single.log.read_text()


def test_sighup_twice_restarts_it_twice(single: Site) -> None:
    """The code that takes the old one's place can be replaced in its turn."""
    with asking(single):
        restart(single)
        restart(single)
    assert single.get(PREDICT).status == 200


def test_sighup_twice_at_once_leaves_it_serving(single: Site) -> None:
    """Whoever deploys in a hurry does so once more than needed."""
    with asking(single) as clients:
        single.process.send_signal(signal.SIGHUP)
        until(has_said(single, "asked to restart"))
        single.process.send_signal(signal.SIGHUP)
        until(lambda: listened(single) == 2)
        seen = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, seen, strict=True)))
    assert single.process.poll() is None


def test_sighup_when_it_would_not_start_leaves_it_serving(single: Site) -> None:
    """The log says so and why; once it is mended, SIGHUP works."""
    version = set_schema(single, "0000")
    with asking(single):
        single.process.send_signal(signal.SIGHUP)
        until(has_said(single, "not restarted"))
    assert "python -m db upgrade" in single.log.read_text()
    # What it said before this request is in the log by then.
    until(has_said(single, single.get(PREDICT).headers["X-Request-Id"]))
    assert not is_handing_over(single)
    assert (listened(single), has_become(single)) == (1, False)
    set_schema(single, version)
    restart(single)
    assert single.get(PREDICT).status == 200


def is_rehearsing(site: Site) -> bool:
    """Tell whether it is looking whether today's code would start."""
    return bool(children_of(site.process.pid))


def is_handing_over(site: Site) -> bool:
    """Tell whether it is finishing for today's code."""
    return "it finishes the requests that have come" in site.log.read_text()


@pytest.mark.parametrize("moment", [is_rehearsing, is_handing_over, has_become])
def test_sigterm_in_the_middle_of_a_restart_loses_no_accepted_request(
    single: Site, moment: Callable[[Site], bool]
) -> None:
    """Whichever code hears it answers whoever is connected by then, and ends with 0."""
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


def test_sigterm_while_the_restarted_code_comes_up_is_heard(single: Site) -> None:
    """However soon it comes, it is not forgotten, and what waits is written and answered."""
    before = single.record_count()
    single.process.send_signal(signal.SIGHUP)
    until(lambda: has_become(single))
    with single.connect() as connection:
        connection.sendall(get_request(b"/predict/intents?sentence=entre%20deux%20codes"))
        single.process.terminate()
        assert receive(connection).json()["enrichment"] == "queued"
    assert single.process.wait(PATIENCE_SECONDS) == 0
    assert single.record_count() == before + 1
