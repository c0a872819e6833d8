"""Tests of the store's address: as platforms print it, and without its secrets in messages."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, make_url

from db.errors import SettingError
from db.settings import load_settings
from db.settings.address import connection_parameters, hide_secrets, shown_address, store_address


def parameters(address: str) -> dict[str, object]:
    """Return what the driver gets for the address in DATABASE_URL, the same with SQLAlchemy."""
    rendered = load_settings({"DATABASE_URL": address}).database_url
    engine = create_engine(rendered)
    given = engine.dialect.create_connect_args(engine.url)[1]
    given = {name: value for name, value in given.items() if name != "context"}
    assert connection_parameters(rendered) == given
    return given


def of(host: str, port: int | None = None, **more: str) -> dict[str, object]:
    """Return the parameters of user u with password p in the database d."""
    found: dict[str, object] = {"host": host, "dbname": "d", "user": "u", "password": "p"}
    found.update(more)
    return found if port is None else {**found, "port": port}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        # Heroku, Render, RDS, Neon, Supabase: as their pages print them.
        ("postgres://u:p@ec2-1.amazonaws.com:5432/d", of("ec2-1.amazonaws.com", 5432)),
        ("postgresql://u:p@dpg-a/d", of("dpg-a")),
        (
            "postgresql://u:p@x.rds.amazonaws.com:5432/d?sslmode=verify-full&sslrootcert=/rds.pem",
            of("x.rds.amazonaws.com", 5432, sslmode="verify-full", sslrootcert="/rds.pem"),
        ),
        (
            "postgresql://u:p@ep-pooler.neon.tech/d?channel_binding=require&options=endpoint%3Dx",
            of(
                "ep-pooler.neon.tech",
                channel_binding="require",
                options="endpoint=x",
            ),
        ),
        (
            "postgres://u.abc:p@aws.supabase.com:6543/d?pgbouncer=true&connection_limit=1&supa=pooler",
            of("aws.supabase.com", 6543, user="u.abc"),
        ),
        ("postgresql://u:p@h/d?prepare_threshold=0", of("h")),
        ("postgresql://u:p@h/d?ssl=true", of("h", sslmode="require")),
        ("postgresql://u:p@h/d?connect_timeout=5", of("h", connect_timeout="5")),
        ("postgresql://u:p@h/d?application_name=a", of("h", application_name="a")),
        # The user of Azure has an @.
        ("postgres://u@server:p@h/d", of("h", user="u@server")),
        ("postgres://u:p#1/2@h/d", of("h", password="p#1/2")),
        ("postgres://u:p%402%25@h/d", of("h", password="p@2%")),
        ("postgres://u:p:q?r@h/d", of("h", password="p:q?r")),
        ("postgres://h/d?user=u&password=p", of("h")),
        ("postgres://u:p@[::1]:5433/d", of("::1", 5433)),
        ("postgresql://u:p@%2Fvar%2Frun/d", of("/var/run", port=None)),
        ("postgresql://u:p@/d?host=/var/run", of("/var/run")),
    ],
)
def test_an_address_as_a_platform_prints_it_works(
    address: str, expected: dict[str, object]
) -> None:
    """A newcomer copies it from the page of the platform."""
    given = parameters(address)
    if str(expected["host"]).startswith("/"):
        given.pop("port", None)
    assert given == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("a,b", {"host": "a,b", "port": "5432,5432"}),
        ("a:5433,[::1]:5434", {"host": "a,::1", "port": "5433,5434"}),
    ],
)
def test_of_several_hosts_the_one_that_accepts_writes_is_used(
    hosts: str, expected: dict[str, object]
) -> None:
    """After a failover it is another one."""
    given = parameters(f"postgresql://u:p@{hosts}/d")
    assert given == {**of(""), **expected, "target_session_attrs": "read-write"}
    chosen = parameters(f"postgresql://u:p@{hosts}/d?target_session_attrs=primary")
    assert chosen["target_session_attrs"] == "primary"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("postgres://u:s3cret@word@h/d", "write each @ of the user and the password as %40"),
        ("postgres://u:a?b=s3cret@h/d", r"each \? as %3F"),
        ("postgres://h/d?s3cret#1=x", r"the option \*\*\*, which PostgreSQL does not have"),
        ("postgres://u:s3cret@h:99999/d", "host 1 cannot be read; it must be HOST or HOST:PORT"),
        ("postgres://u:s3cret@a,b:x/d", "host 2 cannot be read"),
        ("postgres://u:s3cret@::1/d", r"an IPv6 address in \[ \]"),
        ("postgres://u:s3cret@h/d?schema=app", "schema, .* set DATABASE_SCHEMA to the schema"),
        ("postgres://u:s3cret@h/d?sslmode=no-verify", "write sslmode=require"),
        ("postgres://u:s3cret@h/d?statement_timeout=5", "set STORE_STATEMENT_SECONDS instead"),
        ("postgres://u:s3cret@h/d?frobnicate=5", "option frobnicate, .*; leave it out"),
        ("postgres://u:s3cret@h/d?sslmode=allow&sslmode=prefer", "sslmode twice"),
        ("postgres://u:s3cret@h/d?password=other", "the password twice"),
        ("postgres://u:s3cret@h/d?host=other", "the host twice"),
        ("'postgres://u:s3cret@h/d'", "must not have quotes"),
        ("mysql://u:s3cret@h/d?password=s3cret", "must start with sqlite:/// or postgresql://"),
        ("u:s3cret@h/d", "must start with"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_without_its_secrets(
    address: str, problem: str
) -> None:
    """The message names the part and how to write it; it ends up in logs."""
    with pytest.raises(SettingError, match=problem) as caught:
        load_settings({"DATABASE_URL": address})
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgres://u:s3cret@h:1/d?sslpassword=s3cret", "postgresql://u:***@h:1/d"),
        ("postgres://h/d?user=u&password=s3cret&passfile=/s3cret", "postgresql://u:***@h/d"),
        ("postgres://u@a:1,b/d", "postgresql://u@a:1,b:5432/d"),
        ("postgres:///d?host=/run/pg", "postgresql:///d?host=/run/pg"),
        ("postgres://u@[::1]:2/d", "postgresql://u@[::1]:2/d"),
        ("sqlite:///store.db?timeout=5", "sqlite:///store.db"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    """Commands, the doctor and errors show it."""
    assert shown_address(make_url(store_address(address))) == shown


def test_secrets_are_hidden_in_messages_of_the_driver() -> None:
    """In each spelling."""
    url = make_url(store_address("postgres://u:a%40b@h/d?sslpassword=k%20y&passfile=/p"))
    message = "a@b and a%40b, k y and k+y, /p of u"
    assert hide_secrets(message, url) == "*** and ***, *** and ***, *** of u"


def test_a_schema_is_refused_on_sqlite() -> None:
    """It would be ignored."""
    with pytest.raises(SettingError, match="SQLite has no schemas"):
        load_settings({"DATABASE_URL": "sqlite:///a.db", "DATABASE_SCHEMA": "app"})
