"""Random students of every kind, and strategies for inputs that they answer."""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

from hypothesis import strategies as st

from db.scoring.features import count_features, text_features
from db.scoring.interval import Interval
from db.scoring.student_data import (
    ChoiceInput,
    DatePart,
    FlatPart,
    LinearData,
    NormedTextPart,
    NumberInput,
    NumberPart,
    PairsData,
    Part,
    PiecewisePart,
    ScaledNumber,
    StudentData,
    TextPart,
    TreesData,
    WordPart,
)
from db.spec.field import Inputs
from tests.random_trees import random_trees

LARGEST = 2**31 - 1
SHIFT = 24
SENTENCES = (
    "La mer est calme, la mer !",
    "Море спокойно, море",
    "海は静かです。",
    "البحر هادئ",
    "Sea view for 24 €, é la carte?",
    "aaaaaaaa aaaa",
    "?",
)
EDGES = [-10.0, 0.0, 30.5]
KINDS = (
    *("words", "texts", "normed texts", "numbers", "pieces", "dates"),
    *("pairs", "trees", "trees of texts"),
)

_sentences = st.none() | st.sampled_from(SENTENCES) | st.text(max_size=40)
_numbers = (
    st.none()
    | st.integers(-60, 90)
    | st.floats(-100, 100)
    | st.sampled_from([*EDGES, 1e300, -1.7e308, 10**18, 5e-324])
)
_dates = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat)
_moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001  no zone
    lambda moment: moment.isoformat(timespec="seconds")
)
random_inputs: st.SearchStrategy[Inputs] = st.fixed_dictionaries(
    {
        "wish": _sentences,
        "note": _sentences,
        "trip": st.sampled_from([None, "work", "fun", "sport", "True"]),
        "lift": st.sampled_from([None, True, False]),
        "age": _numbers,
        "size": _numbers,
        "day": st.none() | _dates,
        "seen": st.none() | _moments,
    }
)
random_kinds = st.sets(st.sampled_from(KINDS), min_size=1)
# A regression has no labels.
numbers_of_labels = st.sampled_from([0, 1, 2, 3, 7])


def packed(weights: Iterable[int]) -> bytes:
    """Return weights in the byte format of a student."""
    return b"".join(weight.to_bytes(4, "little", signed=True) for weight in weights)


def packed_floats(numbers: Sequence[float]) -> bytes:
    """Return numbers of 64 bits in the byte format of a student."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


class _Maker:
    """Makes parts with random weights for so many classes."""

    def __init__(self, chance: random.Random, width: int) -> None:
        self._chance, self._width = chance, width

    def row(self) -> list[float]:
        return [self._chance.gauss(0, 1) for _ in range(self._width)]

    def weights(self, rows: int, width: int = 0) -> bytes:
        count = rows * (width or self._width)
        return packed(round(self._chance.gauss(0, 1) * 2**SHIFT) for _ in range(count))

    def words(self, *names: str) -> WordPart:
        kept = [name for name in (*names, "") if self._chance.random() < 0.8]
        return WordPart(kept, self.weights(len(kept)))

    def number(self) -> NumberPart:
        missing = self.weights(1) if self._chance.random() < 0.5 else b""
        return NumberPart(
            mean=self._chance.uniform(-10, 40),
            scale=self._chance.uniform(0.1, 20),
            low=-20.0,
            high=60.0,
            edges=EDGES,
            slopes=self.row(),
            weights=self.weights(len(EDGES) + 1),
            missing=missing,
        )

    def pieces(self, edges: Sequence[float] = EDGES) -> PiecewisePart:
        rows = (len(edges) + 1) * self._width
        return PiecewisePart(
            mean=self._chance.uniform(-10, 40),
            scale=self._chance.uniform(0.1, 20),
            low=-20.0,
            high=60.0,
            edges=list(edges),
            offsets=packed_floats([self._chance.gauss(0, 1) for _ in range(rows)]),
            slopes=packed_floats([self._chance.gauss(0, 1) for _ in range(rows)]),
            missing=self.row() if self._chance.random() < 0.5 else [],
        )

    def text(self, features: Callable[[str], Iterable[str]]) -> list[str]:
        """Return some of the features of all sentences, and perhaps that of a missing text."""
        known = sorted({"", *itertools.chain(*map(features, SENTENCES))})
        return [name for name in known if self._chance.random() < 0.7]

    def plain_text(self) -> TextPart:
        names = self.text(text_features)
        return TextPart(names, self.weights(len(names)))

    def normed_text(self) -> NormedTextPart:
        names = self.text(count_features)
        rows = (
            [self._chance.randrange(-(2**SHIFT), 2**SHIFT) for _ in range(self._width)]
            + [self._chance.randrange(2**SHIFT)]
            for _ in names
        )
        return NormedTextPart(names, packed(itertools.chain(*rows)), self._chance.choice((0.7, 1)))

    def date(self, *, has_time: bool) -> DatePart:
        parts: dict[str, NumberPart | PiecewisePart | WordPart] = {
            "days": self.pieces([0.0, 19_800.25]),
            "year": self.number(),
            "day": self.pieces([]),
            "month": self.words("01", "02", "12"),
            "weekday": self.words("1", "7"),
        }
        return DatePart(parts | ({"hour": self.words("00", "23")} if has_time else {}))

    def parts(self, kinds: Iterable[str]) -> dict[str, Part]:
        made: dict[str, Callable[[], dict[str, Part]]] = {
            "words": lambda: {"trip": self.words("work", "fun"), "lift": self.words("True")},
            "texts": lambda: {"wish": self.plain_text()},
            "normed texts": lambda: {"note": self.normed_text()},
            "numbers": lambda: {"age": self.number()},
            "pieces": lambda: {"size": self.pieces()},
            "dates": lambda: {"day": self.date(has_time=False), "seen": self.date(has_time=True)},
        }
        return dict(itertools.chain(*(made[kind]().items() for kind in made if kind in kinds)))

    def pairs(self) -> PairsData:
        inputs: list[ScaledNumber | ChoiceInput] = [
            ScaledNumber("age", self._chance.uniform(-10, 40), self._chance.uniform(0.1, 20)),
            ScaledNumber("size", self._chance.uniform(-10, 40), self._chance.uniform(0.1, 20)),
            ScaledNumber("day.year", 2000.0, 10.0),
            ChoiceInput("trip", ["", "fun", "work"]),
            ChoiceInput("lift", ["False", "True"]),
        ]
        columns = sorted(self._chance.sample(range(self._width), k=min(self._width, 2)))
        size = 8
        weights = [[[0.0] * len(columns) for _ in range(size)] for _ in range(size)]
        for one, other in itertools.combinations_with_replacement(range(size), 2):
            drawn = [self._chance.gauss(0, 1) for _ in columns]
            weights[one][other] = weights[other][one] = drawn
        flat = [*itertools.chain(*itertools.chain(*weights))]
        means = {one.name: self.row() for one in inputs}
        return PairsData(columns=columns, inputs=inputs, weights=packed_floats(flat), means=means)

    def trees(self, *, with_texts: bool) -> TreesData:
        inputs: list[NumberInput | ChoiceInput] = [
            NumberInput("age", -20.0, 60.0),
            ChoiceInput("trip", ["work", "fun"], rare=["True"]),
            NumberInput("seen.days", -1000.0, 20_000.0),
            ChoiceInput("seen.hour", ["00", "12"]),
        ]
        texts = _Maker(self._chance, 2).texts() if with_texts else None
        is_choice = [isinstance(one, ChoiceInput) for one in inputs] + [False] * 2 * with_texts
        columns = sorted(self._chance.sample(range(self._width), k=min(self._width, 3)))
        nodes = random_trees(self._chance, is_choice, trees=3 * len(columns) + 1)
        return TreesData(columns=columns, inputs=inputs, nodes=nodes, texts=texts)

    def texts(self) -> LinearData:
        parts: dict[str, Part] = {"wish": self.normed_text(), "note": self.normed_text()}
        means = {name: self.row() for name in parts}
        return LinearData(bias=self.row(), shift=SHIFT, parts=parts, means=means)


def random_student(seed: int, labels: int, kinds: Iterable[str]) -> StudentData:
    """Return a student of so many labels, or of a number if there are none."""
    chance, kinds = random.Random(seed), set(kinds)
    make = _Maker(chance, max(labels, 1))
    parts = make.parts(kinds)
    interval = Interval(coverage=0.9, edges=[0.0], below=[-1.0, -2.0], above=[1.0, 2.5])
    return StudentData(
        labels=[f"label {number}" for number in range(labels)],
        bias=make.row(),
        shift=SHIFT,
        parts=parts,
        means={name: make.row() for name, _ in flat(parts) if chance.random() < 0.8},
        pairs=make.pairs() if "pairs" in kinds else None,
        target_mean=0.0 if labels else 120.0,
        target_scale=1.0 if labels else 30.0,
        trees=(
            make.trees(with_texts="trees of texts" in kinds)
            if kinds & {"trees", "trees of texts"}
            else None
        ),
        interval=None if labels else interval,
    )


def flat(parts: dict[str, Part]) -> list[tuple[str, FlatPart]]:
    """Return each part by its name; those of a date by names such as day.month."""
    found: list[tuple[str, FlatPart]] = []
    for name, part in parts.items():
        if isinstance(part, DatePart):
            found += [(f"{name}.{inner}", one) for inner, one in part.parts.items()]
        else:
            found.append((name, part))
    return found
