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
from db.scoring.student import Student
from db.scoring.student_data import decode_student, encode_student
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs
from enrich.learning.column import columns_of, make_table
from enrich.learning.portable.search import fit_found, search
from enrich.learning.problem import DatasetProblem, make_problem
from enrich.learning.training_table import make_frame
from tests.conftest import ROOT, sample_spec

# Two lines this similar would come from one template, perhaps on both sides of a fold.
MAX_SIMILARITY = 0.5


def rows_of(name: str) -> tuple[DatasetSpec, list[dict[str, object]]]:
    """Return a sample's spec and rows."""
    spec = sample_spec(name)
    return spec, [row.values for row in read_rows(ROOT / "datasets" / f"{name}.csv")]


def problem_of(name: str) -> tuple[list[Inputs], DatasetProblem]:
    """Return the inputs of a sample's records, and the problem of learning from all its rows."""
    spec, rows = rows_of(name)
    labels: dict[bytes, list[str]] = {}
    inputs: dict[bytes, Inputs] = {}
    for row in rows:
        picked = spec.pick_inputs(row)
        inputs[spec.key(picked)] = picked
        labels.setdefault(spec.key(picked), []).append(str(spec.read_label(row[spec.target])))
    records = [(key, dict(picked), labels[key]) for key, picked in inputs.items()]
    frame = make_frame(spec, records, list(inputs.values()), [])
    unlabelled = make_frame(spec, [], [], [])
    return list(inputs.values()), make_problem(spec, frame, unlabelled)


@pytest.mark.parametrize("name", ["intents", "customers"])
def test_student_and_scikit_learn_agree_on_every_record(name: str) -> None:
    """The student is the same model without NumPy; results agree to 1e-6."""
    inputs, learning = problem_of(name)
    model = fit_found(learning.problem, search(learning.problem, lambda _note, _records: None))
    data = model.student(learning.names, learning.scale)
    student = Student(decode_student(*encode_student(data)))
    theirs = learning.answers(model.scores(np.arange(len(inputs))))
    if learning.names:
        ours = np.array([student.probabilities(one) for one in inputs])
        assert np.abs(ours - theirs).max() < 1e-6
    else:
        numbers = np.array([student.number(one) for one in inputs])
        assert np.abs(numbers / theirs[:, 0] - 1).max() < 1e-6


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
