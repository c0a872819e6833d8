"""Tests of sessions: what makes one, and what ends it."""

from __future__ import annotations

import hashlib

import pytest

from serve.api.access.session import (
    COOKIE,
    digest_of,
    make_session,
    open_session,
    read_cookie,
    session_end,
    set_cookie,
)

KEY = "a-key-of-readers, longer than the 32 bytes of its hash"
NOW, HOUR = 1_800_000_000, 3600
SESSION = make_session(KEY, NOW + HOUR)


def test_a_session_is_opened_by_the_hash_of_its_key() -> None:
    """The settings may have no more than the hash."""
    assert open_session(SESSION, [digest_of("another"), digest_of(KEY)]) == KEY


@pytest.mark.parametrize(
    "session",
    [
        "",
        KEY,
        SESSION.partition(".")[0],
        f"{NOW + 9 * HOUR}.{SESSION.partition('.')[2]}",
        SESSION[:-4],
        f"{SESSION}AAAA",
        f"{SESSION}A",
        f"x{SESSION}",
        make_session("another", NOW + HOUR),
        make_session(hashlib.sha256(KEY.encode()).hexdigest(), NOW + HOUR),
    ],
)
def test_a_session_that_was_made_up_or_changed_is_none(session: str) -> None:
    """Its time cannot be changed either, and the hash in the settings makes no session."""
    assert open_session(session, [digest_of(KEY)]) == ""


def test_a_session_does_not_open_after_its_key_has_been_removed() -> None:
    """That is how an operator ends sessions."""
    assert open_session(SESSION, [digest_of("its successor")]) == ""


def test_a_session_ends_in_time() -> None:
    """It also ends if SESSION_HOURS is lowered below what it has left."""
    assert session_end(SESSION, NOW, HOUR) == NOW + HOUR
    assert session_end(SESSION, NOW + HOUR, HOUR) == 0
    assert session_end(SESSION, NOW, HOUR / 2) == 0
    assert session_end("wrong", NOW, HOUR) == 0


def test_a_session_behind_tls_is_read_from_a_cookie_that_no_other_host_can_set() -> None:
    """A page on plain HTTP could set a cookie without the prefix."""
    tls = {"wsgi.url_scheme": "https", "HTTP_COOKIE": f"{COOKIE}=a; __Host-{COOKIE}=b"}
    assert read_cookie(tls) == "b"
    assert read_cookie({**tls, "SCRIPT_NAME": "/ml"}) == ""
    assert read_cookie({**tls, "wsgi.url_scheme": "http"}) == "a"


def test_the_cookie_under_a_path_is_for_that_path() -> None:
    """Other applications on the host do not get it."""
    environ = {"wsgi.url_scheme": "https", "SCRIPT_NAME": "/ml"}
    header = set_cookie(environ, "value", 60)
    assert header.startswith(f"__Secure-{COOKIE}=value; Path=/ml; Max-Age=60; HttpOnly;")
    assert header.endswith("SameSite=Strict; Secure")
