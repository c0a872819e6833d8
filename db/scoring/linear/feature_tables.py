"""The weights of a text's features by words and pairs of words, rather than by name."""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern
from typing import TypeAlias

Words: TypeAlias = tuple[str, ...]


class FeatureTables:
    """The lanes of each feature of `count_features`, in a table for each kind of name.

    Making the name of each pair of words would take half of the time of a text's score.
    """

    def __init__(self, lanes: Iterable[tuple[str, int]]) -> None:
        self.grams: dict[str, int] = {}
        self.pairs: dict[Words, int] = {}
        self.pairs_apart: dict[Words, int] = {}
        self.first_pair: dict[Words, int] = {}
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        # Words, signs, "|" with the length of a text, and MISSING.
        self.others: dict[str, int] = {}
        for name, of_feature in lanes:
            self._add(name, of_feature)

    def _add(self, name: str, lanes: int) -> None:
        if name.startswith("="):
            self.grams[name[1:]] = lanes
        elif name.startswith("^^"):
            self.first_pair[_words(name[2:], " ")] = lanes
        elif name.startswith("^"):
            self.first[name[1:]] = lanes
        elif " * " in name:
            self.pairs_apart[_words(name, " * ")] = lanes
        elif " " in name:
            self.pairs[_words(name, " ")] = lanes
        elif name.endswith("$") and name != "$":
            self.last[name[:-1]] = lanes
        else:
            self.others[intern(name)] = lanes


def _words(pair: str, mark: str) -> Words:
    """Return the words of a pair; each word is in memory once."""
    return tuple(map(intern, pair.split(mark)))
