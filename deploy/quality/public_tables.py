"""Public tables that installed packages carry: scikit-learn, ISLP and pydataset.

ISLP and pydataset need other heavy packages to be imported, so their files are read without that.
"""

from __future__ import annotations

import csv
import io
import random
import tarfile
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, TypeAlias

from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from .table import MISSING, Kind, Table

Rows: TypeAlias = list[list[str]]

SEED = 0


def read_islp(file: str) -> Rows:
    """Return the rows of one of ISLP's files, the header first."""
    path = Path(str(distribution("ISLP").locate_file(f"ISLP/data/{file}.csv")))
    return list(csv.reader(path.read_text("utf-8").splitlines()))


def read_pydataset(file: str) -> Rows:
    """Return the rows of one of pydataset's files, such as car/SLID, without R's row names."""
    member = _archive().extractfile(f"resources/rdata/csv/{file}.csv")
    assert member is not None  # noqa: S101  it is a file, not a folder
    return [row[1:] for row in csv.reader(io.TextIOWrapper(member, "utf-8"))]


@cache
def _archive() -> tarfile.TarFile:
    path = distribution("pydataset").locate_file("pydataset/resources.tar.gz")
    return tarfile.open(str(path))


def read_sklearn(load: Callable[[], Any]) -> Rows:
    """Return the rows of one of scikit-learn's tables, with words for labels."""
    data = load()
    labels = [str(name) for name in getattr(data, "target_names", [])]
    header = [*map(str, data.feature_names), "target"]
    truth = [labels[label] if labels else f"{label:g}" for label in data.target]
    cells = [[f"{number:.12g}" for number in row] for row in data.data]
    return [header, *([*row, label] for row, label in zip(cells, truth, strict=True))]


def make_table(  # noqa: PLR0913  one parameter for each choice
    name: str,
    kind: Kind,
    target: str,
    rows: Rows,
    *,
    dropped: Collection[str] = (),
    labels: Mapping[str, str] | None = None,
    most_rows: int | None = None,
) -> Table:
    """Return a table without the dropped columns and without rows whose target is missing.

    `labels` names the labels in words. A sample of `most_rows` is taken if there are more.
    """
    header, *body = rows
    at = header.index(target)
    kept = [place for place, column in enumerate(header) if column not in dropped]
    labelled = [row for row in body if row[at] not in MISSING]
    if most_rows and len(labelled) > most_rows:
        labelled = random.Random(SEED).sample(labelled, most_rows)  # noqa: S311  no secret
    for row in labelled:
        row[at] = (labels or {}).get(row[at], row[at])
    return Table(
        name=name,
        kind=kind,
        target=target,
        columns=[header[place] for place in kept],
        rows=[[row[place] for place in kept] for row in labelled],
    )


def _islp(name: str, kind: Kind, target: str, **options: Any) -> Callable[[], Table]:  # noqa: ANN401
    def read() -> Table:
        return make_table(name.lower(), kind, target, read_islp(name), **options)

    return read


def _pydataset(file: str, kind: Kind, target: str, **options: Any) -> Callable[[], Table]:  # noqa: ANN401
    def read() -> Table:
        name = file.rpartition("/")[2].lower().replace(".", "-")
        return make_table(name, kind, target, read_pydataset(file), **options)

    return read


def _sklearn(name: str, kind: Kind, load: Callable[[], Any], **options: Any) -> Callable[[], Table]:  # noqa: ANN401
    return lambda: make_table(name, kind, "target", read_sklearn(load), **options)


# Labels that are not words would be read as numbers to predict.
DIGITS = {str(digit): f"digit {digit}" for digit in range(10)}

# Dropped are columns that the target is computed from, or that are known only after it.
PUBLIC_TABLES: dict[str, Callable[[], Table]] = {
    "carseats": _islp("Carseats", "regression", "Sales"),
    "bikeshare": _islp("Bikeshare", "regression", "bikers", dropped=["casual", "registered"]),
    "college": _islp("College", "regression", "Outstate"),
    "hitters": _islp("Hitters", "regression", "Salary"),
    "wage": _islp("Wage", "regression", "wage", dropped=["logwage"]),
    "housing": _pydataset("Ecdat/Housing", "regression", "price"),
    "computers": _pydataset("Ecdat/Computers", "regression", "price"),
    "diamonds": _pydataset("ggplot2/diamonds", "regression", "price", most_rows=8000),
    "slid": _pydataset("car/SLID", "regression", "wages"),
    "diabetes": _sklearn("diabetes", "regression", partial(load_diabetes, scaled=False)),
    "oj": _islp("OJ", "classification", "Purchase"),
    "default": _islp("Default", "classification", "default"),
    "caravan": _islp("Caravan", "classification", "Purchase"),
    "breast_cancer": _sklearn("breast_cancer", "classification", load_breast_cancer),
    "wine": _sklearn("wine", "classification", load_wine),
    "chile": _pydataset("car/Chile", "classification", "vote"),
    "mroz": _pydataset(
        "Ecdat/Mroz", "classification", "work", dropped=["hoursw", "hearnw", "wagew"]
    ),
    "participation": _pydataset("Ecdat/Participation", "classification", "lfp"),
    "fishing": _pydataset("Ecdat/Fishing", "classification", "mode", dropped=["price", "catch"]),
    "flchain": _pydataset(
        "survival/flchain",
        "classification",
        "death",
        dropped=["futime", "chapter"],
        labels={"0": "alive", "1": "dead"},
    ),
    # The settings that training tries were chosen without the following tables.
    "credit": _islp("Credit", "regression", "Balance"),
    "star": _pydataset("Ecdat/Star", "regression", "tmathssk", dropped=["treadssk"]),
    "wages1": _pydataset("Ecdat/Wages1", "regression", "wage"),
    "budgetfood": _pydataset("Ecdat/BudgetFood", "regression", "wfood", most_rows=8000),
    "pima-tr2": _pydataset("MASS/Pima.tr2", "classification", "type"),
    "digits": _sklearn("digits", "classification", load_digits, labels=DIGITS),
}
