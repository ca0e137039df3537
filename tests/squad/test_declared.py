"""Types that a configuration declares are as strict as those of Python, and say as much about what is wrong."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.declared import (
    Field,
    FieldsType,
    SchemaType,
    annotation_of,
    closed,
    misfit,
    schema_mistakes,
    unknown_part,
)
from squad.errors import RefusedError

NOTE = FieldsType(
    "note",
    {
        "text": Field(annotation_of("str")),
        "from": Field(annotation_of("str"), "nobody"),
        "times": Field(annotation_of("int"), 1),
        "tags": Field(annotation_of("list[str]"), []),
        "level": Field(annotation_of("str", ("low", "high")), "low"),
        "more": Field(annotation_of("dict | null"), None),
        "copy": Field(annotation_of("any"), None, "what a model of pydantic has a method for"),
    },
)
DEFAULTS = {"from": "nobody", "times": 1, "tags": [], "level": "low", "more": None, "copy": None}


def mistakes(kind: FieldsType | SchemaType, payload: Any) -> list[str]:
    with pytest.raises(RefusedError) as caught:
        kind.decode(payload if isinstance(payload, str) else json.dumps(payload))
    return [str(problem) for problem in caught.value.problems]


# -- by fields --------------------------------------------------------------------------------------------------------


def test_a_payload_is_a_dict_with_the_defaults_filled_in():
    assert NOTE.decode('{"text": "x"}') == {"text": "x", **DEFAULTS}
    assert NOTE.decode('{"text": "x", "more": {"a": [1]}, "copy": 3, "times": 2}') == {
        **{"text": "x", **DEFAULTS},
        "more": {"a": [1]},
        "copy": 3,
        "times": 2,
    }
    assert json.loads(NOTE.encode({"text": "é"})) == {"text": "é"}


def test_every_mistake_is_named_at_once():
    found = mistakes(NOTE, {"txt": 1, "times": "2", "tags": ["a", 3], "level": "middle", "more": []})
    assert found == [
        "text: is missing",
        'times: input should be a valid integer, not "2"',
        "tags.1: input should be a valid string, not 3",
        "level: input should be 'low' or 'high', not \"middle\"",
        "more: input should be an object, not []",
        "txt: is not a field of 'note' (did you mean 'text'?)",
    ]
    assert mistakes(NOTE, []) == ["payload: must be a JSON object"]
    assert mistakes(NOTE, "{") == ["payload: is not JSON: EOF while parsing an object at line 1 column 1"]
    assert mistakes(NOTE, {"text": True, "times": 1.5}) == [
        "text: input should be a valid string, not true",
        "times: input should be a valid integer, not 1.5",
    ]


def test_what_json_cannot_say_is_not_sent():
    for value in (object(), float("nan"), "\ud800"):
        with pytest.raises(RefusedError, match="cannot be sent"):
            NOTE.encode({"text": "x", "copy": value})


def test_its_schema_accepts_what_it_accepts():
    schema = NOTE.schema()
    assert schema["title"] == "note"
    assert schema["required"] == ["text"]
    assert schema["properties"]["copy"]["description"] == "what a model of pydantic has a method for"
    jsonschema.validate({"text": "x", "level": "high"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"text": "x", "txt": "y"}, schema)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("str", "x", 1),
        ("int", 3, True),
        ("float", 3, "3"),
        ("bool", True, 1),
        ("list", [1, "x", None], {}),
        ("dict", {"a": [None]}, []),
        ("any", None, None),
        ("list[int]", [1], ["1"]),
        ("list[ list[str] ]", [["a"]], ["a"]),
        ("dict[str, float]", {"a": 1.5}, {"a": "b"}),
        ("dict[str,list[int]]", {"a": [1]}, {"a": 1}),
        ("int | null", None, "null"),
        ("int|null", 3, "3"),
    ],
)
def test_types_of_fields(text, good, bad):
    kind = FieldsType("t", {"x": Field(annotation_of(text))})
    assert kind.decode(json.dumps({"x": good})) == {"x": good}
    if bad is not None:
        assert mistakes(kind, {"x": bad})


@pytest.mark.parametrize("text", ["", "string", "list[", "list[]", "list[foo]", "dict[int, str]", "str | int", "null"])
def test_what_is_no_type_of_a_field(text):
    with pytest.raises(ValueError, match="write one of str, int"):
        annotation_of(text)


def test_a_default_must_fit():
    assert misfit(Field(annotation_of("int"), 3)) == ""
    assert misfit(Field(annotation_of("int"))) == ""
    assert misfit(Field(annotation_of("int"), "3")) == "input should be a valid integer"
    assert misfit(Field(annotation_of("str", ("a",)), "b")) == "input should be 'a'"
    assert misfit(Field(annotation_of("int"), None)) == "input should be a valid integer"


# -- by a JSON Schema -------------------------------------------------------------------------------------------------

ORDER = SchemaType(
    "order",
    {
        "properties": {
            "item": {"type": "string", "minLength": 1},
            "count": {"type": "integer", "minimum": 1, "default": 1},
            "to": {
                "type": "object",
                "properties": {"street": {"type": "string"}},
                "required": ["street"],
                "additionalProperties": False,
            },
            "kind": {"enum": ["new", "used"]},
        },
        "required": ["item"],
    },
)


def test_a_schema_with_its_defaults_at_the_top():
    assert ORDER.decode('{"item": "x"}') == {"item": "x", "count": 1}
    assert ORDER.decode('{"item": "x", "count": 2, "to": {"street": "y"}}')["count"] == 2
    assert ORDER.schema()["title"] == "order"
    assert ORDER.schema()["additionalProperties"] is False


def test_a_schemas_mistakes_are_all_named_in_our_words():
    assert mistakes(ORDER, {"count": 1.0, "to": {"stret": 1}, "kind": "old", "itme": ""}) == [
        "item: is missing",
        "itme: is not a field of 'order' (did you mean 'item'?)",
        "count: must be a whole number, not 1.0",
        'kind: must be "new" or "used", not "old"',
        "to.street: is missing",
        "to.stret: is not a field of to (did you mean 'street'?)",
    ]
    assert mistakes(ORDER, {"item": "", "count": 0}) == [
        "count: 0 is less than the minimum of 1",
        "item: '' should be non-empty",
    ]
    assert mistakes(ORDER, "[]") == ["payload: must be a JSON object"]
    assert mistakes(ORDER, '{"item": NaN}') == ["payload: is not JSON: it has no number NaN"]


def test_a_large_value_does_not_make_a_large_problem():
    kind = SchemaType("t", {"properties": {"x": {"type": "array", "maxItems": 1}, "y": {"type": "integer"}}})
    for problem in mistakes(kind, {"x": list(range(10_000)), "y": "z" * 10_000}):
        assert len(problem) < 300


def test_a_payload_that_is_nested_too_deeply_is_refused():
    kind = SchemaType(
        "t", {"properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"items": {"$ref": "#/$defs/x"}}}}
    )
    deep = "[" * 900 + "]" * 900
    with pytest.raises(RefusedError):
        kind.decode(f'{{"x": {"[" * 100_000}{"]" * 100_000}}}')
    try:
        kind.decode(f'{{"x": {deep}}}')
    except RefusedError as error:
        assert "nested too deeply" in str(error.problems[0])


def test_only_an_open_schema_takes_other_fields():
    assert SchemaType("t", {"additionalProperties": True}).decode('{"any": 1}') == {"any": 1}
    assert SchemaType("t", {"patternProperties": {"^x": {}}, "additionalProperties": False}).decode('{"xy": 1}')
    assert mistakes(SchemaType("t", {}), {"any": 1}) == ["any: is not a field of 't'"]
    both = SchemaType("t", {"allOf": [{"properties": {"a": {}}}], "properties": {"b": {}}})
    assert both.decode('{"a": 1, "b": 2}') == {"a": 1, "b": 2}
    assert mistakes(both, {"c": 1}) == ["payload: Unevaluated properties are not allowed ('c' was unexpected)"]


@given(
    st.dictionaries(st.sampled_from(["item", "count", "x"]), st.none() | st.integers(0, 2) | st.text("ab", max_size=2))
)
def test_it_accepts_what_the_closed_schema_accepts(payload):
    valid = jsonschema.Draft202012Validator(closed(ORDER.schema())).is_valid(payload)
    try:
        ORDER.decode(json.dumps(payload))
    except RefusedError as error:
        assert error.problems
        assert not valid
    else:
        assert valid


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"type": "array"}, "a payload is an object, so its type must be object"),
        ({"properties": {"a": {"type": "strin"}}}, "properties.a.type: 'strin' is not valid"),
        ({"properties": 3}, "properties: 3 is not of type 'object'"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "$ref '#/$defs/b' leads to nothing in this schema"),
        ({"properties": {"a": {"$ref": "https://example.org/x"}}}, "$ref 'https://example.org/x' leads to nothing"),
        ({"properties": {"a": {"pattern": "("}}}, "properties.a.pattern"),
    ],
)
def test_what_is_no_schema_for_a_payload(schema, what):
    found = schema_mistakes(schema)
    assert len(found) == 1
    assert found[0].startswith(what)


def test_a_schema_may_refer_to_its_own_parts():
    schema = {
        "$id": "https://example.org/t",
        "properties": {"a": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"type": "null"}},
    }
    assert schema_mistakes(schema) == []
    assert SchemaType("t", schema).decode('{"a": null}') == {"a": None}
    assert mistakes(SchemaType("t", schema), {"a": 1}) == ["a: must be null, not 1"]


# -- what a payload can have ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "path", "hint"),
    [
        (NOTE, ["text"], None),
        (NOTE, ["from"], None),
        (NOTE, ["more", "x", "y"], None),
        (NOTE, ["copy", "x"], None),
        (NOTE, ["tags", "0"], None),
        (NOTE, ["txt"], "did you mean 'text'?"),
        (NOTE, ["zzz"], "its fields are copy, from, level, more, tags, text, times"),
        (NOTE, ["text", "x"], "'text' has no such part"),
        (NOTE, ["tags", "x"], "'tags' has no such part"),
        (ORDER, ["to", "street"], None),
        (ORDER, ["to", "stret"], "'to' has no such part"),
        (ORDER, ["kind"], None),
        (SchemaType("t", {"additionalProperties": True}), ["x", "y"], None),
        (SchemaType("t", {"allOf": [{"properties": {"a": {}}}]}), ["whatever"], None),
        (SchemaType("t", {}), ["x"], "its fields are none"),
    ],
)
def test_parts_that_a_payload_can_have(kind, path, hint):
    assert unknown_part(kind, tuple(path)) == hint
