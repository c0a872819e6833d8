"""Tests of the neighbours in explanations: of which enricher, and when there are none."""

from __future__ import annotations

import msgspec
import pytest

from db.scoring.explanation import Neighbour
from db.spec.field import Inputs
from db.spec.section import EnricherSpec
from db.store.store import connect_store
from serve.prediction.catalog import Served
from serve.prediction.explanation import explain, neighbours_enrichers
from serve.prediction.neighbours import find_neighbours
from serve.store_reader import StoreReader
from tests.conftest import make_store, notes_spec, settings_for
from tests.direct import direct_store
from tests.hand_made_student import TONES, as_teacher, tones
from tests.unit.serve.test_explanation import TONE, served

NEIGHBOURS = {"embedding": EnricherSpec(), "neighbours": EnricherSpec()}
INPUTS: Inputs = {"sentence": "merci"}


def test_enrichers_of_neighbours_are_found_by_what_they_use() -> None:
    """Code of a user may have the same name."""
    enrichers = {
        "near": EnricherSpec(use="neighbours", reads=("embedding",)),
        "embedding": EnricherSpec(),
        "neighbours": EnricherSpec(),
    }
    assert neighbours_enrichers(notes_spec(enrichers)) == ["near", "neighbours"]
    own = {"neighbours": EnricherSpec(use="datasets.notes.Neighbours")}
    assert neighbours_enrichers(notes_spec(own)) == []


@pytest.mark.parametrize("enrichers", [{}, NEIGHBOURS])
def test_inputs_that_are_not_stored_have_no_neighbours(
    sqlite_url: str, enrichers: dict[str, EnricherSpec]
) -> None:
    """Nor are there any without the enricher."""
    store = make_store(sqlite_url)
    reader = StoreReader(direct_store(store))
    found = find_neighbours(reader, Served(1, notes_spec(enrichers)), INPUTS)
    assert found is msgspec.UNSET
    reader.close()
    store.close()


def test_while_the_store_is_down_an_explanation_has_no_neighbours(sqlite_url: str) -> None:
    """The reasons need no store."""
    store = connect_store(settings_for(sqlite_url))
    reader = StoreReader(direct_store(store))
    is_down = Served(1, notes_spec(NEIGHBOURS))
    # There are no tables.
    assert find_neighbours(reader, is_down, INPUTS) is msgspec.UNSET
    assert not reader.is_up
    assert find_neighbours(reader, is_down, INPUTS) is msgspec.UNSET
    reader.close()
    store.close()


def test_neighbours_are_the_last_member_of_an_explanation() -> None:
    """Without them there is no such member, and with an empty list it is empty."""
    one = Neighbour(key="00ff", label="happy", similarity=0.93)
    asked = served(TONES, as_teacher(tones()))
    encoded = msgspec.json.encode(explain(asked, TONE, [one]))
    assert encoded.endswith(b',"neighbours":[{"key":"00ff","label":"happy","similarity":0.93}]}')
    assert b"neighbours" not in msgspec.json.encode(explain(asked, TONE))
    assert msgspec.json.encode(explain(asked, TONE, [])).endswith(b',"neighbours":[]}')
