"""How far each exporter has come, as it is kept in one row of the store. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from squad.store.finished import Place


@dataclass(frozen=True, slots=True)
class Mark:
    """``sent``: how many ends the receiver has taken in all; ``skipped``: how many it would not take at all."""

    place: Place
    sent: int = 0
    skipped: int = 0

    def moved(self, place: Place, sent: int = 0, skipped: int = 0) -> Mark:
        return replace(self, place=place, sent=self.sent + sent, skipped=self.skipped + skipped)


def text(marks: Mapping[str, Mark], configured: Collection[str]) -> str:
    """As JSON. ``until``: what ended before that time every configured exporter has sent, if all are there."""
    until = min((mark.place.at for name, mark in marks.items() if name in configured), default="")
    if not set(configured) <= marks.keys():
        until = ""
    shown = {name: {**mark.place._asdict(), "sent": mark.sent, "skipped": mark.skipped} for name, mark in marks.items()}
    return json.dumps({"until": until, "marks": shown})


def read(kept: str | None) -> dict[str, Mark]:
    """The marks in a text; of what is no mark, because somebody else wrote it, there is none."""
    found = {}
    try:
        content = json.loads(kept or "{}")["marks"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    for name, mark in content:
        try:
            place = Place(str(mark["at"]), int(mark["row"]), int(mark["attempt"]))
            found[str(name)] = Mark(place, int(mark["sent"]), int(mark["skipped"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found
