"""A process answers one table at a time."""

from __future__ import annotations

from typing import cast

import pytest

from serve.api.batches import csv_body
from serve.api.problem import Refusal
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

NOT_USED = cast("PredictionService", None)


class _Untrained:
    """A dataset without a student."""

    def require_student(self) -> None:
        """Refuse as a dataset without a model does."""
        raise Refusal(503, "has no model yet")


def refusal() -> str:
    """Return why a table is refused."""
    with pytest.raises(Refusal) as caught:
        csv_body.answer_csv(b"", NOT_USED, cast("Served", _Untrained()), "", as_json=False)
    assert caught.value.problem.status == 503
    return caught.value.problem.detail


def test_a_table_is_refused_while_another_is_answered() -> None:
    """And not after it, however it ended; the client is told to send it again."""
    assert refusal() == "has no model yet"
    with csv_body._turn:
        assert refusal() == "another table is being answered; send yours again, one at a time"
    assert refusal() == "has no model yet"
