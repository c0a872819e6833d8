"""Tests of connections to users' databases: clear errors, no password in any text."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from sqlalchemy import make_url

from db.errors import ExchangeError
from db.exchange.user_database import (
    _driver_options,
    _secrets,
    database_url,
    open_database,
    shown_url,
)

PASSWORD = "s3cret%40%2Fw%C3%B6rd"  # noqa: S105  s3cret@/wörd, made up
SPELLINGS = ("s3cret", "w%C3%B6rd", "wörd")


def reason(url: str, *, read_only: bool = True) -> str:
    """Return the error of a connection."""
    with (
        pytest.raises(ExchangeError) as caught,
        open_database(url, read_only=read_only) as database,
        database.connect(),
    ):
        pass
    message = str(caught.value)
    assert "\n" not in message
    assert not any(spelling in message for spelling in SPELLINGS)
    return message


def test_a_variable_or_a_url_names_the_database() -> None:
    """The message about a text that is neither does not show it: it may have a password."""
    environ = {"SHOP": " sqlite:///shop.db ", "WRONG": "s3cret", "EMPTY": ""}
    assert database_url("SHOP", environ) == "sqlite:///shop.db"
    assert database_url("postgresql://h/x", {}) == "postgresql://h/x"
    for named, why in (
        ("OTHER", "OTHER is not set"),
        ("EMPTY", "EMPTY is not set"),
        ("WRONG", "WRONG: must be a URL"),
        ("u:s3cret@host/db", "must be a URL"),
    ):
        with pytest.raises(ExchangeError, match=why) as caught:
            database_url(named, environ)
        assert "s3cret" not in str(caught.value)


def test_a_host_that_refuses_is_named_without_the_password() -> None:
    """The user, the host and the database are shown."""
    for scheme in ("postgresql", "mysql"):
        message = reason(f"{scheme}://u:{PASSWORD}@127.0.0.1:1/shop?connect_timeout=3")
        assert message.startswith(f"{scheme}://u@127.0.0.1:1/shop: ")
        assert "refused" in message


def test_a_host_that_accepts_and_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that hangs would stop the worker's job forever."""
    monkeypatch.setattr("db.exchange.user_database.CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for scheme in ("postgresql", "mysql"):
            assert reason(f"{scheme}://u:{PASSWORD}@127.0.0.1:{port}/shop")


def test_a_connection_notices_that_the_other_end_is_gone() -> None:
    """A query may take hours, so nothing but TCP tells; an option of the URL comes first."""
    plain = _driver_options(make_url("postgresql+psycopg://h/shop"))
    assert plain["keepalives_idle"] == 15
    assert plain["tcp_user_timeout"] == 30_000
    chosen = _driver_options(make_url("postgresql+psycopg://h/shop?keepalives_idle=99"))
    assert "keepalives_idle" not in chosen
    assert _driver_options(make_url("sqlite:///shop.db")) == {"timeout": plain["connect_timeout"]}


def test_an_unknown_option_is_a_fault_of_the_url() -> None:
    """Also if the option's value is a secret."""
    for scheme in ("postgresql", "mysql"):
        message = reason(f"{scheme}://u:geheim@127.0.0.1:1/shop?nix_token={PASSWORD}")
        assert "nix_token" in message


def test_a_missing_driver_says_what_to_install() -> None:
    """So does an unknown kind of database."""
    assert "pip install pyodbc" in reason(f"mssql+pyodbc://u:{PASSWORD}@h/x")
    assert "no such kind of database" in reason(f"nix://u:{PASSWORD}@h/x")


def test_a_url_that_cannot_be_read_is_not_shown() -> None:
    """The part that cannot be read may be the password."""
    assert "cannot be read" in reason(f"postgresql://u:{PASSWORD}@h:port/x")


def test_a_missing_sqlite_file_is_not_created(tmp_path: Path) -> None:
    """Neither is a folder read as a file."""
    for path in (tmp_path / "missing.db", tmp_path):
        assert "there is no such file" in reason(f"sqlite:///{path}", read_only=False)
    assert not list(tmp_path.iterdir())


def test_a_shown_url_has_stars_for_each_secret() -> None:
    """A variable is shown as it is, so that the command can be copied."""
    assert shown_url("SHOP") == "SHOP"
    url = f"postgresql://u:{PASSWORD}@h/x?sslpassword=s3cret&sslmode=require"
    assert shown_url(url) == "postgresql://u:***@h/x?sslpassword=***&sslmode=***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:a!b%40c@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:a%2fb@h/db", "postgresql://u:***@h/db"),
        ("mysql://u:p$w%40d@h:3306/db", "mysql://u:***@h:3306/db"),
        ("postgresql://u:a/b?c@h/db", "postgresql://u:***@h/db"),
        ("postgresql://db:db@db/db", "postgresql://db:***@db/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgresql://h/db?user=u&password=x@y&z", "postgresql://h/db?user=***&password=***&***"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dx", "mssql+pyodbc:///?odbc_connect=***"),
        ("sqlite:////tmp/a:b@c.db", "sqlite:////tmp/a:b@c.db"),
    ],
)
def test_a_secret_is_hidden_in_each_spelling(url: str, shown: str) -> None:
    """It is recognised by its place in the URL."""
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:pw@s3cret@127.0.0.1/x",
        "postgresql://u:p@w/s3cret@127.0.0.1/x",
        "postgresql://u:p@w?s3cret@127.0.0.1/x",
        "postgresql://u/x:s3cret@127.0.0.1/x",
        "postgresql://127.0.0.1:1/x?user=u&password=pw@s3cret",
    ],
)
def test_an_at_sign_within_a_password_must_be_escaped(url: str) -> None:
    """What follows it would be shown as the host."""
    assert "write each other @ as %40" in reason(url)
    with pytest.raises(ExchangeError, match="%40"):
        shown_url(url)


def test_the_password_in_an_odbc_connection_string_is_hidden() -> None:
    """Drivers may show it by itself."""
    url = make_url("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Du%3BPwd%3Ds3cret%3BA%3Db")
    assert "s3cret" in _secrets(url)
