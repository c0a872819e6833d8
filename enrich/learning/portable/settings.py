"""The settings that training tries: measured on many tables, see docs/how-it-works.md."""

from __future__ import annotations

from .boosting import BoostingSettings
from .design import Terms
from .linear_model import LinearSettings

# Of texts a margin loss was the best, with rare labels raised a little.
TEXT_CLASSES = LinearSettings("margin", 0.4, balance=0.35)
TEXT_NUMBERS = tuple(LinearSettings("squares", strength) for strength in (0.1, 0.3, 1.0, 3.0))
RIDGE_STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
LOGISTIC_STRENGTHS = (0.03, 0.3, 3.0)
BOOSTING = (
    BoostingSettings(learning_rate=0.05, leaves=8, share_of_features=0.5),
    BoostingSettings(learning_rate=0.15, leaves=31, share_of_features=0.5),
    BoostingSettings(learning_rate=0.15, leaves=31),
)


def text_settings(*, is_number: bool) -> tuple[LinearSettings, ...]:
    """Return the settings of linear models of texts alone."""
    return TEXT_NUMBERS if is_number else (TEXT_CLASSES,)


def table_settings(
    *, is_number: bool, repeats: float, with_pairs: bool
) -> tuple[LinearSettings, ...]:
    """Return the settings of linear models of tables.

    Rows that repeat few records say no more about other records than one of them.
    """
    terms: tuple[Terms, ...] = ("linear", "piecewise-linear")
    return tuple(
        LinearSettings("squares" if is_number else "logistic", strength / repeats, one)
        for one in (*terms, *(("pairs",) if with_pairs else ()))
        for strength in (RIDGE_STRENGTHS if is_number else LOGISTIC_STRENGTHS)
    )
