"""Spelling: whichever way a client writes its inputs, they are one record with one key."""

from __future__ import annotations

import json
import unicodedata
from contextlib import suppress
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from db.errors import InputError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, ChoiceField, IntegerField, NumberField, TextField, Value
from serve.api.problem import Refusal
from serve.api.query import read_item, read_items, read_query

SPEC = DatasetSpec(
    name="guests",
    kind="classification",
    target="room",
    fields={
        "wish": TextField(),
        "class": ChoiceField(choices=("été", "hiver", "mi-saison")),
        "price": NumberField(),
        "age": IntegerField(default=30),
        "alone": BooleanField(default=True),
    },
)
BLANKS = (" ", "\t", "\r\n", "\xa0", "\u2003", "\u3000", "  ")
# White space apart, and nothing that a text may not hold.
words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=8)
queries = st.text(st.characters(max_codepoint=255), max_size=60)


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Value]:
    """Give inputs in their one form."""
    wish = unicodedata.normalize("NFC", " ".join(draw(st.lists(words, min_size=1, max_size=4))))
    return SPEC.read_inputs(
        {
            "wish": wish,
            "class": draw(st.sampled_from(("été", "hiver", "mi-saison"))),
            "price": draw(st.floats(-1e100, 1e100) | st.integers(-(2**53), 2**53)),
            "age": draw(st.integers(-(2**53) + 1, 2**53 - 1) | st.just(30)),
            "alone": draw(st.booleans()),
        }
    )


def spell_text(draw: st.DrawFn, text: str) -> str:
    """Write a text with other white space, and with letters in one piece or in several."""
    form: Literal["NFC", "NFD"] = draw(st.sampled_from(("NFC", "NFD")))
    blank, margin = draw(st.sampled_from(BLANKS)), draw(st.sampled_from(("", *BLANKS)))
    return margin + unicodedata.normalize(form, text).replace(" ", blank) + margin


def spell_number(draw: st.DrawFn, given: Value) -> str:
    """Write a number with or without sign, point, zeros and exponent."""
    assert not isinstance(given, str)
    number = draw(st.sampled_from((given, float(given))))
    plain = repr(number)
    ways = [plain, repr(float(number)), f" {plain} ", f"{number:.17e}", f"{number:.17E}"]
    if not plain.startswith("-"):
        ways += [f"+{plain}", f"0{plain}"]
    if isinstance(number, int):
        ways += [f"{plain}.", f"{plain}.000", f"{plain}e0", f"{plain}0e-1"]
    return draw(st.sampled_from(ways))


@st.composite
def spellings(draw: st.DrawFn, given: dict[str, Value]) -> dict[str, str]:
    """Give inputs as a query has them: in any order, and defaults left out or not."""
    spelled = {
        "wish": spell_text(draw, str(given["wish"])),
        "class": spell_text(draw, str(given["class"])),
        "price": spell_number(draw, given["price"]),
        "age": spell_number(draw, given["age"]),
        "alone": draw(st.sampled_from(("true", "1", "True") if given["alone"] else ("false", "0"))),
    }
    for name in ("age", "alone"):
        if given[name] == SPEC.fields[name].default and draw(st.booleans()):
            del spelled[name]
    return {name: spelled[name] for name in draw(st.permutations(list(spelled)))}


@st.composite
def escapes(draw: st.DrawFn, text: str) -> str:
    """Give a text escaped for a query: all of it or what must be, in capitals or not."""
    way = draw(st.integers(0, 3))
    if way == 0:
        return "".join(f"%{byte:02X}" for byte in text.encode())
    if way == 1:
        return "".join(f"%{byte:02x}" for byte in text.encode())
    if way == 2:
        return quote(text, safe="").replace("%20", "+")
    # As WSGI hands on what a client has not escaped.
    kept = "".join(quote(one, safe="") if one in "%&=+# " else one for one in text)
    return kept.encode().decode("latin-1")


@given(inputs(), st.data())
def test_inputs_in_any_spelling_have_the_same_key(
    given: dict[str, Value], data: st.DataObject
) -> None:
    """From a query in any order and any escapes, and from a body."""
    spelled = data.draw(spellings(given))
    pairs = [f"{data.draw(escapes(name))}={data.draw(escapes(it))}" for name, it in spelled.items()]
    key = SPEC.key(given)
    assert SPEC.key(SPEC.read_inputs(read_query("&".join(pairs)))) == key
    assert SPEC.key(SPEC.read_inputs(spelled)) == key


@given(inputs())
def test_inputs_of_a_body_have_the_key_of_a_query(given: dict[str, Value]) -> None:
    """Numbers as numbers, whole or not, and letters escaped or not."""
    floats = {name: float(it) if name == "price" else it for name, it in given.items()}
    for is_ascii in (True, False):
        body = json.dumps([given, floats], ensure_ascii=is_ascii).encode()
        for item in read_items(body):
            assert SPEC.key(SPEC.read_inputs(read_item(item))) == SPEC.key(given)


@given(inputs(), inputs())
def test_other_inputs_have_another_key(one: dict[str, Value], other: dict[str, Value]) -> None:
    """Two records must never share an answer."""
    assert (SPEC.key(one) == SPEC.key(other)) == (one == other)


@given(inputs(), st.sampled_from(sorted(SPEC.fields)), inputs())
def test_a_change_of_one_field_changes_the_key(
    one: dict[str, Value], name: str, other: dict[str, Value]
) -> None:
    """Whichever it is."""
    assume(one[name] != other[name])
    assert SPEC.key({**one, name: other[name]}) != SPEC.key(one)


@given(words, words)
def test_a_text_does_not_run_over_into_the_next(one: str, other: str) -> None:
    """Where one ends is a part of the key."""
    spec = DatasetSpec(
        name="pairs",
        kind="classification",
        target="same",
        fields={"one": TextField(), "other": TextField()},
    )
    keys = [spec.key({"one": one, "other": other}), spec.key({"one": one + other, "other": ""})]
    assert keys[0] != keys[1]


@given(queries)
def test_a_query_of_any_bytes_is_read_or_refused(query: str) -> None:
    """Never anything in between: what is read is text that can be stored and sent."""
    found: dict[str, str] | None = None
    with suppress(InputError):
        found = read_query(query)
    if found is None:
        return
    for part in (*found, *found.values()):
        assert part.encode().decode() == part
    assert len(found) == len([pair for pair in query.split("&") if pair])


@given(queries, st.sampled_from(["wish", "été"]))
def test_parameters_that_nobody_asked_for_are_passed_over(query: str, name: str) -> None:
    """Clients of the flat route send more than we know of, however badly."""
    assume(name.encode() not in unquote_to_bytes(query.encode("latin-1").replace(b"+", b" ")))
    own = f"{quote(name)}=ici"
    only = [name.encode().decode("latin-1")]
    assert read_query(f"{query}&{own}", only=only) == {name: "ici"}


@given(st.binary(max_size=60))
def test_a_body_of_any_bytes_is_read_or_refused(body: bytes) -> None:
    """Each of its items, too, is an object or none."""
    items: list[msgspec.Raw] = []
    with suppress(Refusal):
        items = read_items(body)
    for item in items:
        with suppress(InputError):
            assert isinstance(read_item(item), dict)
