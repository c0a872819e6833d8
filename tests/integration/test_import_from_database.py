"""`db infer` and `db import` with --from, as a user runs them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Done, run_command

QUERY = "SELECT * FROM flats"


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """Return the URL of an SQLite database with 40 flats."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE flats (id INTEGER, city TEXT, rent REAL, good TEXT, at)")
        connection.executemany(
            "INSERT INTO flats VALUES (?, ?, ?, ?, ?)",
            [
                (at + 100, "BCDE"[at % 4], 500 + at * 1.5, ("yes", "no")[at % 2], at * 1000)
                for at in range(40)
            ],
        )
        connection.commit()
    return f"sqlite:///{path}"


@pytest.fixture
def run(sqlite_url: str, shop: str) -> Callable[..., Done]:
    """Return a function that runs `python -m db` on an empty store, with SHOP set."""
    run_command(sqlite_url, "db", "upgrade")
    return lambda *arguments: run_command(sqlite_url, "db", *arguments, SHOP=shop)


def test_a_table_is_inferred_imported_and_kept_up_to_date(
    run: Callable[..., Done], shop: str, tmp_path: Path
) -> None:
    """The printed commands work as they are; later runs use the spec's [source]."""
    toml = tmp_path / "flats.toml"
    options = ("--from", "SHOP", "--query", QUERY)
    inferred = run("infer", *options, "--name", "flats", "--target", "good", "--out", str(toml))
    assert inferred.code == 0, inferred.err
    assert f"  python -m db import flats --from SHOP --query '{QUERY}'" in inferred.out
    text = toml.read_text("utf-8")
    assert 'id = "id"' in text
    source = '\n[source]\nurl = "SHOP"\nquery = "SELECT * FROM flats"\nremove_missing = true\n'
    toml.write_text(text + source + 'since_column = "at"\n', "utf-8")
    assert run("load", str(toml)).code == 0
    first = run("import", "flats", "--json")
    assert json.loads(first.out)["added"] == 40
    with closing(sqlite3.connect(shop.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE flats SET city = 'F', at = 99000 WHERE id = 104")
        connection.execute("DELETE FROM flats WHERE id = 105")
        connection.commit()
    second = json.loads(run("import", "flats", "--json").out)
    # The row with the highest number of the first run is read again.
    assert (second["corrected"], second["removed"], second["unchanged"]) == (1, 1, 1)
    assert json.loads(run("import", "flats", "--all", "--json").out)["unchanged"] == 39


@pytest.mark.slow
def test_options_that_contradict_each_other_are_refused(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    """Nothing is guessed."""
    for arguments, why in (
        (("a.csv", "--from", "SHOP", "--query", QUERY), "either files, or --from and --query"),
        (("--from", "SHOP"), "--from and --query go together"),
        (("--query", QUERY), "--from and --query go together"),
        (("--since-column", "at"), "--since-column goes with --from"),
        (("--from", "SHOP", "--query", QUERY, "--overlap", "5"), "goes with --since-column"),
        (("--from", "SHOP", "--query", QUERY, "--all"), "--all goes with --since-column"),
    ):
        done = run("import", "flats", *arguments)
        assert (done.code, why in done.err) == (2, True), done.err
    since = ("--since-column", "id", "--overlap", "5")
    ids = tmp_path / "ids.toml"
    ids.write_text(
        'name = "flats"\nkind = "classification"\ntarget = "good"\nid = "id"\n'
        '[fields]\ncity = { type = "text" }\n',
        "utf-8",
    )
    run("load", str(ids))
    done = run("import", "flats", "--from", "SHOP", "--query", QUERY, *since)
    assert (done.code, "id: is a number, and --overlap is in seconds" in done.err) == (1, True)
    done = run("infer", "--target", "good")
    assert (done.code, "name FILE, or --from and --query" in done.err) == (2, True), done.err
    done = run("infer", "--from", "SHOP", "--query", QUERY, "--target", "good")
    assert (done.code, "--name is needed" in done.err) == (2, True), done.err
    toml = tmp_path / "flats.toml"
    toml.write_text(
        'name = "flats"\nkind = "classification"\ntarget = "good"\n'
        '[fields]\ncity = { type = "text" }\n',
        "utf-8",
    )
    run("load", str(toml))
    done = run("import", "flats")
    assert (done.code, "has no [source]" in done.err) == (1, True)
    done = run("import", "flats", "--from", "SHOP", "--query", QUERY, "--remove-missing")
    assert (done.code, "has no id" in done.err) == (1, True)


def test_no_output_has_the_password(
    run: Callable[..., Done], postgres: Callable[[], str], tmp_path: Path
) -> None:
    """Neither of a command that works nor of one that fails."""
    url = postgres()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE flats AS SELECT g AS id, g % 7 AS rooms, g % 2 AS good"
            " FROM generate_series(1, 60) g"
        )
    hidden = url.replace("postgres:@", "postgres:pa%40ss@", 1)
    toml = str(tmp_path / "flats.toml")
    table = ("--from", hidden, "--query", QUERY)
    done = [
        run("infer", *table, "--name", "flats", "--target", "good", "--out", toml),
        run("load", toml),
        run("import", "flats", *table),
        run("import", "flats", "--from", hidden, "--query", "SELECT * FROM nowhere"),
    ]
    assert [one.code for one in done] == [0, 0, 0, 1], done
    assert "postgres:***@" in done[0].out
    assert "nowhere" in done[3].err
    assert not any(
        "pa%40ss" in text or "pa@ss" in text for one in done for text in (one.out, one.err)
    )
