"""Arguments of commands: what stands for a part of the message, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.config.placeholders import PlaceholderError, fill, parse

VALUES = {
    "payload": {"path": "/a b", "deep": {"list": [1, {"x": "y"}]}, "n": 3, "no": None, "é": "ü", "a-b.c": True},
    "message_id": "id",
    "type": "note",
    "attempt": 2,
    "home": "/home",
    "python": "/usr/bin/python",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{payload[path]}", "/a b"),
        ("--path={payload[path]}!", "--path=/a b!"),
        ("{payload[n]}{payload[no]}{payload[a-b.c]}", "3nulltrue"),
        ("{payload[deep]}", '{"list":[1,{"x":"y"}]}'),
        ("{payload[deep][list][1][x]}", "y"),
        ("{payload[é]}", "ü"),
        ("{message_id}/{type}/{attempt}/{home}/{python}", "id/note/2//home//usr/bin/python"),
        ("{{}}", "{}"),
        ("awk {{print $1}}", "awk {print $1}"),
        ("{{{type}}}", "{note}"),
        ("{{{type}", "{note"),
        ("$(rm -rf /) `x` ; | & * ~", "$(rm -rf /) `x` ; | & * ~"),
    ],
)
def test_what_an_argument_becomes(text, filled):
    assert fill(parse(text), VALUES) == filled


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "there is a single { in '{'"),
        ("a}b", "there is a single } in 'a}b'"),
        ("{{type}", "there is a single }"),
        ("{}", "there is no placeholder {}"),
        ("{paylod[path]}", "there is no placeholder {paylod[path]}"),
        ("{payload}", "{payload} does not say which field"),
        ("{payload[]}", "there is no placeholder {payload[]}"),
        ("{payload[a}", "there is no placeholder {payload[a}"),
        ("{payload.path}", "there is no placeholder {payload.path}"),
        ("{type[x]}", "{type[x]} has no parts"),
        ("{type!r}", "there is no placeholder {type!r}"),
        ("{type:>10}", "there is no placeholder {type:>10}"),
        ("{home.__class__}", "there is no placeholder {home.__class__}"),
        ("a\0b", "there is a NUL character, which no argument can hold"),
    ],
)
def test_what_is_no_argument(text, what):
    with pytest.raises(PlaceholderError) as caught:
        parse(text)
    assert str(caught.value).startswith(what)


def test_a_misspelt_placeholder_gets_a_suggestion():
    with pytest.raises(PlaceholderError) as caught:
        parse("{paylod[path]}")
    assert caught.value.hint == "did you mean 'payload'?; for a brace itself write {{ or }}"


@pytest.mark.parametrize(
    ("text", "payload", "what"),
    [
        ("{payload[x]}", {}, "the payload has nothing for {payload[x]}"),
        ("{payload[x][y]}", {"x": {}}, "the payload has nothing for {payload[x][y]}"),
        ("{payload[x][y]}", {"x": "text"}, "the payload has nothing for {payload[x][y]}"),
        ("{payload[x][0]}", {"x": "text"}, "the payload has nothing for {payload[x][0]}"),
        ("{payload[x][2]}", {"x": [1]}, "the payload has nothing for {payload[x][2]}"),
        ("{payload[x][y]}", {"x": None}, "the payload has nothing for {payload[x][y]}"),
        ("{payload[x]}", {"x": "a\0b"}, "{payload[x]} holds a NUL character, which no argument can"),
        ("{payload[x]}", {"x": "\ud800"}, "{payload[x]} holds half a character"),
        ("{payload[x]}", {"x": "\udcff"}, "{payload[x]} holds half a character"),
    ],
)
def test_what_a_payload_cannot_fill(text, payload, what):
    with pytest.raises(PlaceholderError) as caught:
        fill(parse(text), {**VALUES, "payload": payload})
    assert str(caught.value) == what


@given(st.text(st.characters(exclude_categories=["Cs"]).filter(lambda char: char != "\0")))
def test_any_text_without_placeholders_stands_for_itself(text):
    assert fill(parse(text.replace("{", "{{").replace("}", "}}")), {}) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("ab{}[]\"\\'", max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    )
)
def test_a_value_is_one_argument_and_never_read_again(value):
    filled = fill(parse("{payload[x]}"), {"payload": {"x": value}})
    assert filled == value if isinstance(value, str) else json.loads(filled) == value
