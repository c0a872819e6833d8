"""The labels that a person can choose from, each with its key on the keyboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Without s, n and u, which skip, mark as not sure, and undo.
KEYS = "1234567890abcdefghij"
# More labels than keys are searched; the most likely ones have buttons all the same.
LIKELY_BUTTONS = 9


@dataclass(frozen=True)
class LabelChoice:
    """A button: its label, and its key."""

    label: str
    key: str


def make_choices(labels: Sequence[str], shares: Mapping[str, float]) -> list[LabelChoice]:
    """Return a button for each label, always in the same order, so that hands can learn the keys.

    With more labels than keys, only those that the model finds most likely have buttons.
    """
    shown = list(labels)
    if len(shown) > len(KEYS):
        likely = sorted(shares, key=lambda label: -shares[label])
        shown = [label for label in likely if label in set(labels)][:LIKELY_BUTTONS]
    return [LabelChoice(label, key) for label, key in zip(shown, KEYS, strict=False)]
