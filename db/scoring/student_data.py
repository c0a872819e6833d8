"""A student as plain data: its parts, how it is stored, and the checks of what is read back."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

import msgspec

from db.errors import ArtifactError

from .interval import Interval
from .packed_items import has_more_items
from .student_faults import find_fault
from .student_parts import (
    MISSING,
    ChoiceInput,
    Columns,
    DatePart,
    FlatPart,
    Names,
    NormedTextPart,
    NumberInput,
    NumberPart,
    Numbers,
    PairsData,
    Part,
    PiecewisePart,
    ScaledNumber,
    TextPart,
    WordPart,
)
from .trees.tree_nodes import TreeNodes

# All that a student is made of can be imported from here.
__all__ = [
    "MISSING",
    "ChoiceInput",
    "DatePart",
    "FlatPart",
    "LinearData",
    "NormedTextPart",
    "NumberInput",
    "NumberPart",
    "PairsData",
    "Part",
    "PiecewisePart",
    "ScaledNumber",
    "StudentData",
    "TextPart",
    "TreesData",
    "WordPart",
    "decode_student",
    "encode_student",
]

# The format of students before there were trees; new ones never have it.
OLDEST_FORMAT = 1
NEWEST_FORMAT = 2
# No honest student is larger when it is unpacked.
MOST_BYTES = 64 * 2**20
# Nor has it more names and numbers, which take one byte when stored and up to 100 in memory.
MOST_ITEMS = 1_000_000


@dataclass(frozen=True)
class Artifact:
    """The bytes of a stored teacher or student, and their expected SHA-256."""

    data: bytes
    sha256: str


class LinearData(msgspec.Struct, frozen=True, kw_only=True):
    """A sparse linear model: a score for each class is its bias and the weights of the features.

    Weights are whole multiples of 2**-shift. `means` are the mean scores of each part in training,
    by the part's name (that of a field, or day.month for a part of a date), one for each class:
    explanations start from them.
    """

    bias: Numbers
    shift: int
    parts: dict[str, Part]
    means: dict[str, Numbers] = {}
    pairs: PairsData | None = None


class TreesData(msgspec.Struct, frozen=True, kw_only=True):
    """Boosted trees. Tree i adds its answer to the score in `columns[i % len(columns)]`.

    Nodes name a feature by its position: first `inputs`, then the scores of `texts`, a linear model
    of the text fields. No tree reads the inputs in `unread`.
    """

    columns: Columns
    inputs: list[NumberInput | ChoiceInput]
    nodes: TreeNodes
    texts: LinearData | None = None
    unread: list[NumberInput | ChoiceInput] = []

    @property
    def width(self) -> int:
        """The number of features."""
        return len(self.inputs) + (len(self.texts.bias) if self.texts else 0)


class StudentData(LinearData, frozen=True, kw_only=True):
    """A student as plain data: the sum of a linear model and of trees, where it has any.

    A classification has one score per label. A regression has one score: the target in standard
    deviations from its mean; neither teacher nor student answers below `lowest`. With `is_teacher`
    the student is the teacher itself, which reads nothing but inputs. The intervals of a regression
    are those of the answers of the student and of a teacher that differs from it, the logarithms of
    whose probabilities are multiplied by `teacher_factor`.
    """

    format: int = NEWEST_FORMAT
    labels: Names
    target_mean: float = 0.0
    target_scale: float = 1.0
    lowest: float | None = None
    trees: TreesData | None = None
    is_teacher: bool = False
    interval: Interval | None = None
    teacher_interval: Interval | None = None
    teacher_factor: float = 1.0


def encode_student(data: StudentData) -> tuple[bytes, str]:
    """Return the student as bytes, and their SHA-256; raises ArtifactError if it is too large."""
    encoded = msgspec.msgpack.encode(data)
    if len(encoded) > MOST_BYTES:
        raise ArtifactError(f"the student takes {len(encoded):,} bytes, at most {MOST_BYTES:,} fit")
    if has_more_items(encoded, MOST_ITEMS):
        raise ArtifactError(f"the student has more than {MOST_ITEMS:,} names and numbers")
    packed = zlib.compress(encoded, 9)
    return packed, hashlib.sha256(packed).hexdigest()


def decode_student(packed: bytes, sha256: str) -> StudentData:
    """Return the student from the bytes of `encode_student`; raises ArtifactError.

    Members that newer code has added are ignored; a format that this code does not know is refused.
    """
    if hashlib.sha256(packed).hexdigest() != sha256:
        raise ArtifactError(
            "the student's bytes do not match their SHA-256; train a new model, or activate another"
        )
    try:
        data = msgspec.msgpack.decode(_unpack(packed), type=StudentData)
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The reason quotes the damaged data.
        reason = "".join(one if one.isprintable() else "?" for one in str(error))
        raise ArtifactError(f"the student cannot be read: {reason[:300]}") from error
    if data.format not in {OLDEST_FORMAT, NEWEST_FORMAT}:
        raise ArtifactError(
            f"the student has format {data.format}, but this code reads formats up to"
            f" {NEWEST_FORMAT}; train a new model"
        )
    fault = find_fault(data)
    if fault:
        raise ArtifactError(f"the student cannot be used: {fault}; train a new model")
    return data


def _unpack(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(packed, MOST_BYTES)
    if unpacking.unconsumed_tail:
        raise zlib.error(f"it is larger than {MOST_BYTES:,} bytes")
    if not unpacking.eof:
        raise zlib.error("it is cut off")
    if has_more_items(unpacked, MOST_ITEMS):
        raise zlib.error(f"it has more than {MOST_ITEMS:,} names and numbers")
    return unpacked
