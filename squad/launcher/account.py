"""What a stop left unfinished: written for the commands, and said by the launcher at its end.

The supervisor writes it when it ends the squad. Where it could not, because it had to be killed, the database knows
which messages were being handled.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from squad.errors import SquadError
from squad.home import Home

_MOST = 1000  # messages listed
_SAID = 10  # of which the launcher names


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A message whose handler was ended by the stop. It is queued again."""

    agent: str
    id: str
    type: str


@dataclass(frozen=True, slots=True)
class Account:
    unfinished: tuple[Unfinished, ...]
    forced: bool

    def sentence(self) -> str:
        if not self.unfinished:
            return "stopped at once" if self.forced else "stopped"
        named = ", ".join(f"{item.agent} {item.id} ({item.type})" for item in self.unfinished[:_SAID])
        more = f" and {len(self.unfinished) - _SAID} more" if len(self.unfinished) > _SAID else ""
        return f"stopped; unfinished, and queued again: {named}{more}"


def read(home: Path) -> Account | None:
    """The account of the last stop, None where there is none."""
    try:
        content = json.loads(Home(home).last_stop.read_bytes())
        unfinished = tuple(Unfinished(item["agent"], item["id"], item["type"]) for item in content["unfinished"])
        return Account(unfinished, bool(content["forced"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_for_the_killed(home: Path) -> None:
    """Write the account of a squad that was killed, from its database."""
    from squad.store.times import iso

    items = [{"agent": item.agent, "id": item.id, "type": item.type} for item in _in_hand(home)]
    path = Home(home).last_stop
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"at": iso(time.time()), "unfinished": items, "forced": True}), encoding="utf-8")
    new.replace(path)


def _in_hand(home: Path) -> list[Unfinished]:
    from squad.store import queries
    from squad.store.database import open_reader

    try:
        with open_reader(Home(home).database) as pool, pool.connection() as database:
            rows = queries.messages(database, queries.Filter(status="running"), _MOST)
    except SquadError:  # there is no database yet, or it is damaged: then nobody knows
        return []
    return [Unfinished(row.recipient, row.task_id, row.type) for row in rows]
