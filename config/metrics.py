"""Whether metrics are recorded, and for how long they are kept."""

from __future__ import annotations

from pydantic import Field

from squad.config.listening import ListenConfig
from squad.config.values import Duration, written


class MetricsConfig(ListenConfig):
    """What the squad measures of itself, and where Prometheus fetches it beside the squad's own socket."""

    enabled: bool = Field(default=True, description="Record metrics; `false` for none at all, own ones included.")
    keep: Duration = Field(
        default=written("30d"),
        ge=36 * 3600,
        description="Time for which they are kept, 36h or more: by the minute for 3 hours, by ten minutes for 36, then "
        "by the hour.",
    )
