"""Our own way to the checker of a message type comes to the same as pydantic's."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import field
from typing import Any, Literal

import pytest
from pydantic import Field, TypeAdapter

from squad import message
from squad.messages import type_of
from squad.plain import checker, schema_of


@message("nothing")
class Nothing:
    pass


@message("plain")
class Plain:
    """Every kind of field that is plain."""

    text: str
    number: int
    real: float
    truth: bool
    texts: list[str]
    reals: list[float] | None
    counts: dict[str, int]
    perhaps: str | None
    kind: str = "a"
    most: int | None = None
    flag: bool = True
    names: list[str] = field(default_factory=list)
    sizes: dict[str, float] = field(default_factory=dict)


class Colour(enum.Enum):
    RED = "red"


@message("choice")
class Choice:
    one: Literal["a", "b"]


@message("any")
class Anything:
    value: Any


@message("limited")
class Limited:
    size: int = Field(gt=0)


@message("coloured")
class Coloured:
    colour: Colour


@message("made")
class Made:
    stamp: list[int] = field(default_factory=lambda: [1])


@message("derived")
@dataclasses.dataclass(frozen=True)
class Derived(Nothing):
    text: str


@message("checked")
class Checked:
    text: str

    def __post_init__(self) -> None:
        pass


def _without_marks(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_marks(value) for key, value in schema.items() if key not in ("ref", "metadata")}
    return [_without_marks(each) for each in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("cls", [Nothing, Plain])
def test_a_plain_type_has_the_schema_that_pydantic_makes(cls: type[Any]) -> None:
    assert _without_marks(schema_of(cls)) == _without_marks(TypeAdapter(cls).core_schema)


@pytest.mark.parametrize("cls", [Choice, Anything, Limited, Coloured, Made, Derived, Checked])
def test_any_other_type_is_left_to_pydantic(cls: type[Any]) -> None:
    assert checker(cls) is None
    type_of(cls).schema()


def test_a_type_declared_where_names_mean_something_else_is_left_to_pydantic() -> None:
    @message("inner")
    class Inner:
        text: str

    assert checker(Inner) is None
    assert type_of(Inner).decode('{"text": "a"}') == Inner("a")


def test_values_go_there_and_back() -> None:
    text = '{"text":"é","number":1,"real":0.5,"truth":false,"texts":["a"],"reals":null,"counts":{"a":1},"perhaps":null}'
    instance = type_of(Plain).decode(text)
    assert (instance.text, instance.counts, instance.kind, instance.names) == ("é", {"a": 1}, "a", [])
    assert type_of(Plain).decode(type_of(Plain).encode(instance)) == instance
    assert type_of(Plain).schema() == {**TypeAdapter(Plain).json_schema(), "title": "plain"}
