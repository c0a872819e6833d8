"""Unprepared tables, from their file to a prediction."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sklearn import datasets as tables

from db.records.dataset import find_dataset
from db.store.store import connect_store
from tests.conftest import Done, settings_for

from .conftest import query, run_in, serving

FRENCH = """\
"N° client";"Âge";"Ville d'origine";"Surface (m²)";"Date d'arrivée";"Balcon";"Loyer payé (€)"
"""


def write_table(folder: Path, load: Callable[..., object], every: int = 1) -> Path:
    """Write out a table that scikit-learn ships, with its target as the column "target"."""
    file = folder / f"{load.__name__.removeprefix('load_')}.csv"
    rows = load(as_frame=True).frame.iloc[::every]  # type: ignore[attr-defined]
    rows.to_csv(file, index=False)
    return file


def write_french(folder: Path) -> Path:
    """Write a CSV file of a French spreadsheet: semicolons, decimal commas, a BOM, gaps, dates."""
    rng = random.Random(1)
    lines = [FRENCH]
    for number in range(200):
        surface = round(rng.uniform(15, 120), 1)
        rent = round(surface * 14.5 + rng.uniform(-90, 90), 2)
        town = rng.choice(["Saint-Étienne", "Nîmes", "Besançon", ""])
        age = rng.choice([str(rng.randint(18, 90)), "n/a"])
        day = f"{rng.randint(1, 28):02}/0{rng.randint(1, 9)}/2025"
        balcony = rng.choice(["oui", "non"])
        cells = (1000 + number, age, town, f"{surface}", day, balcony, f"{rent:.2f}")
        lines.append(";".join(str(cell).replace(".", ",") for cell in cells) + "\n")
    file = folder / "locataires.csv"
    file.write_text("".join(lines), "utf-8-sig")
    return file


WRITERS: dict[str, Callable[[Path], tuple[Path, str]]] = {
    "diabetes": lambda folder: (write_table(folder, tables.load_diabetes), "target"),
    # Its many columns are the point, and training on all of its rows takes long.
    "breast cancer": lambda folder: (write_table(folder, tables.load_breast_cancer, 4), "target"),
    "French": lambda folder: (write_french(folder), "Loyer payé (€)"),
}
EASY = ("diabetes", "breast cancer")


# `make test` runs only the hardest file.
@pytest.mark.parametrize(
    "table", [*(pytest.param(name, marks=pytest.mark.slow) for name in EASY), "French"]
)
def test_a_table_goes_from_its_file_to_a_prediction_in_five_commands(
    table: str, tmp_path: Path, sqlite_url: str
) -> None:
    """The commands are infer, load, import, train and serve; nothing is edited in between."""
    file, target = WRITERS[table](tmp_path)

    run = partial(run_in, tmp_path, sqlite_url)
    assert run("db", "upgrade").code == 0
    done = run("db", "infer", file.name, "--target", target)
    assert done.code == 0, done.err
    name = next(tmp_path.glob("*.toml")).stem
    for arguments in (
        ("db", "load", f"{name}.toml"),
        ("db", "import", name, file.name, "--strict"),
        ("enrich", "train", name),
    ):
        done = run(*arguments)
        assert done.code == 0, done.err
    assert " is active: " in done.out
    with serving(sqlite_url, tmp_path / "log.txt") as site:
        store = connect_store(settings_for(sqlite_url))
        with store.reading() as connection:
            example = find_dataset(connection, name).spec.example_inputs()
        store.close()
        reply = site.get(f"/predict?{query(**example)}")
        assert reply.status == 200, reply.body
        assert reply.json()["dataset"] == name


def test_column_names_of_a_spreadsheet_become_names_that_fit_in_a_url(
    tmp_path: Path, command: Callable[..., Done]
) -> None:
    """The original names are kept; the row numbers become the id, and the dates are used."""
    file = write_french(tmp_path)
    out = tmp_path / "drafted.toml"
    done = command("db", "infer", str(file), "--target", "Loyer payé (€)", "--out", str(out))
    assert done.code == 0, done.err
    text = out.read_text("utf-8")
    assert 'column = "Surface (m²)"' in text
    assert 'target_format = "1234,5"' in text
    assert 'id = "n_client"' in text
    shown = " ".join(done.out.split())
    assert "N° client: id, one per row" in shown
    assert "Date d'arrivée: date, " in shown
