"""Tests of `db publish` as a user runs it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from db.files.importer import import_files
from db.settings import Settings
from db.spec.section import PublicationSpec
from db.store.store import Store
from tests.conftest import Done
from tests.hand_made_student import RENTS, rents, serve_student

SECRET = "p%40ss%2Fword"  # noqa: S105
Publish = Callable[..., Done]


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """Return the file of the user's database, which is not there yet."""
    return tmp_path / "users.db"


@pytest.fixture
def publish(store: Store, command: Callable[..., Done], tmp_path: Path, users: Path) -> Publish:
    """Return a function that runs `db publish rents` with two rows and a model."""
    section = PublicationSpec(url="CRM_URL", table="from_spec")
    dataset = serve_student(store, msgspec.structs.replace(RENTS, publish=section), rents())
    file = tmp_path / "rents.csv"
    file.write_text("flat,area,town\nF1,40,Lyon\nF2,55.5,Paris\n", "utf-8")
    import_files(store, dataset, [file])

    def run(*arguments: str, **environment: str) -> Done:
        variables = {"CRM_URL": f"sqlite:///{users}", **environment}
        return command("db", "publish", "rents", *arguments, **variables)

    return run


def rows(users: Path, table: str) -> Mapping[str, float]:
    """Return the predictions in a table."""
    with sqlite3.connect(users) as connection:
        found = dict(connection.execute(f"SELECT id, prediction FROM {table}"))  # noqa: S608
    connection.close()
    return found


def test_predictions_are_published_to_the_table_that_is_named(
    publish: Publish, users: Path
) -> None:
    """The URL is given as it is, or by a variable; a line tells what became of the rows."""
    done = publish("--to", f"sqlite:///{users}", "--table", "scores")
    assert (done.code, done.err) == (0, "")
    assert done.out == "rents: 2 rows in scores: 2 inserted, 0 updated, 0 unchanged\n"
    assert rows(users, "scores").keys() == {"F1", "F2"}
    again = publish("--to", "CRM_URL", "--table", "scores", "--json")
    counts = {"inserted": 0, "updated": 0, "unchanged": 2, "deleted": 0}
    assert json.loads(again.out) == counts


def test_the_section_of_the_spec_is_used_without_options(publish: Publish, users: Path) -> None:
    """--remove-missing may be added."""
    assert publish().code == 0
    with sqlite3.connect(users) as connection:
        connection.execute("INSERT INTO from_spec (id) VALUES ('gone')")
    connection.close()
    done = publish("--remove-missing")
    assert done.out == (
        "rents: 2 rows in from_spec: 0 inserted, 0 updated, 2 unchanged, 1 deleted\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "CRM_URL"), "use --to and --table together"),
        (("--to", "NOT_SET", "--table", "t"), "environment variable NOT_SET is not set"),
        (("--to", "CRM_URL", "--table", "a b"), "'a b' is not the name of a table"),
        (("--to", "sqlite:////no/such/folder/x.db", "--table", "t"), "unable to open database"),
    ],
)
def test_a_destination_that_cannot_be_used_is_one_clear_error(
    publish: Publish, arguments: tuple[str, ...], message: str
) -> None:
    """Its exit code says that it failed."""
    done = publish(*arguments)
    assert done.code != 0
    assert message in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_a_dataset_without_the_section_asks_for_the_options(
    store: Store, command: Callable[..., Done]
) -> None:
    """The error names them."""
    serve_student(store, RENTS, rents())
    done = command("db", "publish", "rents")
    assert done.code == 1
    assert done.err == (
        "veilleuse: rents: has no section [publish]; name the destination with --to and --table\n"
    )


@pytest.mark.parametrize("server", ["postgresql", "mysql"])
def test_no_password_is_shown(publish: Publish, settings: Settings, server: str) -> None:
    """Nobody listens on the port of the URL, so that the driver tells all that it knows."""
    assert settings
    url = f"{server}://user:{SECRET}@127.0.0.1:1/crm"
    for arguments in (("--to", url, "--table", "scores"), ()):
        done = publish(*arguments, CRM_URL=url)
        assert done.code == 1
        assert len(done.err.splitlines()) == 1
        assert "127.0.0.1" in done.err
        assert not {SECRET, "p@ss/word", "ss%2F"} & {
            shown for shown in (SECRET, "p@ss/word", "ss%2F") if shown in done.out + done.err
        }
