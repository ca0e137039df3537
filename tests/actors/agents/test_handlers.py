from __future__ import annotations

import pytest

from squad.actors.agents.context import Context
from squad.actors.agents.handlers import Agent, bind, describe, handled_types, handles, problems
from squad.declared import Field, FieldsType, annotation_of
from squad.errors import RefusedError
from squad.messages import message


@message("ping")
class Ping:
    n: int


@message("pong")
class Pong:
    n: int


class Base(Agent):
    @handles(Ping)
    def ping(self, msg: Ping, ctx: Context) -> int:
        return msg.n


class Derived(Base):
    @handles(Pong)
    async def pong(self, msg: Pong, ctx: Context) -> int:
        return msg.n


def test_handlers_are_inherited_and_added_to() -> None:
    assert set(handled_types(Base)) == {"ping"}
    assert set(handled_types(Derived)) == {"ping", "pong"}
    assert problems(Derived) == []
    assert describe(Derived)["types"]["ping"]["schema"]["properties"]["n"]["type"] == "integer"


def test_one_method_may_handle_two_types() -> None:
    class Both(Agent):
        @handles(Ping)
        @handles(Pong)
        def any(self, msg: Ping | Pong, ctx: Context) -> int:
            return msg.n

    assert set(handled_types(Both)) == {"ping", "pong"}


def test_one_type_handled_twice_is_an_error() -> None:
    with pytest.raises(TypeError, match="handles 'ping' twice: in one and in two"):

        class Twice(Agent):
            @handles(Ping)
            def one(self, msg: Ping, ctx: Context) -> None: ...

            @handles(Ping)
            def two(self, msg: Ping, ctx: Context) -> None: ...


def test_a_handler_takes_a_message_and_a_context() -> None:
    with pytest.raises(TypeError, match=r"takes \(self, msg, ctx\)"):

        @handles(Ping)
        def short(self: object, msg: Ping) -> None: ...


def test_what_is_no_agent_is_named() -> None:
    class Idle(Agent):
        pass

    @message("odd")
    class Odd:
        thing: Context

    class Uncheckable(Agent):
        @handles(Odd)
        def odd(self, msg: Odd, ctx: Context) -> None: ...

    assert problems(dict) == ["is not an agent: let it inherit from squad.Agent"]
    assert problems(Idle) == ["handles no message: mark a method with @handles(MessageType)"]
    assert "its message type 'odd' cannot be checked" in problems(Uncheckable)[0]


class ByName(Base):
    @handles("note")
    def note(self, msg: dict[str, str], ctx: Context) -> str:
        return msg["text"]


def test_a_type_that_the_configuration_declares_is_handled_by_its_name() -> None:
    note = FieldsType("note", {"text": Field(annotation_of("str"))})
    bound = bind(ByName, {"note": note, "other": FieldsType("other", {})})
    assert (bound.__name__, bound.__module__) == ("ByName", __name__)
    assert issubclass(bound, ByName)
    assert problems(bound) == []
    assert set(handled_types(bound)) == {"note", "ping"}
    assert handled_types(bound)["note"] is note
    assert describe(bound)["types"]["note"]["schema"]["required"] == ["text"]
    assert bind(Base, {"note": note}) is Base


def test_a_type_that_nobody_declares_is_named() -> None:
    assert problems(bind(ByName, {})) == ["handles 'note', which the configuration does not declare under types"]
    with pytest.raises(RefusedError, match="'note' is not declared"):
        handled_types(ByName)["note"].decode("{}")
