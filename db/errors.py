"""The errors that a user can act on, and their form as text.

The docstring of each class is its default message.
"""

from __future__ import annotations

from collections.abc import Mapping

MOST_REASON_CHARACTERS = 300


class VeilleuseError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class SettingError(VeilleuseError):
    """A setting is not valid."""


class SpecError(VeilleuseError):
    """A dataset's spec is not valid."""


class SpecChangeRefused(SpecError):
    """The new spec would change the keys of existing records."""


class DataFileError(VeilleuseError):
    """A data file cannot be read."""


class ExchangeError(VeilleuseError):
    """A user's database cannot be read or written."""


class ImportRunning(ExchangeError):
    """Another import is running."""


class SubmissionRefused(VeilleuseError):
    """The same rows cannot be submitted again in this way."""


class LabelRefused(VeilleuseError):
    """The label cannot be changed in this way."""


class ToldLabelsRefused(VeilleuseError):
    """Some of the labels cannot be told, so none was.

    `faults` has what is wrong with each of them, by its place among the labels.
    """

    def __init__(self, faults: Mapping[int, InputError]) -> None:
        super().__init__(f"{len(faults)} of the labels cannot be told, so none was")
        self.faults = dict(faults)

    def __reduce__(self) -> tuple[type[ToldLabelsRefused], tuple[dict[int, InputError]]]:
        return type(self), (self.faults,)


class StoreError(VeilleuseError):
    """The store cannot be used."""


class BackupError(VeilleuseError):
    """A backup cannot be written or restored."""


class UnknownDataset(VeilleuseError):
    """There is no dataset with this name."""


class UnknownRecord(VeilleuseError):
    """There is no record with this key."""


class UnknownRow(VeilleuseError):
    """There is no row with this id."""


class UnknownModel(VeilleuseError):
    """There is no model with this version."""


class ArtifactError(VeilleuseError):
    """A stored model is damaged or has an unknown format."""


class TrainingError(VeilleuseError):
    """There is not enough data to train a model."""


class EnricherError(VeilleuseError):
    """An enricher cannot be used."""


class LeaseLost(VeilleuseError):
    """The chunk has been reassigned to another worker."""


class InputError(VeilleuseError):
    """An input is not valid.

    `field` names the input, `reason` says what is wrong, and `example` is a valid value, so that
    every error response can show one.
    """

    def __init__(self, field: str, reason: str, example: object = None) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.example = example

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, object]]:
        return type(self), (self.field, self.reason, self.example)


def one_line(text: str) -> str:
    """Return a text on one line, not too long, and of characters that PostgreSQL can store."""
    # PostgreSQL has no texts with a zero character or half a surrogate pair.
    text = text.replace("\0", " ").encode("utf-8", "replace").decode()
    text = " ".join(text.split())
    if len(text) > MOST_REASON_CHARACTERS:
        text = text[: MOST_REASON_CHARACTERS - 1] + "…"
    return text
