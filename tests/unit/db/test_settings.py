"""Tests of the settings: valid values, and the error for each that is not valid."""

from __future__ import annotations

import pytest

from db.errors import SettingError
from db.settings import Settings, load_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing has to be set to begin."""
    settings = load_settings({})
    assert settings == Settings()
    assert settings.database_url == "sqlite:///veilleuse.db"
    assert settings.port == 8000
    assert settings.code_paths == ("datasets",)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_variable_counts_as_unset(text: str) -> None:
    """Compose files pass variables on whether they have a value or not."""
    assert load_settings({"PORT": text, "DATABASE_URL": text}) == Settings()


def test_other_variables_are_ignored() -> None:
    """The environment holds many variables of other programs."""
    assert load_settings({"PATH": "/bin", "port": "1"}) == Settings()


def test_values_are_converted_to_the_type_of_the_setting() -> None:
    """Environment variables are text; each setting parses its own."""
    settings = load_settings(
        {"PORT": " 9000 ", "STUDENT_TTL": "0.5", "LOG_FORMAT": "json", "HOST": "0.0.0.0"}  # noqa: S104
    )
    assert settings.port == 9000
    assert settings.student_ttl == 0.5
    assert settings.log_format == "json"
    assert settings.host == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize(
    ("text", "names"),
    [("one", ("one",)), ("one, two", ("one", "two")), (" one ,,two, ", ("one", "two")), (",", ())],
)
def test_names_are_separated_by_commas(text: str, names: tuple[str, ...]) -> None:
    """Spaces and stray commas are ignored."""
    settings = load_settings({"CORS_ORIGINS": text, "CODE_PATHS": text})
    assert settings.cors_origins == names
    assert settings.code_paths == names


@pytest.mark.parametrize(
    "url", ["postgres://me@host/db", "postgresql://me@host/db", "postgresql+psycopg://me@host/db"]
)
def test_every_spelling_of_postgresql_means_the_driver_that_we_install(url: str) -> None:
    """Heroku writes postgres://, which SQLAlchemy does not accept."""
    assert load_settings({"DATABASE_URL": url}).database_url == "postgresql+psycopg://me@host/db"


@pytest.mark.parametrize("url", ["sqlite:///store.db", "sqlite:////var/lib/store.db"])
def test_a_sqlite_file_may_be_anywhere(url: str) -> None:
    """Three slashes begin a relative path, four an absolute one."""
    assert load_settings({"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://host/db", "must start with sqlite:/// or postgresql://"),
        ("sqlite://", "must start with sqlite:/// or postgresql://"),
        ("store.db", "must start with sqlite:/// or postgresql://"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///", "must name a file"),
    ],
)
def test_an_unusable_database_url_is_refused(url: str, problem: str) -> None:
    """Several processes share the store, so it cannot be in memory."""
    with pytest.raises(SettingError, match=problem):
        load_settings({"DATABASE_URL": url})


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("PORT", "0", "from 1 to 65535"),
        ("PORT", "65536", "from 1 to 65535"),
        ("PORT", "http", "http"),
        ("PORT", "80.5", "80.5"),
        ("WEB_THREADS", "0", "from 1 to 64"),
        ("CACHE_ENTRIES", "-1", "from 0 to 1000000"),
        ("QUEUE_ENTRIES", "0", "from 1 to 1000000"),
        ("STUDENT_TTL", "-1", "from 0 to 86400 seconds"),
        ("STUDENT_TTL", "nan", "from 0 to 86400 seconds"),
        ("STUDENT_TTL", "inf", "from 0 to 86400 seconds"),
        ("LEASE_SECONDS", "0.5", "from 1 to 3600 seconds"),
        ("LEASE_SECONDS", "soon", "soon"),
        ("LOG_FORMAT", "xml", "one of text, json"),
    ],
)
def test_an_unusable_value_is_refused_with_its_name_and_what_to_do(
    name: str, text: str, problem: str
) -> None:
    """The message alone must be enough to correct it."""
    with pytest.raises(SettingError) as caught:
        load_settings({name: text})
    message = str(caught.value)
    assert message.startswith(f"{name}={text!r}: ")
    assert problem in message
    assert f"unset it to use {getattr(Settings(), name.lower())!r}" in message


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("PORT", 1, 65535), ("WEB_THREADS", 1, 64), ("LEASE_SECONDS", 1, 3600)],
)
def test_limits_are_included(name: str, low: int, high: int) -> None:
    """Both limits are valid values."""
    for number in (low, high):
        assert getattr(load_settings({name: str(number)}), name.lower()) == number


@pytest.mark.parametrize("name", ["PORT", "TRUSTED_PROXIES", "DATABASE_URL", "API_KEYS"])
def test_the_message_about_a_long_value_is_short(name: str) -> None:
    """A value of many thousand characters fills neither the terminal nor the log."""
    with pytest.raises(SettingError) as caught:
        load_settings({name: "é" * 20_000})
    assert len(str(caught.value)) < 1000
