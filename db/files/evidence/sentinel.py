"""Numbers that stand for a missing value, such as -200 or 9999."""

from __future__ import annotations

from collections.abc import Mapping

MAX_SENTINELS = 3
MIN_COUNT = 2
MIN_SHARE = 0.005
# So many other values show how far apart the values lie.
MIN_OTHERS = 5
MIN_HIGH_CODE = 9
# A number that looks like a sentinel is clearly apart from this share of the others' range on.
_APART = 0.1
_NINES_APART = 0.3
_ANY_APART = 10


def find_sentinels(counts: Mapping[float, int], rows: int) -> list[float]:
    """Return the values at the edge that are repeated and lie far from all others."""
    values = sorted(counts)
    found = [v for v in _negative_codes(values) if is_often(counts[v], rows)]
    values = [value for value in values if value not in found]
    found += [v for v in _high_codes(values) if is_often(counts[v], rows)]
    values = [value for value in values if value not in found]
    while len(found) < MAX_SENTINELS and len(values) > MIN_OTHERS:
        often = [v for v in (values[0], values[-1]) if is_often(counts[v], rows)]
        sentinel = next((value for value in often if _is_far(value, values)), None)
        if sentinel is None:
            break
        found.append(sentinel)
        values.remove(sentinel)
    return found


def looks_like_code(value: float) -> bool:
    """Return whether a number is one digit repeated (-9, -99.9) or a multiple of hundred."""
    return _has_one_digit(value) or (value != 0 and value % 100 == 0)


def _has_one_digit(value: float) -> bool:
    """Return whether a number is written with nines only, or with eights or sevens."""
    digits = f"{abs(value):.10g}".replace(".", "")
    return set(digits) in ({"9"}, {"8"}, {"7"})


def _negative_codes(values: list[float]) -> list[float]:
    """Return the negative values if they are few, look like codes and lie apart from the rest."""
    negatives = [value for value in values if value < 0]
    others = values[len(negatives) :]
    if not 0 < len(negatives) <= MAX_SENTINELS or len(others) < MIN_OTHERS:
        return []
    is_apart = others[0] - negatives[-1] >= _APART * (others[-1] - others[0])
    # Several round amounts such as -100 and -300 are debts; several codes are -8 and -9.
    is_code = looks_like_code if len(negatives) == 1 else _has_one_digit
    return negatives if is_apart and all(map(is_code, negatives)) else []


def _high_codes(values: list[float]) -> list[float]:
    """Return 98 and 99, or 997 to 999, if they are far from all others."""
    at = len(values) - 1
    while at > 0 and values[at] - values[at - 1] == 1:
        at -= 1
    others, codes = values[:at], values[at:]
    if len(others) < MIN_OTHERS or not 1 < len(codes) <= MAX_SENTINELS:
        return []
    is_code = _has_one_digit(codes[-1]) and codes[-1] > MIN_HIGH_CODE
    return codes if is_code and codes[0] - others[-1] > others[-1] - others[0] else []


def is_often(count: int, rows: int) -> bool:
    """Return whether a value is repeated enough to stand for a missing one."""
    return count >= MIN_COUNT and count >= MIN_SHARE * rows


def _is_far(value: float, values: list[float]) -> bool:
    """Return whether a value at the edge lies apart; `values` are sorted and contain it."""
    # Zero is a plausible amount wherever it stands.
    if value == 0:
        return False
    others = values[1:] if value == values[0] else values[:-1]
    extent = others[-1] - others[0]
    gap = abs(value - (others[0] if value == values[0] else others[-1]))
    return gap > _required_gap(value) * extent


def _required_gap(value: float) -> float:
    """Return how far from the others a value must be, in their range."""
    if value < 0 and looks_like_code(value):
        return 1
    digits = str(int(value))
    if len(digits) > 1 and float(value).is_integer() and set(digits) == {"9"}:
        return _NINES_APART
    # Powers of two or ten, such as sizes of memory, double or grow tenfold without end.
    return _ANY_APART
