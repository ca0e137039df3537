"""What is on hold, for people: who did it, and lines that say it."""

from __future__ import annotations

import os
from typing import Any

from squad.cli.ages import seconds_since
from squad.durations import format_duration
from squad.home import user_name


def me() -> str:
    """Who types: the user's name, or number where it has none."""
    return user_name(os.getuid())


def told(held: dict[str, Any]) -> str:
    """``for 3m, by root: the disk is full``, of a pause or a freeze as the gateway describes it."""
    by = f", by {held['by']}" if held.get("by") else ""
    reason = f": {held['reason']}" if held.get("reason") else ""
    return f"for {format_duration(seconds_since(held['since']) or 0.0)}{by}{reason}"


def frozen_line(held: dict[str, Any] | None) -> str:
    """What nobody must overlook; "" when the squad is not frozen."""
    return "" if held is None else f"THE SQUAD IS FROZEN ({told(held)}): nothing is handled until squad thaw"
