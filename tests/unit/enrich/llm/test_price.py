"""The cost of tokens."""

from __future__ import annotations

import pytest

from db.queue.meter import Tokens
from enrich.enrichers.llm.price import token_cost

TOKENS = Tokens(2_000_000, 500_000)
PROMPT, ANSWER = "price_per_million_prompt_tokens", "price_per_million_answer_tokens"


@pytest.mark.parametrize(
    ("config", "cost"),
    [
        ({PROMPT: 0.5, ANSWER: 2}, 2.0),
        ({PROMPT: 0.5}, 1.0),
        ({ANSWER: 2}, 1.0),
        ({PROMPT: 0, ANSWER: 0}, 0.0),
        ({}, None),
        ({PROMPT: "0.5"}, None),
        ({PROMPT: 10**400}, None),
        ({PROMPT: -1}, None),
        ({PROMPT: 1, ANSWER: True}, None),
    ],
)
def test_tokens_cost_what_the_prices_say(config: dict[str, object], cost: float | None) -> None:
    """Without a usable price the cost is unknown, and not zero."""
    assert token_cost(TOKENS, config) == cost
