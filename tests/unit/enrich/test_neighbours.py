"""Tests of neighbours: which are found, of which vectors, and what a dataset must say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from db.errors import EnricherError
from db.records.analysis import Analysis
from db.records.dataset import Dataset, PlanStep
from db.records.enrichment import VectorOfRecord
from db.scoring.explanation import Neighbour
from db.spec.section import EnricherSpec
from enrich.enrichers.base import find_enricher, find_enrichers
from enrich.enrichers.neighbours import BLOCK_RECORDS, Neighbours
from enrich.planning.plan import make_plan, planned_analyses
from tests.conftest import notes_spec

EMBEDDING = {"embedding": EnricherSpec()}


def records(vectors: Iterable[Any], first: int = 0) -> list[VectorOfRecord]:
    """Return records with these vectors, whose keys and labels are numbers from `first` on."""
    return [
        VectorOfRecord(number.to_bytes(2, "big"), str(number), np.asarray(vector, "<f4").tobytes())
        for number, vector in enumerate(vectors, first)
    ]


def labels(found: dict[str, list[Neighbour]], number: int) -> list[str]:
    """Return the labels of a record's neighbours."""
    return [one.label for one in found[number.to_bytes(2, "big").hex()]]


def random_vectors(count: int) -> NDArray[np.float32]:
    """Return random vectors of eight numbers."""
    return np.random.default_rng(count).standard_normal((count, 8), np.float32)


@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 3).filter(any), min_size=1, max_size=12),
    st.integers(0, 12),
    st.integers(1, 6),
)
def test_the_neighbours_are_those_of_the_highest_cosine(
    vectors: list[tuple[int, ...]], labelled: int, count: int
) -> None:
    """Equal ones may be exchanged; a record is compared with all labelled ones but itself."""
    made = records(vectors)
    found = Neighbours(count).analyse(made[:labelled], made)
    matrix = np.array(vectors, float)
    matrix /= np.linalg.norm(matrix, axis=1)[:, None]
    for at, row in enumerate(matrix[: len(found)]):
        cosines = {str(other): row @ matrix[other] for other in range(len(made[:labelled]))}
        cosines.pop(str(at), None)
        neighbours = found[made[at].key.hex()]
        expected = sorted(cosines.values(), reverse=True)[:count]
        assert [one.similarity for one in neighbours] == pytest.approx(expected, abs=1e-4)
        for one in neighbours:
            assert one.similarity == pytest.approx(cosines.pop(one.label), abs=1e-4)
    assert len(found) == (len(made) if labelled else 0)


def test_equally_similar_neighbours_are_in_the_order_of_their_keys() -> None:
    """Whatever the order in which the search finds them."""
    made = records([[1, 0], [1, 1], [2, 2], [0, 1], [3, 3]])
    found = Neighbours(4).analyse(made, made)
    assert labels(found, 0) == ["1", "2", "4", "3"]
    assert labels(found, 2) == ["1", "4", "0", "3"]
    shuffled = np.random.default_rng(1).integers(0, 3, 200)
    made = records([[1, number] for number in shuffled])
    for neighbours in Neighbours(20).analyse(made, made).values():
        assert neighbours == sorted(neighbours, key=lambda one: (-one.similarity, one.key))


def test_many_records_are_compared_block_by_block() -> None:
    """Each block finds what it would find alone."""
    vectors = random_vectors(2 * BLOCK_RECORDS + 3)
    made = records(vectors)
    found = Neighbours().analyse(made, iter(made))
    assert len(found) == len(made)
    for at in (0, BLOCK_RECORDS - 1, BLOCK_RECORDS, len(made) - 1):
        assert (
            found[made[at].key.hex()] == Neighbours().analyse(made, [made[at]])[made[at].key.hex()]
        )
        assert len(labels(found, at)) == 5
        assert str(at) not in labels(found, at)


def test_a_key_and_a_label_name_the_neighbour_and_the_similarity_is_rounded() -> None:
    """The value is stored for each record, and four decimals are enough."""
    found = Neighbours(1).analyse(records([[1, 2]]), records([[2, 1]], first=258))
    assert found == {"0102": [Neighbour("0000", "0", 0.8)]}
    found = Neighbours(1).analyse(records([[1, 2, 3]]), records([[3, 1, 1]], first=258))
    assert found["0102"][0].similarity == 0.6447


@pytest.mark.parametrize("bad", [[0, 0], [np.nan, 1], [np.inf, 1], [1, -np.inf]])
def test_a_vector_without_a_direction_has_no_neighbours_and_is_none(bad: list[float]) -> None:
    """Its cosine is not defined."""
    made = records([bad, [1, 0], [0, 1]])
    found = Neighbours().analyse(made, made)
    assert (labels(found, 1), labels(found, 2)) == (["2"], ["1"])
    assert len(found) == 2
    assert Neighbours().analyse(made[:1], made) == {}
    assert Neighbours().analyse([], made) == {}


@pytest.mark.parametrize("size", [1e-40, 1e-20, 1e30, 3e38])
def test_the_length_of_a_vector_does_not_matter(size: float) -> None:
    """Its squares would be too large or too small for a float32."""
    made = records([[size, size], [1, 1], [1, -1]])
    found = Neighbours().analyse(made, made)
    assert [one.similarity for one in found["0000"]] == [1.0, 0.0]


def test_vectors_of_different_lengths_are_refused() -> None:
    """They cannot be compared; the error says which lengths there are."""
    made = records([[1, 2], [1, 2, 3]])
    with pytest.raises(EnricherError, match="one has 2 numbers, another 3"):
        Neighbours().analyse(made[:1], made)
    assert Neighbours().analyse(records([[]]), records([[]])) == {}


@pytest.mark.parametrize("count", [0, 21, -1, 2.0, "5", True, None])
def test_a_number_of_neighbours_that_makes_no_sense_is_refused(count: Any) -> None:  # noqa: ANN401
    """The error says which numbers do."""
    with pytest.raises(EnricherError, match="must be a whole number from 1 to 20, like 5, not"):
        Neighbours(count)


@pytest.mark.parametrize("count", [1, 20])
def test_every_number_of_neighbours_from_1_to_20_is_possible(count: int) -> None:
    """Five without one."""
    made = records(random_vectors(30))
    assert len(labels(Neighbours(count).analyse(made, made), 7)) == count
    assert len(labels(Neighbours().analyse(made, made), 7)) == 5


def test_the_version_is_read_without_numpy() -> None:
    """A worker reads versions, and computes nothing."""
    script = (
        "import sys; from enrich.enrichers.neighbours import Neighbours;"
        " print(Neighbours.version, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "False"]


def test_the_only_embedding_is_read_by_default() -> None:
    """Under whatever name."""
    for enrichers in (EMBEDDING, {"meaning": EnricherSpec(use="embedding")}):
        spec = notes_spec({**enrichers, "neighbours": EnricherSpec()})
        assert find_enricher(spec, "neighbours", ()).reads == tuple(enrichers)


@pytest.mark.parametrize(
    ("reads", "others"),
    [
        ((), {}),
        ((), {**EMBEDDING, "other": EnricherSpec(use="embedding")}),
        (("sentence",), EMBEDDING),
        (("embedding", "sentence"), EMBEDDING),
        (("no_such_enricher",), EMBEDDING),
    ],
)
def test_a_dataset_must_say_whose_vectors_are_compared(
    reads: tuple[str, ...], others: dict[str, EnricherSpec]
) -> None:
    """Fields and several enrichers are refused."""
    spec = notes_spec({**others, "neighbours": EnricherSpec(reads=reads)})
    with pytest.raises(EnricherError, match=r"neighbours.reads: name one enricher whose values"):
        find_enricher(spec, "neighbours", ())


def test_neighbours_that_read_themselves_are_refused() -> None:
    """As any circle of enrichers."""
    spec = notes_spec({"neighbours": EnricherSpec(reads=("neighbours",))})
    with pytest.raises(EnricherError, match="in a circle"):
        planned_analyses(Dataset(1, spec, (), 0), {}, ())


def plan(fingerprint: str, *, denoise: bool = False) -> dict[str, PlanStep]:
    """Return the plan with an analysis of this fingerprint."""
    embedding = EnricherSpec(config={"denoise": denoise})
    spec = notes_spec({"neighbours": EnricherSpec(), "embedding": embedding})
    analysis = Analysis("neighbours", 1, "9 records, 5 labelled", fingerprint)
    enrichers = find_enrichers(spec, ())
    steps = make_plan(Dataset(1, spec, (), 0), None, enrichers, {"neighbours": analysis})
    return {step.name: step for step in steps}


def test_an_analysis_of_older_vectors_is_not_used() -> None:
    """Its fingerprint includes that of the vectors, and the plan waits for a new analysis."""
    spec = notes_spec({"neighbours": EnricherSpec(), **EMBEDDING})
    [planned] = planned_analyses(Dataset(1, spec, (), 0), {}, ())
    assert list(plan(planned.fingerprint)) == ["embedding"]
    denoised = notes_spec(
        {"neighbours": EnricherSpec(), "embedding": EnricherSpec(config={"denoise": False})}
    )
    [other] = planned_analyses(Dataset(1, denoised, (), 0), {}, ())
    assert other.fingerprint != planned.fingerprint
    assert list(plan(other.fingerprint)) == ["embedding", "neighbours"]
    assert plan(other.fingerprint)["neighbours"].reads == ("embedding",)
    assert list(plan(other.fingerprint, denoise=True)) == ["embedding"]
