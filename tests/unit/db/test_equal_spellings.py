"""Tests that inputs have one key, however a client writes them."""

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
# No white space, and no characters that a text field refuses.
words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=8)
queries = st.text(st.characters(max_codepoint=255), max_size=60)


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Value]:
    """Draw inputs in their normal form."""
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
    """Write a text with other white space and with composed or decomposed letters."""
    form: Literal["NFC", "NFD"] = draw(st.sampled_from(("NFC", "NFD")))
    blank, margin = draw(st.sampled_from(BLANKS)), draw(st.sampled_from(("", *BLANKS)))
    return margin + unicodedata.normalize(form, text).replace(" ", blank) + margin


def spell_number(draw: st.DrawFn, value: Value) -> str:
    """Write a number with or without sign, point, zeros and exponent."""
    assert isinstance(value, int | float)
    number = draw(st.sampled_from((value, float(value))))
    plain = repr(number)
    ways = [plain, repr(float(number)), f" {plain} ", f"{number:.17e}", f"{number:.17E}"]
    if not plain.startswith("-"):
        ways += [f"+{plain}", f"0{plain}"]
    if isinstance(number, int):
        ways += [f"{plain}.", f"{plain}.000", f"{plain}e0", f"{plain}0e-1"]
    return draw(st.sampled_from(ways))


@st.composite
def spellings(draw: st.DrawFn, values: dict[str, Value]) -> dict[str, str]:
    """Draw a spelling of inputs as query parameters, in any order, with or without defaults."""
    spelled = {
        "wish": spell_text(draw, str(values["wish"])),
        "class": spell_text(draw, str(values["class"])),
        "price": spell_number(draw, values["price"]),
        "age": spell_number(draw, values["age"]),
        "alone": draw(
            st.sampled_from(("true", "1", "True") if values["alone"] else ("false", "0"))
        ),
    }
    for name in ("age", "alone"):
        if values[name] == SPEC.fields[name].default and draw(st.booleans()):
            del spelled[name]
    return {name: spelled[name] for name in draw(st.permutations(list(spelled)))}


@st.composite
def escapes(draw: st.DrawFn, text: str) -> str:
    """Draw an escaped form of a text: minimal or complete, in upper or lower case."""
    style = draw(st.integers(0, 3))
    if style == 0:
        return "".join(f"%{byte:02X}" for byte in text.encode())
    if style == 1:
        return "".join(f"%{byte:02x}" for byte in text.encode())
    if style == 2:
        return quote(text, safe="").replace("%20", "+")
    # WSGI passes unescaped bytes on as Latin-1.
    minimal = "".join(
        quote(character, safe="") if character in "%&=+# " else character for character in text
    )
    return minimal.encode().decode("latin-1")


@given(inputs(), st.data())
def test_inputs_in_any_spelling_have_the_same_key(
    values: dict[str, Value], data: st.DataObject
) -> None:
    """Neither the order of the parameters nor their escapes matter."""
    spelled = data.draw(spellings(values))
    pairs = [
        f"{data.draw(escapes(name))}={data.draw(escapes(text))}" for name, text in spelled.items()
    ]
    key = SPEC.key(values)
    assert SPEC.key(SPEC.read_inputs(read_query("&".join(pairs)))) == key
    assert SPEC.key(SPEC.read_inputs(spelled)) == key


@given(inputs())
def test_inputs_of_a_body_have_the_key_of_a_query(values: dict[str, Value]) -> None:
    """Integers may be written as floats, and letters may be escaped."""
    floats = {**values, "price": float(values["price"] or 0)}
    for is_ascii in (True, False):
        body = json.dumps([values, floats], ensure_ascii=is_ascii).encode()
        for item in read_items(body):
            assert SPEC.key(SPEC.read_inputs(read_item(item))) == SPEC.key(values)


@given(inputs(), inputs())
def test_different_inputs_have_different_keys(
    first: dict[str, Value], second: dict[str, Value]
) -> None:
    """Two records must never share an answer."""
    assert (SPEC.key(first) == SPEC.key(second)) == (first == second)


@given(inputs(), st.sampled_from(sorted(SPEC.fields)), inputs())
def test_a_change_of_one_field_changes_the_key(
    first: dict[str, Value], name: str, second: dict[str, Value]
) -> None:
    """Every field is part of the key."""
    assume(first[name] != second[name])
    assert SPEC.key({**first, name: second[name]}) != SPEC.key(first)


@given(words, words)
def test_the_end_of_a_text_is_part_of_the_key(one: str, other: str) -> None:
    """Letters that move from one field to the next change the key."""
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
    """A text that is read can be stored and sent."""
    parameters: dict[str, str] | None = None
    with suppress(InputError):
        parameters = read_query(query)
    if parameters is None:
        return
    for part in (*parameters, *parameters.values()):
        assert part.encode().decode() == part
    assert len(parameters) == len([pair for pair in query.split("&") if pair])


@given(queries, st.sampled_from(["wish", "été"]))
def test_parameters_with_other_names_are_ignored(query: str, name: str) -> None:
    """Clients of the flat route may send unknown and badly encoded parameters."""
    assume(name.encode() not in unquote_to_bytes(query.encode("latin-1").replace(b"+", b" ")))
    own = f"{quote(name)}=ici"
    only = [name.encode().decode("latin-1")]
    assert read_query(f"{query}&{own}", only=only) == {name: "ici"}


@given(st.binary(max_size=60))
def test_a_body_of_any_bytes_is_read_or_refused(body: bytes) -> None:
    """Each item of the body is read as an object or refused."""
    items: list[msgspec.Raw] = []
    with suppress(Refusal):
        items = read_items(body)
    for item in items:
        with suppress(InputError):
            assert isinstance(read_item(item), dict)
