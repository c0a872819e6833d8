"""Answers of a cluster as bytes: what is read of them, and what is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from db.scoring.packed_numbers import Vector
from enrich.executors.answer_bytes import decode_answer, encode_answer
from enrich.executors.base import RecipeError
from enrich.executors.child import Answer
from enrich.executors.dask_pickle import RefusedPickle, load_plain
from enrich.executors.recipe import PredictedRow


def test_every_kind_of_value_comes_back_as_it_was() -> None:
    """JSON, vectors and predictions, or what failed."""
    row = PredictedRow(b'{"prediction": "a"}', "a", 0.5)
    answer = Answer(["fr", None, 1.5, {"a": [1]}, Vector.of([1, 2]), row])
    assert decode_answer(encode_answer(answer), 6) == answer
    failed = Answer(fault="unavailable", error="busy", seconds=5.0)
    assert decode_answer(encode_answer(failed), 6) == failed


def packed(**changed: object) -> bytes:
    """Return an answer with one value, changed."""
    good = {"values": [{"type": "json", "text": b"1"}], "fault": None, "error": "", "seconds": 0.0}
    return msgspec.msgpack.encode({**good, **changed})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        packed()[:-3],
        pickle.dumps(1),
        packed(values=[]),
        packed(values=[{"type": "json", "text": b"{"}]),
        packed(values=[{"type": "json", "text": b"9" * 400}]),
        packed(values=[{"type": "other"}]),
        packed(values=[{"type": "vector", "numbers": b"abc"}]),
        packed(values=[{"type": "vector", "numbers": b"\x00\x00\x80\x7f"}]),
        packed(values=[{"type": "row", "body": b"x", "label": "a", "score": 0.5}]),
        packed(values=[{"type": "row", "body": b"{}", "label": "a", "score": float("nan")}]),
        packed(fault="another"),
        object(),
        [1],
    ],
)
def test_an_answer_that_is_not_right_is_refused_as_a_whole(data: object) -> None:
    """The reason says that the cluster sent it; no record is at fault."""
    with pytest.raises(RecipeError, match="the cluster sent an answer that cannot be read"):
        decode_answer(data, 1)


class Evil:
    """An object that calls a function where it is unpickled."""

    def __init__(self, function: Any, *arguments: object) -> None:  # noqa: ANN401
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def test_a_pickle_runs_no_code(tmp_path: Path) -> None:
    """Only plain data and Python's own errors are made of it."""
    path = str(tmp_path / "made")
    for evil in (Evil(os.mkdir, path), Evil(eval, f"__import__('os').mkdir({path!r})")):
        for whole in (evil, [evil], ValueError(evil)):
            with pytest.raises(RefusedPickle, match="the Dask cluster sent an object of"):
                load_plain(pickle.dumps(whole))
    dotted = b"cbuiltins\nException.__init__.__globals__\n."
    with pytest.raises(RefusedPickle):
        load_plain(dotted)
    assert not (tmp_path / "made").exists()
    plain = {"a": [1, b"x", (None, True), {2}], "b": bytearray(b"y")}
    assert load_plain(pickle.dumps(plain)) == plain
    assert isinstance(load_plain(pickle.dumps(KeyError("x"))), KeyError)
