"""How long the database keeps what is over, and when it is tidied: what a configuration may say of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from squad.config.schedules import TimeZone, cron_checked
from squad.config.section import Section
from squad.config.values import Duration, written

NEVER = "none"
"""As a schedule: only by hand."""


def _cron_line(value: str) -> str:
    return value if value == NEVER else cron_checked(value)


class MaintenanceConfig(Section):
    """What leaves the database, and when: see [maintenance](maintenance.md)."""

    messages: Duration = Field(
        default=written("30d"),
        gt=0,
        description="Time after its end at which a message moves to the archive, once nothing of its tree is open.",
    )
    archive: Duration = Field(
        default=written("90d"),
        description="Further time after which it is deleted there; 0 deletes it instead of moving it.",
    )
    events: Duration = Field(
        default=written("30d"),
        gt=0,
        description="Time for which events, readings of the machine and changes of convoys' sizes are kept.",
    )
    schedule: Annotated[str, AfterValidator(_cron_line)] = Field(
        default="17 3 * * *",
        description="When the database is tidied, as `cron` of a schedule has it; `none`: only by hand.",
    )
    timezone: TimeZone = Field(default="UTC", description="Time zone of `schedule`.")
