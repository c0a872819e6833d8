"""Problem documents (RFC 9457): what is wrong, with which field, and a value that would do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from db.errors import (
    InputError,
    LabelRefused,
    SubmissionRefused,
    UnknownDataset,
    UnknownModel,
    UnknownRecord,
    UnknownRow,
    VeilleuseError,
)
from serve.prediction.catalog import NoModelError
from serve.store_reader import StoreUnreachable

_STATUSES: dict[tuple[type[VeilleuseError], ...], int] = {
    (UnknownDataset, UnknownModel, UnknownRecord, UnknownRow): 404,
    (LabelRefused,): 409,
    (SubmissionRefused,): 422,
    (NoModelError, StoreUnreachable): 503,
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document; its type is always about:blank, which the RFC allows to omit."""

    status: int
    title: str
    detail: str
    field: str | None = None
    example: Any = None
    problems: list[Any] | None = None


class Refusal(VeilleuseError):
    """A request is refused, with an HTTP status and a reason."""

    retry_seconds = 0
    """After how many seconds the same request may be answered, 0 if waiting does not help."""

    def __init__(self, status: int, detail: str, problems: list[Any] | None = None) -> None:
        super().__init__(detail)
        self.problem = make_problem(status, detail, problems=problems)


def make_problem(status: int, detail: str, **more: Any) -> Problem:  # noqa: ANN401
    """Return a problem with its status's phrase as the title."""
    return Problem(status=status, title=HTTPStatus(status).phrase, detail=detail, **more)


def problem_of(error: VeilleuseError) -> Problem:
    """Return the problem document that a client gets for an error."""
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, InputError):
        return make_problem(400, str(error), field=error.field, example=error.example)
    for kinds, status in _STATUSES.items():
        if isinstance(error, kinds):
            return make_problem(status, str(error))
    return make_problem(500, str(error))
