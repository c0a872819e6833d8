"""Made-up tables: effects that multiply, and a wide table like that of a bank's campaign."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from .table import Table

INTERACTION_ROWS = 10_000
WIDE_ROWS = 36_000
WIDE_NUMBERS = 7
# The number of values of each choice column.
WIDE_CHOICES = (12, 3, 4, 2, 2, 2, 3, 12, 4)


def make_interactions() -> Table:
    """Return five columns whose effects multiply, with noise of standard deviation 0.5."""
    generator = random.Random(0)  # noqa: S311  no secret
    rows = [_interaction(generator) for _ in range(INTERACTION_ROWS)]
    return Table("interactions", "regression", "y", list("abcdey"), rows)


def _interaction(generator: random.Random) -> list[str]:
    a, b = generator.gauss(0, 1), generator.uniform(0, 10)
    c, d, e = generator.choice("xyzw"), generator.randrange(100), generator.choice("pq")
    y = a * b + 3 * math.sin(b) + (2 * a if c == "x" else b) + 5 * (d > 50 and e == "p")  # noqa: PLR2004
    y += generator.gauss(0, 0.5)
    return [f"{a:.4f}", f"{b:.3f}", c, str(d), e, f"{y:.4f}"]


def make_wide() -> Table:
    """Return seven numbers and nine choices, and whether a customer accepts: about one in six."""
    generator = random.Random(1)  # noqa: S311  no secret
    numbers = [f"number{place}" for place in range(WIDE_NUMBERS)]
    choices = [f"choice{place}" for place in range(len(WIDE_CHOICES))]
    rows = [_campaign_row(generator) for _ in range(WIDE_ROWS)]
    return Table("wide", "classification", "accepts", [*numbers, *choices, "accepts"], rows)


def _campaign_row(generator: random.Random) -> list[str]:
    numbers = [generator.lognormvariate(3, 1) for _ in range(WIDE_NUMBERS)]
    choices = [generator.randrange(size) for size in WIDE_CHOICES]
    score = 0.03 * numbers[0] - 0.02 * numbers[2] + (choices[8] == 3) - 3.2  # noqa: PLR2004
    score += 0.8 * (choices[0] % 3 == 0 and numbers[1] > 25)  # noqa: PLR2004
    accepts = generator.random() < 1 / (1 + math.exp(-score))
    cells = [f"{number:.1f}" for number in numbers] + [f"v{choice}" for choice in choices]
    return [*cells, "yes" if accepts else "no"]


MADE_UP_TABLES: dict[str, Callable[[], Table]] = {
    "interactions": make_interactions,
    "wide": make_wide,
}
