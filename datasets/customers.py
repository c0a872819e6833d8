"""Generates customers.csv: `python -m datasets.customers > datasets/customers.csv`.

    spending = income × share(education) × season(age) + noise

where the share rises with education from 0.22 to 0.31, the season of life is
1 − ((age − 48) / 60)², so that people spend most at 48, and the noise is normal with a
standard deviation of 1,500. Income is log-normal around 28,000 and rises with age and
education. Every row comes from one seed, so the file is always the same.
"""

from __future__ import annotations

import csv
import random
import sys
from typing import IO

ROWS = 1000
SEED = 20
NOISE = 1500.0
# Education: how common, the median income's factor, the share of income that is spent.
EDUCATION = {
    "High School": (40, 0.85, 0.22),
    "Bachelor": (33, 1.05, 0.25),
    "Master": (20, 1.30, 0.28),
    "PhD": (7, 1.45, 0.31),
}


def write_customers(out: IO[str]) -> None:
    """Write the rows as CSV."""
    chance = random.Random(SEED)  # noqa: S311  a sample, not a secret
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["age", "education", "income", "spending"])
    for _ in range(ROWS):
        writer.writerow(_customer(chance))


def _customer(chance: random.Random) -> tuple[int, str, int, int]:
    age = chance.randint(18, 79)
    education = chance.choices(list(EDUCATION), [common for common, _, _ in EDUCATION.values()])[0]
    _, factor, share = EDUCATION[education]
    career = 1 + 0.006 * (age - 40)
    income = max(9000, round(28_000 * factor * career * chance.lognormvariate(0, 0.28)))
    season = 1 - ((age - 48) / 60) ** 2
    spending = max(0, round(income * share * season + chance.gauss(0, NOISE)))
    return age, education, income, spending


if __name__ == "__main__":
    write_customers(sys.stdout)
