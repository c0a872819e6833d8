"""The cost of a language model's tokens, by the prices that a spec gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from db.queue.meter import Tokens

MILLION = 1_000_000
MOST_PRICE = 10**9


def token_cost(tokens: Tokens, config: Mapping[str, Any]) -> float | None:
    """Return the cost in the currency of the prices, None if `config` has none that are usable."""
    prices = [config.get(f"price_per_million_{kind}_tokens") for kind in Tokens._fields]
    usable = [_price(price) for price in prices]
    if prices == [None, None] or None in usable:
        return None
    return sum(count * (price or 0) / MILLION for count, price in zip(tokens, usable, strict=True))


def _price(price: object) -> float | None:
    """Return a price, 0 where none is given, None for one that no service has."""
    if price is None:
        return 0.0
    if isinstance(price, bool) or not isinstance(price, int | float):
        return None
    # A larger integer is no float.
    if not 0 <= price <= MOST_PRICE:
        return None
    return float(price)
