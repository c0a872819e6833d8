"""Errors as RFC 9457 has them: what is wrong, with which field, and what would do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from db.errors import InputError, UnknownDataset, UnknownRecord, VeilleuseError
from serve.prediction.catalog import NoModelError
from serve.store_reader import StoreUnreachable


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document; the type is always about:blank, which the RFC lets one leave out."""

    status: int
    title: str
    detail: str
    field: str | None = None
    example: Any = None
    problems: list[Any] | None = None


class Refusal(VeilleuseError):
    """A request that cannot be answered."""

    def __init__(self, status: int, detail: str, problems: list[Any] | None = None) -> None:
        super().__init__(detail)
        self.problem = make_problem(status, detail, problems=problems)


def make_problem(status: int, detail: str, **more: Any) -> Problem:  # noqa: ANN401
    """Return a problem titled as its status is."""
    return Problem(status=status, title=HTTPStatus(status).phrase, detail=detail, **more)


def problem_of(error: VeilleuseError) -> Problem:
    """Return the problem that an error of ours is for a client."""
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, InputError):
        return make_problem(400, str(error), field=error.field, example=error.example)
    if isinstance(error, UnknownDataset | UnknownRecord):
        return make_problem(404, str(error))
    if isinstance(error, NoModelError | StoreUnreachable):
        return make_problem(503, str(error))
    return make_problem(500, str(error))
