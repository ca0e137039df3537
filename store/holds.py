"""What people have put on hold: paused agents, and the freeze of the whole squad. One row of the keeper table.

The storage writes the row in the transaction that says so, and keeps to it from then on; whoever shows it reads it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from squad.store.times import iso

KEY = "holds"  # in the keeper table


class Pause(NamedTuple):
    """Since when (seconds since the epoch), by whom and why; "" for what was not said."""

    since: float
    by: str = ""
    reason: str = ""


class Freeze(NamedTuple):
    """Likewise of the whole squad. ``until``: when the processes of handlers that still run are ended; None: they may
    finish."""

    since: float
    by: str = ""
    reason: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """All that is on hold; false when nothing is. ``paused``: by agent or convoy."""

    paused: Mapping[str, Pause] = field(default_factory=dict)
    frozen: Freeze | None = None

    def __bool__(self) -> bool:
        return bool(self.paused) or self.frozen is not None

    def hold(self, recipient: str) -> bool:
        """Whether this recipient is given nothing new."""
        return self.frozen is not None or recipient in self.paused

    def pause(self, names: Iterable[str], pause: Pause) -> tuple[Holds, tuple[str, ...]]:
        """With these paused too, and which of them were not before."""
        fresh = tuple(name for name in dict.fromkeys(names) if name not in self.paused)
        return replace(self, paused={**self.paused, **dict.fromkeys(fresh, pause)}), fresh

    def resume(self, names: Collection[str]) -> tuple[Holds, tuple[str, ...]]:
        """Without the pauses of these (none named: of all), and which of them were paused."""
        over = tuple(name for name in (dict.fromkeys(names) if names else self.paused) if name in self.paused)
        return replace(self, paused={name: kept for name, kept in self.paused.items() if name not in over}), over

    def freeze(self, freeze: Freeze) -> Holds:
        """Frozen. Said once more it can only hurry those that still run."""
        if self.frozen is None:
            return replace(self, frozen=freeze)
        ends = [until for until in (self.frozen.until, freeze.until) if until is not None]
        return replace(self, frozen=self.frozen._replace(until=min(ends, default=None)))

    def thaw(self) -> Holds:
        return replace(self, frozen=None)

    def text(self) -> str:
        """As the keeper table has it."""
        paused = {name: pause._asdict() for name, pause in self.paused.items()}
        return json.dumps({"paused": paused, "frozen": None if self.frozen is None else self.frozen._asdict()})

    @classmethod
    def read(cls, text: str | None) -> Holds:
        """Nothing is on hold where there is no row, or one that somebody has spoilt by hand."""
        if text is None:
            return cls()
        try:
            content = json.loads(text)
            paused = {str(name): _read(Pause, pause) for name, pause in content["paused"].items()}
            frozen = content["frozen"]
            return cls(paused, None if frozen is None else _read(Freeze, frozen))
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()

    def document(self) -> dict[str, Any]:
        """``{"frozen": null or {…}, "paused": [{"name", …}]}``, for people and programs."""
        paused = [{"name": name, **document(pause)} for name, pause in self.paused.items()]
        return {"frozen": None if self.frozen is None else document(self.frozen), "paused": paused}


def document(held: Pause | Freeze) -> dict[str, Any]:
    """``{"since", "by", "reason"}``; null for what was not said."""
    return {"since": iso(held.since), "by": held.by or None, "reason": held.reason or None}


def said(held: Pause | Freeze) -> str:
    """``by root: the disk is full``; "" when neither was said."""
    by = f"by {held.by}" if held.by else ""
    return ": ".join(part for part in (by, held.reason) if part)


def _read(kind: Any, content: Mapping[str, Any]) -> Any:
    made = kind(**content)
    return made._replace(since=float(made.since), by=str(made.by), reason=str(made.reason))
