"""Agents as users write them: a class whose methods handle message types.

    class Scanner(Agent):
        @handles(Scan)
        def scan(self, msg: Scan, ctx: Context) -> dict:
            ...

A handler is called on the agent's own thread, one message at a time; ``async def`` handlers run on an event loop in
that thread. What it returns is the message's result and must be something JSON can say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType
from typing import Any, ClassVar, NoReturn, TypeVar

from squad.errors import RefusedError
from squad.messages import MessageType, type_of

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "__squad_handles__"


class Agent:
    """Base class of agents. One instance lives in each process, for as long as the process does.

    ``options`` is the mapping of the same name in the configuration.
    """

    handlers: ClassVar[dict[str, tuple[MessageType, str]]] = {}  # type name -> the type, and the method's name
    options: dict[str, Any]

    def start(self) -> None:
        """Called once before the first message, on the thread of the handlers. An exception fails the start."""

    def stop(self) -> None:
        """Called once after the last message when the agent stops in good order, on the thread of the handlers."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        found = dict(cls.handlers)
        mine: dict[str, str] = {}
        for attribute, method in cls.__dict__.items():
            for kind in getattr(method, _ATTRIBUTE, ()):
                if kind.name in mine:
                    raise TypeError(
                        f"{cls.__qualname__} handles {kind.name!r} twice: in {mine[kind.name]} and in {attribute}"
                    )
                mine[kind.name] = attribute
                found[kind.name] = (kind, attribute)
        cls.handlers = found


def handles(message_class: type[Any] | str) -> Callable[[F], F]:
    """Mark a method as the handler of a message type. It is called with the message and a Context.

    A type that the configuration declares, under ``types``, is given by its name; its messages are dicts.
    """
    kind = _Named(message_class) if isinstance(message_class, str) else type_of(message_class)

    def mark(method: F) -> F:
        if _expected(method) != 3:  # self, message, context
            raise TypeError(f"{method.__qualname__} handles {kind.name!r}, so it takes (self, msg, ctx)")
        setattr(method, _ATTRIBUTE, (*getattr(method, _ATTRIBUTE, ()), kind))
        return method

    return mark


def _expected(method: Callable[..., Any]) -> int:
    """How many arguments a method takes by position, ``self`` among them; ``*`` and ``**`` count as one each."""
    if isinstance(method, FunctionType) and not hasattr(method, "__wrapped__"):  # what inspect finds out by long ways
        code = method.__code__
        return code.co_argcount + bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return sum(p.kind is not p.KEYWORD_ONLY for p in inspect.signature(method).parameters.values())


class _Named(MessageType):
    """A type of which only the name is known. ``bind`` puts the declared one in its place."""

    def __init__(self, name: str) -> None:
        super().__init__(name, dict)

    def decode(self, payload: str | bytes) -> NoReturn:
        raise RefusedError(f"the type {self.name!r} is not declared", hint="declare it in the configuration, in types")

    def schema(self) -> NoReturn:
        raise RefusedError("the configuration does not declare it under types")


def bind(agent_class: type[Agent], declared: Mapping[str, MessageType]) -> type[Agent]:
    """The class with the types that it handles by name, as the configuration has ``declared`` them.

    Names that are not declared stay as they are: ``problems`` finds them.
    """
    named = [name for name, (kind, _) in agent_class.handlers.items() if isinstance(kind, _Named)]
    found = {name: (declared[name], agent_class.handlers[name][1]) for name in named if name in declared}
    if not found:
        return agent_class
    about = {"__module__": agent_class.__module__, "__qualname__": agent_class.__qualname__}
    bound: type[Agent] = type(agent_class.__name__, (agent_class,), about)
    bound.handlers = {**agent_class.handlers, **found}
    return bound


def handled_types(agent_class: type[Agent]) -> dict[str, MessageType]:
    """The types which an agent class handles, by name."""
    return {name: kind for name, (kind, _) in agent_class.handlers.items()}


def problems(agent_class: type[Any]) -> list[str]:
    """What keeps a class from being an agent, as sentences; empty when nothing does."""
    if not (isinstance(agent_class, type) and issubclass(agent_class, Agent)):
        return ["is not an agent: let it inherit from squad.Agent"]
    if not agent_class.handlers:
        return ["handles no message: mark a method with @handles(MessageType)"]
    found = []
    for name, kind in handled_types(agent_class).items():
        if isinstance(kind, _Named):
            found.append(f"handles {name!r}, which the configuration does not declare under types")
            continue
        try:
            kind.schema()
        except Exception as error:  # pydantic raises several kinds for what it cannot check
            found.append(f"its message type {name!r} cannot be checked: {str(error).splitlines()[0]}")
    return found


def describe(agent_class: type[Agent]) -> dict[str, Any]:
    """What an agent class handles, for JSON: ``{"types": {name: {"schema": …, "class": "module:Name"}}}``."""
    return {
        "types": {
            name: {"schema": kind.schema(), "class": f"{kind.cls.__module__}:{kind.cls.__qualname__}"}
            for name, kind in handled_types(agent_class).items()
        }
    }
