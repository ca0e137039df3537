"""Who is told what is slow: what a configuration may say of it."""

from __future__ import annotations

from pydantic import Field, field_validator

from squad.config.section import Section
from squad.config.values import Duration, Name, refuse, written

_SHORTEST = 10.0  # seconds: what is slow is news to an agent, not a stream


class BottlenecksConfig(Section):
    """Who is told what is slow: see [bottlenecks](bottlenecks.md)."""

    tell: Name | None = Field(
        default=None,
        description="An agent or convoy that is told, by a message of the type `squad.bottlenecks`, what was slow.",
    )
    every: Duration = Field(
        default=written("4m"),
        description="How often at most, 10s or more: at the end of each such time in which something was slow.",
    )
    slower_than: Duration = Field(default=written("60s"), gt=0, description="How long a handler runs that is slow.")

    @field_validator("every")
    @classmethod
    def _not_busy(cls, value: float) -> float:
        if value < _SHORTEST:
            refuse("10s or more")
        return value
