"""What a configuration may say of an agent that is a command, and the choice between a class and a command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from squad.config.section import Section
from squad.config.values import ClassReference, Duration, Size, blank_mapping, complain, refuse, sized, written

PASSED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""Environment variables that every command gets from the squad's own environment, if they are there."""


def _variable(value: str) -> str:
    if fault := _no_variable(value):
        refuse("the name of an environment variable", fault)
    return value


def _variable_key(value: str) -> str:
    if fault := _no_variable(value):
        complain(f"{value!r} cannot be set", fault)
    return value


def _no_variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        return "an environment variable has letters, digits and _, no digit first"
    return "variables that begin with SQUAD_ are Squad's own" if value.startswith("SQUAD_") else ""


def _exit_code(value: int) -> int:
    if not 1 <= value <= 255:
        refuse("an exit status from 1 to 255", "0 always means done")
    return value


Variable = Annotated[str, AfterValidator(_variable)]
VariableKey = Annotated[str, AfterValidator(_variable_key)]
ExitCode = Annotated[int, AfterValidator(_exit_code)]


class EnvironmentConfig(Section):
    """The environment of a command. Whatever is not named here or by Squad itself does not reach it."""

    allow: list[Variable] = Field(
        default_factory=list,
        description="Variables that it gets from the squad's environment, if they are there, besides "
        + ", ".join(f"`{name}`" for name in PASSED)
        + ". Secrets belong here.",
    )
    set: Annotated[dict[VariableKey, str], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict,
        description="Variables with their values. They can be read in the configuration and in what is shown of it.",
    )


class ExitCodesConfig(Section):
    """What a command's exit status means. 0 is done; a status that is not listed here is a failed attempt."""

    retry: list[ExitCode] = Field(
        default_factory=lambda: [75], description="Give the message back for later. It does not count as an attempt."
    )
    retry_after: Duration = Field(default=written("10s"), description="For how long it is given back.")
    refuse: list[ExitCode] = Field(
        default_factory=lambda: [64, 65], description="The message can never succeed: it becomes a dead letter at once."
    )

    @field_validator("refuse")
    @classmethod
    def _one_meaning(cls, value: list[int], info: ValidationInfo) -> list[int]:
        for code in value:
            if code in info.data.get("retry", ()):
                complain(f"has {code}, which is in retry as well", "a status has one meaning")
        return value


class Kind(Section):
    """What an agent is: a class or a command, with all that only a command needs."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["class"]}, {"required": ["command"]}]})

    class_: ClassReference | None = Field(
        default=None,
        validation_alias="class",
        serialization_alias="class",
        description="Your class: `./agents.py:Scanner` (a file, relative to the configuration's folder) "
        "or `package.module:Scanner`. An agent has either a class or a command.",
    )
    command: list[str] | None = Field(
        default=None,
        min_length=1,
        description="A program and its arguments, run for each message: see [command agents](command-agents.md).",
    )
    handles: list[str] = Field(
        default_factory=list, description="For a command: the types that it handles, declared under `types`."
    )
    directory: str | None = Field(
        default=None, description="For a command: its working directory; else the configuration's folder."
    )
    environment: EnvironmentConfig = Field(
        default_factory=EnvironmentConfig, description="For a command: its environment."
    )
    output: Literal["result", "messages"] = Field(
        default="result",
        description="For a command: its standard output is the message's `result`, or `messages` to send, one JSON "
        "object a line.",
    )
    output_limit: Annotated[Size, sized("1kB", "100MB")] = Field(
        default=written("1MiB"), description="For a command: the most that is kept of its output, the end of it."
    )
    exit_codes: ExitCodesConfig = Field(
        default_factory=ExitCodesConfig, description="For a command: what its exit status means."
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        given = {_ALIAS.get(key, key): getattr(self, key) for key in self.model_fields_set}
        for key, what, _ in contradictions(given):
            raise PydanticCustomError("contradiction", "{text}", {"text": f"{key} {what}".strip()})
        return self

    @model_serializer(mode="wrap")
    def _applicable(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys that say nothing about this kind of agent, so that what is shown can be loaded again."""
        shown: dict[str, Any] = handler(self)
        for key in _FOR_COMMANDS if self.command is None else ("class", "class_"):
            shown.pop(key, None)
        return shown


_ALIAS = {"class_": "class"}
_FOR_COMMANDS = ("command", "handles", "directory", "environment", "output", "output_limit", "exit_codes")


def contradictions(given: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(key, what is wrong, hint) for each of an agent's keys that goes ill with another. A key is "" for the agent."""
    has_class, has_command = given.get("class") is not None, given.get("command") is not None
    if has_class and has_command:
        return [("command", "cannot be there beside class", "an agent is either a class or a command: remove one")]
    if not has_class and not has_command:
        return [("", "has neither class nor command", "add class: ./agents.py:Scanner, or command: [PROGRAM, ...]")]
    if has_command and not given.get("handles"):
        return [("command", "handles no message", "add handles: [TYPE], and declare the type under types")]
    if has_class:
        hints = {"handles": "a class says by itself what it handles"}
        return [
            (key, "is only for an agent with a command", hints.get(key, "")) for key in _FOR_COMMANDS if key in given
        ]
    return []
