"""The libraries that a teacher depends on: their versions here, and those that made a model."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

import msgspec

Versions: TypeAlias = dict[str, str]

# A stored teacher holds objects of the last three; Python is its language.
PYTHON = "Python"
_PACKAGES = {"scikit-learn": "scikit-learn", "NumPy": "numpy", "skops": "skops"}


class ModelCheck(msgspec.Struct, frozen=True):
    """How a teacher answers with other versions: `difference` says what is otherwise, "" nothing.

    `answers` is how many of its known answers were computed again.
    """

    versions: Versions
    difference: str
    answers: int = 0


class ModelLibraries(msgspec.Struct, frozen=True):
    """The versions that made a model, none if it is not known, and its checks with others."""

    made: Versions = {}
    checks: tuple[ModelCheck, ...] = ()

    def find_check(self, here: Versions) -> ModelCheck | None:
        """Return the check with these versions; None if it was not made yet."""
        return next((check for check in self.checks if check.versions == here), None)

    def with_check(self, new: ModelCheck) -> ModelLibraries:
        """Return these with one more check, which replaces an earlier one with its versions."""
        others = (check for check in self.checks if check.versions != new.versions)
        return ModelLibraries(self.made, (*others, new))


@cache
def _installed_versions() -> tuple[tuple[str, str], ...]:
    # A web process, which never asks, starts without it.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    found = [(PYTHON, platform.python_version())]
    for name, package in _PACKAGES.items():
        # A web process has none of them.
        try:
            found.append((name, version(package)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def library_versions() -> Versions:
    """Return the versions of the libraries that are installed here, by name."""
    return dict(_installed_versions())


def encode_versions(versions: Versions) -> str:
    """Return versions as JSON; equal versions give equal text."""
    return msgspec.json.encode(versions, order="deterministic").decode()


def encode_libraries(libraries: ModelLibraries) -> str:
    """Return a model's libraries as JSON."""
    return msgspec.json.encode(libraries).decode()


def decode_libraries(text: str | None) -> ModelLibraries:
    """Return a model's libraries; those of a model that earlier code made are not known."""
    try:
        return msgspec.json.decode(text or "{}", type=ModelLibraries)
    except msgspec.DecodeError:
        # The teacher is then checked as one whose versions are not known.
        return ModelLibraries()


def describe_versions(versions: Mapping[str, str]) -> str:
    """Return versions in words, such as "scikit-learn 1.6.1, NumPy 2.4.6"."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def describe_other_versions(model: str, made: Versions, here: Versions) -> str:
    """Return that a model was made with other versions than those here, "" if they are the same.

    Only the versions that differ are named.
    """
    if made == here:
        return ""
    if not made:
        return f"{model} does not say which versions made it, this worker has {_short(here)}"
    others = {name: number for name, number in made.items() if here.get(name) != number} or made
    ours = ", ".join(here.get(name, f"no {name}") for name in others)
    return f"{model} was made with {describe_versions(others)}, this worker has {ours}"


def _short(versions: Versions) -> str:
    return describe_versions({name: versions[name] for name in _PACKAGES if name in versions})
