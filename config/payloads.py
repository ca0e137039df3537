"""Whether the messages of the schedules can be delivered: their recipients handle the types, and the payloads fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from squad.config.load import shown
from squad.errors import Problem, RefusedError
from squad.jsontext import compact
from squad.messages import did_you_mean

if TYPE_CHECKING:
    from squad.config.schedules import ScheduleConfig
    from squad.config.schema import SquadConfig

Misfits = dict[str, list[tuple[str, str, str]]]


class Decodes(Protocol):
    """A message type: raises RefusedError for a payload that does not fit."""

    def decode(self, payload: str | bytes, /) -> Any: ...


def misfits(types: Mapping[str, Decodes], schedules: Mapping[str, ScheduleConfig]) -> Misfits:
    """For each schedule of one of these types whose payload does not fit it: (field, what is wrong, hint), each.

    Runs what the types themselves check with, which may be the user's code; the answer is something JSON can say.
    """
    found: Misfits = {}
    for name, schedule in schedules.items():
        kind = types.get(schedule.type)
        if kind is None:
            continue
        try:
            kind.decode(payload_of(schedule))
        except RefusedError as error:
            found[name] = [(problem.where, problem.what, problem.hint) for problem in error.problems]
        except Exception as error:  # raised by the type's own __post_init__
            found[name] = [("payload", f"cannot be checked: {type(error).__name__}: {error}", "")]
    return found


def problems(config: SquadConfig, descriptions: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """What is wrong with the schedules, by line.

    ``descriptions``: for each recipient that is in order itself the ``types`` that it handles and the ``misfits``.
    """
    found = []
    for name, schedule in config.schedules.items():
        about = descriptions.get(schedule.recipient)
        if about is None:
            continue
        handled = about["types"]
        if schedule.type not in handled:
            what = f"{schedule.recipient} does not handle {schedule.type!r}"
            hint = did_you_mean(schedule.type, handled) or f"it handles: {', '.join(sorted(handled))}"
            found.append(_problem(config, (name, "type"), what, hint))
        for field, what, hint in about["misfits"].get(name, ()):
            place = (name, "payload") if field == "payload" else (name, "payload", *field.split("."))
            found.append(_problem(config, place, what, hint))
        size = len(payload_of(schedule).encode())
        if size > config.limits.max_payload:
            what = f"is {size:,} bytes of JSON; limits.max_payload allows {config.limits.max_payload:,}"
            found.append(_problem(config, (name, "payload"), what, ""))
    return found


def _problem(config: SquadConfig, place: tuple[str, ...], what: str, hint: str) -> Problem:
    line = config.line_of("schedules", *place)
    where = f"{shown(config.source)}:{line}" if config.source and line else "configuration"
    return Problem(where, f"{'.'.join(('schedules', *place))}: {what}", hint)


def payload_of(schedule: ScheduleConfig) -> str:
    """The payload as it is stored: JSON without spaces."""
    return compact(schedule.payload)
