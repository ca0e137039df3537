"""Who is told what is slow: what a configuration may say of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from squad.config.section import Section
from squad.config.values import Duration, Name, at_least, written


class BottlenecksConfig(Section):
    """Who is told what is slow: see [bottlenecks](bottlenecks.md)."""

    tell: Name | None = Field(
        default=None,
        description="An agent or convoy that is told, by a message of the type `squad.bottlenecks`, what was slow.",
    )
    every: Annotated[Duration, at_least("10s")] = Field(  # what is slow is news to an agent, not a stream
        default=written("4m"),
        description="How often at most, 10s or more: at the end of each such time in which something was slow.",
    )
    slower_than: Duration = Field(default=written("60s"), gt=0, description="How long a handler runs that is slow.")
