"""Everything that can go wrong in a way that a user can mend."""

from __future__ import annotations


class VeilleuseError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class SettingError(VeilleuseError):
    """A setting is not usable."""


class SpecError(VeilleuseError):
    """A dataset's spec is not usable."""


class SpecChangeRefused(SpecError):
    """A spec would change the key of records that exist."""


class DataFileError(VeilleuseError):
    """A data file cannot be read."""


class StoreError(VeilleuseError):
    """The store cannot be used."""


class UnknownDataset(VeilleuseError):
    """No dataset bears that name."""


class UnknownRecord(VeilleuseError):
    """No record has that key."""


class UnknownModel(VeilleuseError):
    """No model bears that version."""


class ArtifactError(VeilleuseError):
    """A stored model is damaged or of another format."""


class TrainingError(VeilleuseError):
    """There is not enough to train from."""


class EnricherError(VeilleuseError):
    """An enricher cannot be used."""


class LeaseLost(VeilleuseError):
    """The chunk belongs to another worker by now."""


class InputError(VeilleuseError):
    """An input is not valid.

    Carries the field at fault and an example of a value that would do, so that every
    answer made from it can name the mend.
    """

    def __init__(self, field: str, reason: str, example: object = None) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.example = example

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, object]]:
        return type(self), (self.field, self.reason, self.example)
