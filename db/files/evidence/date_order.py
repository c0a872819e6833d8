"""Which part of a column's dates comes first, by evidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from db.spec.dates.date_value import DateOrder

from .cell import DateShape
from .groups import Group, Groups

ORDER_WORDS = {"DMY": "day first", "MDY": "month first", "epoch": "counted from 1970"}
# 1980 to 2100 in seconds, and from which number on a file means milliseconds.
_EPOCH_SECONDS = (315_532_800, 4_102_444_800)
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class DateReading:
    """The order of a column's dates; `assumed` is a cell that does not show it, `conflict` two."""

    order: DateOrder
    has_time: bool
    dates: int
    assumed: str = ""
    doubt: str = ""
    """What to check about a year of two digits that may be the first part or the last."""
    conflict: tuple[str, str] | None = None

    def accepts(self, group: Group) -> bool:
        """Return whether the cells of a group are dates in this order."""
        if not isinstance(group.shape, DateShape):
            return False
        if self.order == "YMD" and group.shape.is_short:
            return True
        unclear = {"either", "same"} if self.order in {"DMY", "MDY"} else set()
        return group.shape.order in {"any", self.order, *unclear}


def proven_order(groups: Groups) -> DateOrder | None:
    """Return the order that a column's dates show, None if they show none or two."""
    orders = {shape.order for shape, _ in groups.dates()} & {"DMY", "MDY"}
    if len(orders) != 1:
        return None
    return "DMY" if "DMY" in orders else "MDY"


def read_order(groups: Groups, *, is_european: bool, usual: DateOrder | None = None) -> DateReading:
    """Return the order of a column's dates.

    `is_european` and `usual`, the order of other columns' dates, are the file's other evidence.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    has_time, has_point = False, False
    for shape, group in groups.dates():
        counts[shape.order] += group.count
        examples.setdefault(shape.order, group.example)
        has_time, has_point = has_time or shape.has_time, has_point or shape.joint == "."
    total = sum(counts.values())
    if counts["DMY"] and counts["MDY"]:
        return DateReading("DMY", has_time, total, conflict=(examples["DMY"], examples["MDY"]))
    if counts["DMY"] or counts["MDY"]:
        return DateReading("DMY" if counts["DMY"] else "MDY", has_time, total)
    if not (counts["either"] or counts["same"]):
        return DateReading("YMD", has_time, total)
    if usual and not has_point:
        return DateReading(usual, has_time, total)
    if has_point or is_european or not counts["either"]:
        return DateReading("DMY", has_time, total)
    return DateReading("DMY", has_time, total, assumed=examples["either"])


def epoch_unit(low: float, high: float) -> int:
    """Return 1 for seconds since 1970, 1000 for milliseconds, 0 for other numbers."""
    for unit in (1, 1000):
        if _EPOCH_SECONDS[0] * unit <= low and high <= _EPOCH_SECONDS[1] * unit:
            return unit
    return 0


def are_days(low: int, step: int, unit: int) -> bool:
    """Return whether moments since 1970 are all at midnight."""
    day = _DAY_SECONDS * unit
    return low % day == 0 and step % day == 0
