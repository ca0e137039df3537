"""An agent that says what its process is like."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from typing import Any

BEFORE = set(sys.modules)

from squad import Agent, Context, handles, message  # noqa: E402


@message("look")
class Look:
    depth: int = 0


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


class Probe(Agent):
    @handles(Look)
    def look(self, msg: Look, ctx: Context) -> dict[str, Any]:
        loaded = sorted(set(sys.modules) - BEFORE)
        knot = weakref.ref(Knot())
        gc.collect()
        rollup = Path("/proc/self/smaps_rollup").read_text()
        return {
            "loaded": loaded,
            "frozen": gc.get_freeze_count(),
            "collecting": gc.isenabled(),
            "knot": knot() is not None,
            "private": int(rollup.split("Private_Dirty:")[1].split()[0]),
        }
