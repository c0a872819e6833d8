"""Neighbours: the labelled records with the most similar vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from db.errors import EnricherError
from db.records.enrichment import VectorOfRecord
from db.scoring.explanation import Neighbour

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MOST_NEIGHBOURS = 20
# The similarities of a block with 20,000 labelled records, and their order, take 60 MiB.
BLOCK_RECORDS = 256
DIGITS = 4
# Below every cosine.
LEFT_OUT = -2.0


class Neighbours:
    """Finds the labelled records whose vectors have the highest cosine with that of a record.

    The search is exact. Vectors are read in blocks, so that memory holds only those of the labelled
    records: 39 MiB for 20,000 vectors of 512 numbers.
    """

    version = "1"
    kind = "vectors"

    def __init__(self, count: int = 5) -> None:
        is_number = isinstance(count, int) and not isinstance(count, bool)
        if not is_number or not 1 <= count <= MOST_NEIGHBOURS:
            raise EnricherError(
                f"config.count: must be a whole number from 1 to {MOST_NEIGHBOURS}, like 5,"
                f" not {count!r}"
            )
        self._count = count

    def analyse(
        self, labelled: Sequence[VectorOfRecord], vectors: Iterable[VectorOfRecord]
    ) -> dict[str, list[Neighbour]]:
        """Return the neighbours of each record by its key, the most similar first.

        A record is no neighbour of itself. A vector without a direction has no neighbours and is
        none: a vector of zeros, or with a number that is not finite.
        """
        size = len(labelled[0].data) if labelled else 0
        compared, matrix = _directions(labelled, size)
        if not compared:
            return {}
        names = [(one.key.hex(), str(one.label)) for one in compared]
        columns = {one.key: column for column, one in enumerate(compared)}
        findings: dict[str, list[Neighbour]] = {}
        source = iter(vectors)
        while block := list(islice(source, BLOCK_RECORDS)):
            records, directions = _directions(block, size)
            similarities = directions @ matrix.T
            for record, row in zip(records, similarities, strict=True):
                if record.key in columns:
                    row[columns[record.key]] = LEFT_OUT
            for record, nearest in zip(records, self._nearest(similarities), strict=True):
                findings[record.key.hex()] = [
                    Neighbour(*names[column], similarity) for similarity, column in nearest
                ]
        return findings

    def _nearest(self, similarities: Floats) -> Iterator[list[tuple[float, int]]]:
        """Yield the highest similarities of each row, each with its column."""
        import numpy as np  # noqa: PLC0415  a worker reads the version above without NumPy

        start = max(similarities.shape[1] - self._count, 0)
        columns = np.argpartition(similarities, start, axis=1)[:, start:]
        values = np.take_along_axis(similarities, columns, axis=1)
        for of_row, at in zip(values.tolist(), columns.tolist(), strict=True):
            found = [
                (round(similarity, DIGITS), column)
                for similarity, column in zip(of_row, at, strict=True)
                if similarity != LEFT_OUT
            ]
            # Among equal ones the smallest key is first: the columns are in the order of keys.
            yield sorted(found, key=lambda one: (-one[0], one[1]))


def _directions(
    vectors: Sequence[VectorOfRecord], size: int
) -> tuple[list[VectorOfRecord], Floats]:
    """Return the vectors that have a direction, and a matrix of them, each with unit length.

    `size` is that of each vector in bytes; raises EnricherError for another.
    """
    import numpy as np  # noqa: PLC0415  a worker reads the version above without NumPy

    matrix = np.empty((len(vectors), size // 4), np.float32)
    for row, vector in zip(matrix, vectors, strict=True):
        if len(vector.data) != size:
            raise EnricherError(
                f"neighbours: vectors must have the same length; one has {size // 4} numbers,"
                f" another {len(vector.data) // 4}"
            )
        row[:] = np.frombuffer(vector.data, "<f4")
    # Divided by its largest number first, so that no square is too large or too small.
    largest = np.abs(matrix).max(axis=1, initial=0.0)
    usable = np.isfinite(largest) & (largest > 0)
    if not usable.all():
        matrix, largest = matrix[usable], largest[usable]
    matrix /= largest[:, None]
    matrix /= np.linalg.norm(matrix, axis=1)[:, None]
    return [one for one, is_usable in zip(vectors, usable, strict=True) if is_usable], matrix
