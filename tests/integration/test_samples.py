"""The sample datasets of the repository, and the students trained on them."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter

import numpy as np
import pytest

from datasets.customers import write_customers
from db.files.reader import read_rows
from db.scoring.student import Student, decode_student, encode_student
from db.spec.dataset_spec import DatasetSpec
from enrich.learning.column import columns_of, make_table
from enrich.learning.student_training import StudentTrainingSet, fit_student
from tests.conftest import ROOT, sample_spec

# Two lines this similar would come from one template, perhaps on both sides of a fold.
MAX_SIMILARITY = 0.5


def rows_of(name: str) -> tuple[DatasetSpec, list[dict[str, object]]]:
    """Return a sample's spec and rows."""
    spec = sample_spec(name)
    return spec, [row.values for row in read_rows(ROOT / "datasets" / f"{name}.csv")]


def training_set_of(name: str) -> tuple[DatasetSpec, StudentTrainingSet]:
    """Return a sample's spec, and a training set of all its labelled rows."""
    spec, rows = rows_of(name)
    inputs = [spec.pick_inputs(row) for row in rows]
    labels = [spec.read_label(row[spec.target]) for row in rows]
    kind = "f8" if spec.kind == "regression" else "U"
    training_set = StudentTrainingSet(
        rows=inputs,
        labels=np.array(labels).astype(kind),
        unlabelled=[],
        answers=np.zeros((0, 8)) if kind == "U" else np.zeros(0),
        names=spec.labels,
    )
    return spec, training_set


@pytest.mark.parametrize("name", ["intents", "customers"])
def test_student_and_scikit_learn_agree_on_every_record(name: str) -> None:
    """The student is the same model without NumPy; results agree to 1e-6."""
    spec, training_set = training_set_of(name)
    model, design, data = fit_student(spec, training_set)
    student = Student(decode_student(*encode_student(data)))
    matrix = design.matrix(training_set.rows)
    if spec.kind == "classification":
        ours = np.array([student.probabilities(dict(row)) for row in training_set.rows])
        assert np.abs(ours - model.predict_proba(matrix)).max() < 1e-6
    else:
        theirs = data.target_mean + data.target_scale * model.predict(matrix)
        numbers = np.array([student.number(dict(row)) for row in training_set.rows])
        assert np.abs(numbers / theirs - 1).max() < 1e-6


def test_intents_has_enough_varied_utterances_of_each_kind() -> None:
    """There are at least 1,200, and none of the eight labels is rare."""
    spec, rows = rows_of("intents")
    counts = Counter(str(row["intent"]) for row in rows)
    assert len(rows) >= 1200
    assert set(counts) == set(spec.labels)
    assert min(counts.values()) >= 150


def test_no_two_utterances_are_near_copies() -> None:
    """A copy on the other side of a fold would make every score look better than it is."""
    _, rows = rows_of("intents")
    grams = [_grams(str(row["sentence"])) for row in rows]
    sizes = np.array([len(line) for line in grams])
    names = {gram: at for at, gram in enumerate(sorted(set().union(*grams)))}
    table = np.zeros((len(grams), len(names)), dtype=np.float32)
    for at, line in enumerate(grams):
        table[at, [names[gram] for gram in line]] = 1
    common = table @ table.T
    similarity = common / (sizes[:, None] + sizes[None, :] - common)
    np.fill_diagonal(similarity, 0)
    assert similarity.max() < MAX_SIMILARITY


def _grams(text: str) -> set[str]:
    plain = "".join(
        character
        for character in unicodedata.normalize("NFD", text.lower())
        if not unicodedata.combining(character)
    )
    return {plain[at : at + 3] for at in range(len(plain) - 2)} or {plain}


def test_customers_is_what_its_generator_writes() -> None:
    """The documented formula is the one that made the file."""
    out = io.StringIO()
    write_customers(out)
    assert out.getvalue() == (ROOT / "datasets" / "customers.csv").read_text("utf-8")
    assert len(list(csv.DictReader(io.StringIO(out.getvalue())))) == 1000


def test_a_table_of_every_kind_of_column_can_be_made() -> None:
    """Teachers written by users receive such a table."""
    spec = sample_spec("customers")
    columns = columns_of(spec, {"score": 0.5})
    table = make_table(columns, [{**spec.example_inputs(), "score": 0.5}])
    assert columns == {
        "age": "number",
        "education": "choice",
        "income": "number",
        "score": "number",
    }
    assert table["education"].tolist() == ["Master"]
