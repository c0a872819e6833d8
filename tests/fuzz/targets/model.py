"""Stored bytes of models: students, teachers, and predictions."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from db.scoring.student import Student
from db.scoring.student_data import Artifact, decode_student, encode_student
from db.spec.field import Inputs
from enrich.learning.teacher_file import dump_teacher, load_teacher
from tests.fuzz.target import FuzzTarget
from tests.hand_made_student import rents, tones

_INPUTS: tuple[Inputs, ...] = (
    {"area": 40, "town": "Lyon", "sentence": "bonjour à tous"},
    {"area": None, "town": None, "sentence": None},
)


def _use(packed: bytes) -> None:
    """Read a student and ask it, as a web process does."""
    data = decode_student(packed, hashlib.sha256(packed).hexdigest())
    student = Student(data)
    student.check(_INPUTS[0])
    for inputs in _INPUTS:
        student.outputs(inputs)
        student.explain(inputs)


def _use_unpacked(data: bytes) -> None:
    """Read a student from its data before they are compressed, which mutations reach better."""
    _use(zlib.compress(data, 1))


@cache
def _teacher() -> bytes:
    fitted = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])
    return dump_teacher(fitted).data


def _load(data: bytes) -> object:
    return load_teacher(Artifact(data, hashlib.sha256(data).hexdigest()), ("tests",))


def _load_schema(schema: bytes) -> object:
    """Load a teacher whose description of types is given, with the arrays of a true one."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_teacher())) as true, zipfile.ZipFile(stream, "w") as made:
        for name in true.namelist():
            made.writestr(name, schema if name == "schema.json" else true.read(name))
    return _load(stream.getvalue())


def _schema() -> bytes:
    with zipfile.ZipFile(io.BytesIO(_teacher())) as true:
        return true.read("schema.json")


_PACKED = [encode_student(tones())[0], encode_student(rents())[0]]

STUDENT = FuzzTarget("student", _use, _PACKED)
STUDENT_DATA = FuzzTarget("student_data", _use_unpacked, [*map(zlib.decompress, _PACKED)])
TEACHER = FuzzTarget("teacher", _load, [_teacher()])
TEACHER_TYPES = FuzzTarget("teacher_types", _load_schema, [_schema()])
