"""Tests of query strings and bodies: they are read strictly or refused, with the field's name."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import InputError
from serve.api.problem import Refusal
from serve.api.query import read_item, read_items, read_query

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def refusal_of(body: bytes) -> tuple[int, str]:
    """Return the status and the detail of the refusal of a body."""
    with pytest.raises(Refusal) as caught:
        read_items(body)
    return caught.value.problem.status, caught.value.problem.detail


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("&&", {}),
        ("wish=a+view&age=30", {"wish": "a view", "age": "30"}),
        ("wish=a%20view", {"wish": "a view"}),
        ("wish=1%2B1%3D2%26", {"wish": "1+1=2&"}),
        ("wish=a=b", {"wish": "a=b"}),
        ("wish", {"wish": ""}),
        ("wish=", {"wish": ""}),
        ("w%69sh=x", {"wish": "x"}),
        ("wish=l%27%C3%A9t%C3%A9", {"wish": "l'été"}),
        ("wish=100%&age=%zz", {"wish": "100%", "age": "%zz"}),
        ("wish=a;b", {"wish": "a;b"}),
    ],
)
def test_a_query_is_read_as_forms_write_it(query: str, parameters: dict[str, str]) -> None:
    """A plus is a space, and a lone percent sign stands for itself."""
    assert read_query(query) == parameters


def test_bytes_that_a_client_did_not_escape_are_read_as_utf8() -> None:
    """WSGI passes them on as Latin-1."""
    assert read_query("wish=été".encode().decode("latin-1")) == {"wish": "été"}


@given(st.dictionaries(texts, texts, max_size=8))
def test_escaped_parameters_are_read_back_unchanged(parameters: dict[str, str]) -> None:
    """Names and values may be any text."""
    assert read_query(urlencode(parameters)) == parameters


@pytest.mark.parametrize("query", ["wish=a&wish=b", "wish=a&age=1&wish=a", "wish=a&w%69sh=b"])
def test_a_repeated_name_is_refused(query: str) -> None:
    """It is unclear which of the values is meant."""
    with pytest.raises(InputError, match="wish: is given more than once"):
        read_query(query)


@pytest.mark.parametrize(
    ("query", "field"),
    [("wish=%E9", "wish"), ("wish=\xe9", "wish"), ("w%E9=a", "query"), ("wish=%ED%A0%80", "wish")],
)
def test_bytes_that_are_not_utf8_are_refused(query: str, field: str) -> None:
    """Ignoring such bytes, or half a surrogate pair, would change the input."""
    with pytest.raises(InputError, match="is not UTF-8") as caught:
        read_query(query)
    assert caught.value.field == field


def test_a_query_has_at_most_a_thousand_parameters() -> None:
    """Hardly any dataset has more fields."""
    names = [f"p{at}=1" for at in range(1001)]
    assert len(read_query("&".join(names[:1000]))) == 1000
    with pytest.raises(InputError, match="has 1001 parameters, more than 1000"):
        read_query("&".join(names))


@pytest.mark.parametrize("items", [[], [{"wish": "été"}, {"age": 30}], [1, None, "text"]])
def test_the_items_of_an_array_are_read_in_their_order(items: list[object]) -> None:
    """Whether an item is an input is checked later, one by one."""
    result = read_items(json.dumps(items).encode())
    assert [msgspec.json.decode(item) for item in result] == items


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[1,]", b"[NaN]", b"[1] 2", b'["\xe9"]', b'["\\ud800"]', b"wish=a"]
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    """NaN, other encodings and half surrogate pairs are not JSON either."""
    status, detail = refusal_of(body)
    assert status == 400
    assert detail.startswith("the body is not JSON: ")


@pytest.mark.parametrize("body", [b"{}", b'"text"', b"null", b"3"])
def test_a_body_that_is_not_an_array_is_refused_with_an_example(body: bytes) -> None:
    """The example shows the right form."""
    status, detail = refusal_of(body)
    assert status == 400
    assert '[{"field": "value"}]' in detail


def test_a_body_has_at_most_a_thousand_items() -> None:
    """More items would occupy a thread for too long."""
    assert len(read_items(b"[" + b"1," * 999 + b"1]")) == 1000
    assert refusal_of(b"[" + b"1," * 1000 + b"1]") == (
        413,
        "the body has 1001 items, more than 1000; send fewer",
    )


def test_at_most_a_hundred_items_are_explained_at_once() -> None:
    """Their reasons take longer than answers; the refusal says what to do."""
    body = b"[" + b"1," * 100 + b"1]"
    assert len(read_items(body)) == 101
    assert len(read_items(body[:-3] + b"]", explained=True)) == 100
    with pytest.raises(Refusal, match="101 items, and at most 100 can be explained") as refused:
        read_items(body, explained=True)
    assert refused.value.problem.status == 413


@pytest.mark.parametrize("item", [None, 1, "text", [], [{"wish": "a"}]])
def test_an_item_that_is_not_an_object_is_refused(item: object) -> None:
    """Only this item is refused; the others are answered."""
    with pytest.raises(InputError, match="must be an object"):
        read_item(msgspec.Raw(msgspec.json.encode(item)))


def test_an_object_is_an_item() -> None:
    """The spec checks its values later."""
    assert read_item(msgspec.Raw(b'{"wish": "a view"}')) == {"wish": "a view"}
