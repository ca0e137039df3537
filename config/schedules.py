"""Messages that are sent by the clock: what a configuration may say of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema

from squad.config.section import Section
from squad.config.values import NAME_FORM, Duration, blank_mapping, complain, named, written
from squad.cron import CronError, check_line, find_zone
from squad.messages import did_you_mean


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """A check that raises CronError, as one of a value."""

    def checked(value: str) -> str:
        try:
            check(value)
        except CronError as error:
            complain(str(error), error.hint)
        return value

    return checked


def _schedule_name(value: str) -> str:
    return named(value, "a schedule")


cron_checked = _checked(check_line)

CronLine = Annotated[str, AfterValidator(cron_checked)]
TimeZone = Annotated[str, AfterValidator(_checked(find_zone))]
ScheduleName = Annotated[
    str, AfterValidator(_schedule_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME_FORM}$"})
]


class ScheduleConfig(Section):
    """A message that is sent again and again at planned times: see [schedules](schedules.md)."""

    cron: CronLine = Field(
        description="When: minute, hour, day of month, month, day of week (in quotes: `*` means something in YAML). "
        "With six fields the first is the second."
    )
    timezone: TimeZone = Field(default="UTC", description="Time zone of `cron`, such as `Europe/Berlin`.")
    recipient: str = Field(description="The agent or convoy that gets the message.")
    type: str = Field(description="The message's type.")
    payload: Annotated[dict[str, JsonValue], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="The message's fields."
    )
    priority: int = Field(default=5, ge=1, le=10, description="1 is the highest.")
    missed: Literal["skip", "once", "all"] = Field(
        default="once",
        description="What is made up for when planned times have passed while the squad was down: nothing (`skip`), "
        "the latest (`once`) or each (`all`).",
    )
    at_most: Duration = Field(
        default=written("7d"), gt=0, description="Planned times that passed longer ago are not made up for."
    )


def misdirected(recipients: Mapping[str, Any], known: Collection[str]) -> list[tuple[str, str, str]]:
    """(schedule, what is wrong, hint) for each schedule whose recipient is not ``known``."""
    return [
        (name, f"there is no agent or convoy {recipient!r}", did_you_mean(recipient, known))
        for name, recipient in recipients.items()
        if isinstance(recipient, str) and recipient not in known
    ]
