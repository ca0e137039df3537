"""The ledger's work: the configuration of its squad, and the seeded sequence of what is sent to it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from squad.ids import new_id

ATTEMPTS = 8  # of each message before it is a dead letter
CLERKS = 12  # workers of the convoy
HUNG_AFTER = 2.5  # seconds of silence after which an actor of this squad is ended
PLANNED_FAILURES = ("raise", "refuse")  # transfers that end as dead letters

_PROGRAM = Path(__file__).with_name("stamp.py")


def configuration(folder: Path) -> str:
    """The squad's configuration file, as JSON, which is YAML. ``folder`` is where its runs are noted.

    Health checks come often, and no number of restarts ends in a quarantine: the kit kills more often than any bug.
    """
    often = {"max_attempts": ATTEMPTS, "backoff": "20ms", "cap": "500ms"}
    of_all: dict[str, Any] = {"send_rate": "none", "retry": often, "queue": {"limit": 100_000}}
    noting = {"options": {"folder": str(folder)}}
    ours = "squad.verify.agents"
    number = {"entry": "int", "number": "int", "amount": "int", "pause": "float"}
    return json.dumps(
        {
            "name": "verify",
            "types": {"stamp": {"fields": number}},
            "agents": {
                "teller": {"class": f"{ours}:Teller", **of_all, **noting},
                "book": {"class": f"{ours}:Book", **of_all, **noting},
                "printer": {
                    "command": ["{python}", "-I", "-S", str(_PROGRAM)],
                    "handles": ["stamp"],
                    "output": "messages",
                    **of_all,
                    **noting,
                },
            },
            "convoys": {"clerk": {"class": f"{ours}:Clerk", "min": CLERKS, "max": CLERKS, **of_all, **noting}},
            "schedules": {"clock": {"cron": "*/2 * * * * *", "recipient": "book", "type": "tick", "missed": "all"}},
            "store": {"cache_size": -8000},  # soon full, so that it is no growth
            "supervision": {
                "shutdown": "10s",
                "restarts": {"intensity": 1_000_000, "period": "2s", "backoff": "10ms", "cap": "50ms"},
                "health": {"interval": "500ms", "timeout": "500ms", "hung_after": f"{HUNG_AFTER}s"},
            },
        },
        indent=1,
    )


@dataclass(frozen=True, slots=True)
class Order:
    """One message to be sent: its id, and the fields of a ``Transfer``."""

    id: str
    payload: dict[str, Any]
    key: str | None = None

    def message(self) -> dict[str, Any]:
        """As a client sends it."""
        found = {"id": self.id, "recipient": "teller", "type": "transfer", "payload": self.payload, "sender": "verify"}
        return found if self.key is None else {**found, "key": self.key}


def orders(seed: str, first: int, step: int) -> Iterator[Order]:
    """Orders without end. Their entries are ``first``, ``first + step``, … so that producers share the numbers.

    The sequence is that of the seed; only the ids are new each time.
    """
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    entry = first
    while True:
        posts = chance.choice((0, 1, 1, 2, 3))
        payload = {
            "entry": entry,
            "amount": chance.randrange(-1000, 1000),
            "posts": posts,
            "asks": chance.randrange(posts + 1) if chance.random() < 0.2 else 0,
            "stamps": int(chance.random() < 0.06),
            "how": chance.choices(("", "raise-once", "exit-once", "raise", "refuse"), (930, 30, 5, 15, 20))[0],
            "pause": chance.choice((0.0, 0.0, 0.0, 0.002, 0.02)),
        }
        key = f"entry-{entry}" if chance.random() < 0.1 else None
        yield Order(new_id(), payload, key)
        if key is not None and chance.random() < 0.5:  # somebody sends the same thing anew: it is not stored again
            yield Order(new_id(), payload, key)
        entry += step
