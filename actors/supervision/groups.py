"""Who is restarted with whom, and who starts after whom. Pure.

The strategies are those of Erlang/OTP's ``supervisor``; a group stands for a supervisor with its children.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from squad.actors.supervision.restarts import RestartBudget
from squad.config.supervision import GroupConfig


@dataclass(slots=True)
class Group:
    """A group and its one restart budget: a crash of any member is a crash of the group."""

    name: str
    settings: GroupConfig
    budget: RestartBudget

    def with_(self, crashed: str, *, everybody: bool = False) -> list[str]:
        """The other members that are restarted when the member ``crashed`` is; ``everybody``: all others."""
        members = self.settings.members
        match "one_for_all" if everybody else self.settings.strategy:
            case "one_for_all":
                return [member for member in members if member != crashed]
            case "rest_for_one":
                return members[members.index(crashed) + 1 :]
            case _:
                return []


def group_of(name: str, groups: Iterable[Group]) -> Group | None:
    """The group which an agent or convoy belongs to."""
    return next((group for group in groups if name in group.settings.members), None)


def waits_for(name: str, after: list[str], groups: Iterable[Group]) -> list[str]:
    """Everything that must be ready before ``name`` starts: what its ``after`` says, and its predecessor in a group."""
    group = group_of(name, groups)
    before = group.settings.before(name) if group is not None else None
    return [*after, *([before] if before is not None else [])]
