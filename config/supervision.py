"""How processes are started, watched, restarted and stopped, in Erlang/OTP's words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from squad.config.section import Section
from squad.config.values import Duration, Name, blank_mapping, written
from squad.messages import did_you_mean

RestartType = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]


class RestartConfig(Section):
    """When a process that crashed is started again: at once, then after waits that double from `backoff` to `cap`."""

    intensity: int = Field(
        default=3, ge=0, description="Restarts within `period`; one more and the agent is quarantined."
    )
    period: Duration = Field(default=written("60s"), gt=0, description="Time within which restarts are counted.")
    backoff: Duration = Field(default=written("100ms"), description="Wait before the second restart in a row.")
    cap: Duration = Field(default=written("30s"), description="Longest wait between two restarts.")
    jitter: float = Field(default=0.2, ge=0, le=1, description="Random part taken off each wait: 0.2 is up to 20 %.")


class ReadyConfig(Section):
    """When an agent counts as ready, beyond its own `start`: when a file exists, or a command ends with status 0."""

    file: str | None = Field(default=None, description="A path, relative to the configuration's folder.")
    command: list[str] | None = Field(
        default=None, min_length=1, description="A program and its arguments, run in the configuration's folder."
    )
    every: Duration = Field(default=written("500ms"), gt=0, description="Time between two looks.")
    within: Duration = Field(default=written("60s"), gt=0, description="Time after which the start has failed.")

    @model_validator(mode="after")
    def _one_of_both(self) -> ReadyConfig:
        if (self.file is None) == (self.command is None):
            raise PydanticCustomError("ready_when", "needs either file or command")
        return self


class GroupConfig(Section):
    """Agents and convoys that are restarted together. They share one restart budget."""

    strategy: Strategy = Field(
        default="one_for_all",
        description="When a member crashes: restart `one_for_all`; with `rest_for_one` it and those listed after it; "
        "with `one_for_one` only itself.",
    )
    members: list[Name] = Field(min_length=1, description="Names of agents and convoys, in the order of their start.")

    def before(self, member: str) -> str | None:
        """The member that must be ready before this one starts; None for the first, and where order means nothing."""
        place = self.members.index(member)
        return self.members[place - 1] if place and self.strategy != "one_for_one" else None


class HealthConfig(Section):
    """How Squad finds out that a process has stopped answering."""

    interval: Duration = Field(default=written("30s"), gt=0, description="Time between two health checks.")
    timeout: Duration = Field(default=written("5s"), gt=0, description="Time in which an actor must answer one.")
    hung_after: Duration = Field(
        default=written("30s"), gt=0, description="Silence after which an actor is hung and is restarted."
    )


class SupervisionConfig(Section):
    """How Squad watches its processes, restarts them and stops them."""

    restarts: RestartConfig = Field(default_factory=RestartConfig, description="Restarts, unless an agent has its own.")
    shutdown: Duration = Field(
        default=written("30s"), description="Time for running handlers to end when the squad stops."
    )
    groups: Annotated[dict[Name, GroupConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Groups of agents and convoys that are restarted together."
    )
    health: HealthConfig = Field(default_factory=HealthConfig, description="Health checks.")
    notify: Name | None = Field(
        default=None,
        description="An agent or convoy that is told, by a message of the type `squad.quarantined`, when one is "
        "quarantined.",
    )


def misfits(
    known: Collection[str], after: Mapping[str, Sequence[Any]], groups: Mapping[str, Sequence[Any]]
) -> list[tuple[tuple[str, str, int], str, str]]:
    """What names in ``after`` and in the members of groups do not fit together.

    ((``after`` or ``groups``, the agent's or group's name, position in its list), what is wrong, hint).
    """
    found: list[tuple[tuple[str, str, int], str, str]] = []
    for part, lists in (("after", after), ("groups", groups)):
        for name, others in lists.items():
            found += [
                ((part, name, number), f"there is no agent or convoy {other!r}", did_you_mean(other, known))
                for number, other in enumerate(others)
                if isinstance(other, str) and other not in known
            ]
    member_of: dict[str, str] = {}
    for group, members in groups.items():
        for number, member in enumerate(members):
            if not isinstance(member, str):
                continue  # a mistake of its own
            if member in member_of:
                what = f"{member!r} is a member of {member_of[member]} already"
                found.append((("groups", group, number), what, "an agent or convoy is in one group, once"))
            member_of[member] = group
    found += [
        (("after", cycle[0], 0), f"{' after '.join(cycle)} is a circle, so none could start", "take one of them out")
        for cycle in (circles(_names(after)) if not found else ())
    ]
    return found


def _names(lists: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    return {name: [other for other in others if isinstance(other, str)] for name, others in lists.items()}


def circles(after: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One circle of the start order, as the names along it with the first again at the end; [] without one."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for other in after.get(name, ()):
            if (found := walk(other, [*path, name])) is not None:
                return found
        done.add(name)
        return None

    for name in after:
        if (found := walk(name, [])) is not None:
            return [found]
    return []
