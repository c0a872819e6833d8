"""The answers to all rows of the samples, and to odd inputs, are what they always were.

Stored predictions, entity tags and comparisons of versions rely on equal bytes. The digests
were made by code that looked up each feature by its name and normalised each value in full.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable

import pytest

from db.errors import InputError
from db.scoring.response_body import encode_answer, student_answer
from db.scoring.student import Student
from db.scoring.student_data import StudentData, decode_student, encode_student
from db.spec.dataset_spec import DatasetSpec
from tests.conftest import ROOT, sample_spec

from . import made_students

ODD_SENTENCES = (
    *(
        "",
        " ",
        "?",
        "!!!",
        "?!…",
        "a",
        "A",
        "É",
        "e\u0301",
        "ﬁn",
        "Œuvre d’art",
        "œ",
        "ß",
        "İstanbul",
    ),
    *("un un un un", "Un ÙN", "18h30 à 20h, 2 pers. = 25 €", "5 $ 6%", "@moi; #a |b ^c $", "= < >"),
    *(
        "Où est l’hôtel ?",
        "Море спокойно, море",
        "海は静かです。",
        "البحر هادئ",
        "😀 ok 👍🏽",
        "_x_ y_",
    ),
    *(
        "x" * 50,
        "y" * 51,
        "z" * 999,
        "mot " * 249,
        "é" * 500,
        "e\u0301" * 499,
        "a\u0301\u0302b " * 90,
    ),
    *("a\tb\nc", "a\u00a0b", "  deux  espaces  ", "\u2003", "\x00", "a\x1fb", "\ud800", "a" * 1001),
    *(
        "e" + "\u0301" * 100,
        "e" + "\u0301" * 101,
        "١٢٣ heures",
        "1_000",
        "ǅ ﬀ ŉ",
        "le prix: 12 345,50€",
    ),
)
ODD_VALUES: tuple[object, ...] = (
    *(None, "", " ", "0", "-0", "0.0", "1e1", "30.5", " 30 ", "+30", "1_0", "nan", "inf", "٣"),
    *("131", "130", "-1", "1e999", "1e99", "12,5", "\u22125", "High School", "high school", "PhD "),
    *("MBA", "x" * 201, "\x00", 30, 30.0, 30.5, True, False, 2**53, 2**60, -0.0, 10**400, 1e101),
    *(float("nan"), float("inf"), [], ["PhD"], {}, {"a": 1}),
)

Row = dict[str, object]


def rows_of(name: str) -> list[Row]:
    """Return the inputs in a sample's rows, as a query has them."""
    spec = sample_spec(name)
    with (ROOT / "datasets" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{field: row[field] for field in spec.fields} for row in csv.DictReader(file)]


def odd_rows_of(name: str) -> list[Row]:
    """Return the odd inputs of a sample."""
    if name == "intents":
        texts: list[Row] = [{"sentence": text} for text in ODD_SENTENCES]
        return [*texts, {}, {"sentence": None}, {"sentence": 5}, {"phrase": "?"}]
    usual: Row = {"age": "44", "education": "Master", "income": "35950.5"}
    odd = [usual | {field: value} for field in usual for value in ODD_VALUES]
    return [*odd, {}, {"age": "44"}, dict(reversed(usual.items())), usual | {"size": "1"}]


def results(spec: DatasetSpec, data: StudentData, rows: Iterable[Row]) -> Iterable[bytes]:
    """Yield the response to each row and the key of its inputs, or what is wrong with it."""
    student = Student(decode_student(*encode_student(data)))
    for row in rows:
        try:
            inputs = spec.read_inputs(row)
        except InputError as error:
            yield str(error).encode("utf-8", "backslashreplace")
            continue
        answer = student_answer(spec.name, "made@1", student, inputs, "queued")
        yield spec.key(inputs) + encode_answer(answer)


def missing_results(data: StudentData, spec: DatasetSpec) -> Iterable[bytes]:
    """Yield the response where nothing is given."""
    student = Student(decode_student(*encode_student(data)))
    nothing = dict.fromkeys(spec.fields)
    yield encode_answer(student_answer(spec.name, "made@1", student, nothing, "off"))


def digest(parts: Iterable[bytes]) -> str:
    """Return a digest of byte strings in their order."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(4, "big") + part)
    return whole.hexdigest()[:16]


def student_of(name: str) -> StudentData:
    """Return the student of a sample; that of intents knows every second sentence."""
    if name == "customers":
        return made_students.customers()
    known = [str(row["sentence"]) for row in rows_of("intents")[::2]]
    labels = sample_spec("intents").labels
    return made_students.intents(labels, known, is_normed=name == "intents")


DIGESTS = {
    "intents": ("b1e61b374a50bd22", "36d97451e4462f65"),
    "old intents": ("a110eae20f2b8de5", "4a13f13852f1bf03"),
    "customers": ("716447647e2e9da9", "0a8cab4fa32b5756"),
}


@pytest.mark.parametrize("name", [*DIGESTS])
def test_all_answers_and_keys_of_a_sample_are_the_same_as_ever(name: str) -> None:
    """Of each row, of inputs that nobody expects, and of missing ones."""
    sample, data = name.removeprefix("old "), student_of(name)
    spec = sample_spec(sample)
    odd = [*results(spec, data, odd_rows_of(sample)), *missing_results(data, spec)]
    assert (digest(results(spec, data, rows_of(sample))), digest(odd)) == DIGESTS[name]
