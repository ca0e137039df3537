from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.errors import RefusedError
from squad.messages import did_you_mean, message, type_of


@message("order")
class Order:
    item: str
    count: int = 1
    tags: list[str] = dataclasses.field(default_factory=list)


def refused(payload: str) -> list[str]:
    with pytest.raises(RefusedError) as caught:
        type_of(Order).decode(payload)
    return [str(problem) for problem in caught.value.problems]


def test_a_declared_class_is_a_frozen_dataclass() -> None:
    order = Order("tea")
    assert (order.count, order.tags) == (1, [])
    with pytest.raises(dataclasses.FrozenInstanceError):
        order.item = "coffee"  # type: ignore[misc]


def test_decode_and_encode_are_inverse() -> None:
    order = Order("tea", 2, ["hot"])
    assert type_of(Order).decode(type_of(order).encode(order)) == order


def test_every_mistake_is_named_at_once() -> None:
    assert refused('{"itme": "tea", "count": "2", "tags": [1]}') == [
        "item: is missing",
        'count: input should be a valid integer, not "2"',
        "tags.0: input should be a valid string, not 1",
        "itme: is not a field of 'order' (did you mean 'item'?)",
    ]


@pytest.mark.parametrize("payload", ["", "{", "[]", "3", "null", '"x"', '{"item": "a"', '{"item": NaN}'])
def test_what_is_no_object_is_refused(payload: str) -> None:
    assert refused(payload)


def test_an_instance_with_a_wrong_value_cannot_be_sent() -> None:
    wrong: Any = Order(7)  # type: ignore[arg-type]
    with pytest.raises(RefusedError) as caught:
        type_of(wrong).encode(wrong)
    assert [problem.where for problem in caught.value.problems] == ["item"]


def test_its_schema_names_its_fields() -> None:
    schema = type_of(Order).schema()
    assert (schema["title"], schema["required"], schema["additionalProperties"]) == ("order", ["item"], False)


def test_a_class_that_was_not_declared_is_named() -> None:
    with pytest.raises(TypeError, match="not a message type"):
        type_of(dict)


def test_a_subclass_is_not_the_declared_type() -> None:
    class Special(Order):
        pass

    with pytest.raises(TypeError, match="Special is not a message type"):
        type_of(Special)


@pytest.mark.parametrize("name", ["", "1st", "a b", "x" * 101, "naïve", "a\n"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a message type"):
        message(name)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_decoded_or_refused(value: Any) -> None:
    try:
        made = type_of(Order).decode(json.dumps(value))
    except RefusedError as error:
        assert error.problems
    else:
        assert isinstance(made, Order)


def test_suggestions() -> None:
    assert did_you_mean("scaner", ["scanner", "checker"]) == "did you mean 'scanner'?"
    assert did_you_mean("zzz", ["scanner"]) == ""
