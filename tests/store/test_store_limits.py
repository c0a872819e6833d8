"""Tests of the limits of PostgreSQL connections: silence, locks, failovers, poolers."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from db.migrations import upgrade
from db.settings import Settings
from db.store.dialect import is_unreachable
from db.store.direct.errors import is_timeout
from db.store.direct.statement import direct_connection
from db.store.limits import Limits, command_limits, web_limits
from db.store.store import Store, connect_store
from enrich.commands import base as command_base
from serve.store_reader import StoreReader
from tests.conftest import settings_for
from tests.direct import direct_store
from tests.processes import wait_for
from tests.silent_proxy import SilentProxy, proxy_to

SHORT = Limits(1.0, 0.5, 0.3)
# The code waited as long as the fault lasted, here a time without an end.
HANG_SECONDS = 30.0


@pytest.fixture
def url(postgres: Callable[[], str]) -> str:
    """Return the URL of an empty PostgreSQL database."""
    return postgres()


@contextmanager
def store_of(settings: Settings, limits: Limits = SHORT) -> Iterator[Store]:
    """Yield a store with these limits."""
    store = connect_store(settings, limits=limits)
    yield store
    store.close()


@pytest.fixture
def proxy(url: str) -> Iterator[SilentProxy]:
    """Yield a network between the tests and the database."""
    with proxy_to(f"{parse_qs(urlsplit(url).query)['host'][0]}/.s.PGSQL.5432") as running:
        yield running


def proxied(url: str, proxy: SilentProxy) -> Settings:
    """Return settings that lead to the database through the proxy."""
    return settings_for(f"postgresql://postgres@127.0.0.1:{proxy.port}{urlsplit(url).path}")


def in_time(work: Callable[[], object]) -> BaseException | None:
    """Run in a thread, return its error, and fail if it hangs."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  the test looks at it
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    assert not thread.is_alive(), "it hangs"
    return errors[0] if errors else None


def read_one(store: Store) -> object:
    """Ask something of the store."""
    with store.reading() as connection:
        return connection.execute(text("SELECT 1")).scalar()


def test_a_statement_that_nothing_answers_ends(url: str, proxy: SilentProxy) -> None:
    """The connection is closed, and the next one works once the network is back."""
    with store_of(proxied(url, proxy)) as store:
        assert read_one(store) == 1
        proxy.is_silent = True
        error = in_time(lambda: read_one(store))
        assert isinstance(error, DBAPIError)
        assert is_unreachable(error)
        assert error.connection_invalidated
        assert is_unreachable(in_time(lambda: read_one(store)))  # type: ignore[arg-type]
        proxy.is_silent = False
        assert read_one(store) == 1


def test_after_a_silence_no_connection_of_that_time_is_used(url: str, proxy: SilentProxy) -> None:
    """Each of the others would make somebody wait again."""
    with store_of(proxied(url, proxy)) as store:
        with store.reading() as one, store.reading() as other, store.writing() as third:
            for connection in (one, other, third):
                connection.execute(text("SELECT 1"))
        proxy.is_silent = True
        assert in_time(lambda: read_one(store)) is not None
        proxy.is_silent = False
        for _ in range(3):
            assert read_one(store) == 1
        with store.writing() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1


def test_the_next_address_is_tried_when_one_says_nothing(url: str, proxy: SilentProxy) -> None:
    """Each gets its share of the time for connecting."""
    with closing(socket.create_server(("127.0.0.1", 0))) as dead:
        ports = f"{dead.getsockname()[1]},{proxy.port}"
        hosts = f"host=127.0.0.1,127.0.0.1&port={ports}"
        both = settings_for(f"postgresql://postgres@{urlsplit(url).path}?{hosts}")
        with store_of(both) as store:
            assert in_time(lambda: read_one(store)) is None


def test_a_name_server_that_does_not_answer_ends_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look-up of a name cannot be interrupted."""
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait())
    with store_of(settings_for("postgresql://postgres@db.example/postgres")) as store:
        error = in_time(lambda: read_one(store))
    never.set()
    assert is_unreachable(error)  # type: ignore[arg-type]


def test_the_server_ends_what_waits_for_a_lock(url: str) -> None:
    """The connection survives, and nothing is left waiting on the server."""
    with psycopg.connect(url) as holder, store_of(settings_for(url)) as store:
        holder.execute("CREATE TABLE thing (id integer)")
        holder.commit()
        holder.execute("LOCK TABLE thing")

        def read() -> None:
            with store.reading() as connection:
                connection.execute(text("SELECT * FROM thing"))

        error = in_time(read)
        assert isinstance(error, DBAPIError)
        assert is_timeout(error)
        assert not error.connection_invalidated
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert holder.execute(waiting).fetchone() == (0,)
        holder.rollback()


def test_sessions_opened_while_the_database_only_read_are_replaced(url: str) -> None:
    """After a failover the sessions of the old primary, now a standby, stay open."""
    name = urlsplit(url).path[1:]
    with psycopg.connect(url, autocommit=True) as admin, store_of(settings_for(url)) as store:
        admin.execute("CREATE TABLE thing (id integer)")
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        with store.writing() as one, store.writing() as other:
            for connection in (one, other):
                connection.execute(text("SELECT 1"))
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off".encode())

        def write() -> None:
            with store.writing() as connection:
                connection.execute(text("INSERT INTO thing VALUES (1)"))

        error = in_time(write)
        assert isinstance(error, DBAPIError)
        assert is_unreachable(error)
        for _ in range(4):
            assert in_time(write) is None


@pytest.mark.parametrize("shows_pages", [False, True])
def test_a_web_process_leaves_sessions_that_a_failover_condemned(
    url: str,
    shows_pages: bool,  # noqa: FBT001
) -> None:
    """Otherwise each thread would use the old primary for ever."""
    settings = settings_for(url)
    with store_of(settings) as store:
        upgrade(store)
        direct = direct_store(store)
        reader = StoreReader(direct)
        if shows_pages:
            reader.connection()

        def sessions() -> set[object]:
            with reader.reading_directly() as connection:
                return {direct_connection(connection).driver, direct.write(lambda own: own.driver)}

        before = sessions()
        direct.sessions.condemn()
        assert not before & sessions()
        reader.close()


def test_cutting_ends_what_a_thread_waits_for(url: str) -> None:
    """A process that is to end does not wait for its statements."""
    with store_of(settings_for(url), replace(SHORT, statement_seconds=1000.0)) as store:
        started = threading.Event()

        def sleep() -> None:
            with store.reading() as connection:
                started.set()
                connection.execute(text("SELECT pg_sleep(900)"))

        cutting = threading.Timer(0.3, store.sessions.cut)
        cutting.start()
        error = in_time(sleep)
        assert isinstance(error, DBAPIError)
        assert is_unreachable(error)


def test_a_command_that_is_to_end_waits_for_no_statement(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`enrich once` went on until the statement's own limit, which is minutes away."""
    monkeypatch.setattr(command_base, "CUT_SECONDS", 0.1)
    with store_of(settings_for(url), Limits(900.0, 900.0, 900.0)) as store:
        stop = threading.Event()
        command_base.end_waits(store, stop)

        def sleep() -> None:
            with store.reading() as connection:
                threading.Timer(0.1, stop.set).start()
                connection.execute(text("SELECT pg_sleep(900)"))

        assert isinstance(in_time(sleep), DBAPIError)


def test_behind_a_pooler_only_transactions_are_given_limits(url: str) -> None:
    """What is set for a session would stay there for the pooler's other clients."""
    show = text("SELECT current_setting('statement_timeout')")
    with store_of(settings_for(url)) as store:
        with store.reading() as connection:
            assert connection.execute(show).scalar() == "450ms"
            driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.owns_session
        assert driver.prepare_threshold is not None
        with store.writing() as connection:
            pooled = connection.connection.driver_connection
            assert pooled is not None
            pooled.execute("SET statement_timeout = 0")
            pooled.commit()
            pooled.owns_session = False
            statement = pooled.transaction_limits(SHORT)
            connection.exec_driver_sql(*statement)
            assert connection.execute(show).scalar() == "450ms"
            pooled.commit()
            assert connection.execute(show).scalar() == "0"


def test_a_connection_that_the_server_has_ended_is_replaced_before_its_use(url: str) -> None:
    """A restart of the server ends all of them while nobody looks."""
    running = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    with store_of(settings_for(url)) as store:
        with store.writing() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with store.reading() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            wait_for(lambda: not other.execute(running, {"pid": pid}).scalar_one())
        with store.writing() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


def test_a_statement_that_is_given_up_behind_a_pooler_is_cancelled(url: str) -> None:
    """It would go on in a session that the pooler lends to others."""
    asleep = text(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(801)'"
        " AND pid <> pg_backend_pid()"
    )
    with store_of(settings_for(url)) as store:

        def sleep() -> None:
            with store.reading() as connection:
                driver: Any = connection.connection.driver_connection
                driver.owns_session = False
                connection.execute(text("SET statement_timeout = 0"))
                connection.execute(text("SELECT pg_sleep(801)"))

        assert isinstance(in_time(sleep), DBAPIError)
        with store.reading() as connection:
            wait_for(lambda: not connection.execute(asleep).scalar_one(), seconds=30)


def test_a_connection_that_a_pooler_has_cut_is_the_store_s_error(url: str) -> None:
    """An error of the driver itself would be taken for one of what is written."""
    with store_of(settings_for(url)) as store:

        def cut(driver: Any, *_more: object) -> None:  # noqa: ANN401  the driver's
            driver.owns_session = False
            driver.cut()

        with store.writing():
            """Open a connection."""
        event.listen(store.writer, "checkout", cut)
        with pytest.raises(DBAPIError) as caught, store.writing():
            """The limits of the transaction come first."""
        assert is_unreachable(caught.value)


def test_a_web_process_waits_less_than_a_command() -> None:
    """Its limits come from a setting of its own."""
    settings = settings_for("sqlite:///x.db", WEB_STORE_SECONDS="0.7", STORE_LOCK_SECONDS="9")
    assert web_limits(settings) == Limits(0.7, 0.7, 0.7)
    assert command_limits(settings) == Limits(5.0, 300.0, 9.0)


def test_sqlite_waits_for_its_lock_no_longer_than_the_limit(tmp_path: Path) -> None:
    """A web process waited for half a minute, five times."""
    file = tmp_path / "store.db"
    settings = settings_for(f"sqlite:///{file}")
    with store_of(settings, Limits(0.3, 0.3, 0.3)) as store, closing(sqlite3.connect(file)) as it:
        it.execute("BEGIN IMMEDIATE")
        error = in_time(
            lambda: store.write(lambda connection: connection.execute(text("SELECT 1")))
        )
        assert isinstance(error, DBAPIError)


def test_a_connection_that_is_in_use_when_its_store_is_closed_is_closed_afterwards(
    url: str,
) -> None:
    """Otherwise the server would keep its session until Python collects garbage."""
    store = connect_store(settings_for(url))
    with store.reading() as connection:
        driver: Any = connection.connection.driver_connection
        store.close()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert driver.closed
