"""The check: what is in the database afterwards is exactly what the journals, and the agents' own rules, say.

It reads the database of a stopped squad with nothing but SQLite, and names every violation in a sentence.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from squad.verify.agents import MODULUS, fingerprint
from squad.verify.producer import Sent
from squad.verify.runs import Runs
from squad.verify.workload import ATTEMPTS, PLANNED_FAILURES

MOST = 50  # violations of one kind that are named
_SCHEDULER = "schedule:clock"
_CRASHES = ("crash", "hung", "ceiling")  # outcomes of attempts that ended with their process

Row = sqlite3.Row
Child = tuple[str, str, int, int]  # recipient, type, and entry and number of its payload (replies: 0, 0)


@dataclass(slots=True)
class Account:
    """What was found. ``again``: messages whose handler ran to its end more than once."""

    acknowledged: int = 0
    stored: int = 0
    completed: int = 0
    dead: int = 0
    crashes: int = 0  # attempts that a death ended
    runs: int = 0  # handlers that began
    again: int = 0
    violations: list[str] = field(default_factory=list)


def check(database: Path, sent: Sent, runs: Runs) -> Account:
    """Compare. The squad has stopped, and everything that was acknowledged has had the time to end."""
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return _Check(connection, sent, runs).account()


class _Check:
    def __init__(self, connection: sqlite3.Connection, sent: Sent, runs: Runs) -> None:
        self._connection = connection
        self._sent = sent
        self._runs = runs
        self._rows: list[Row] = connection.execute("SELECT * FROM tasks ORDER BY id").fetchall()
        self._by_id: dict[str, Row] = {row["task_id"]: row for row in self._rows}
        self._payloads: dict[str, dict[str, Any]] = {row["task_id"]: json.loads(row["payload"]) for row in self._rows}
        self._attempts: dict[int, list[Row]] = defaultdict(list)
        for row in connection.execute("SELECT * FROM attempts ORDER BY id"):
            self._attempts[row["task_row"]].append(row)

    def account(self) -> Account:
        statuses = Counter(row["status"] for row in self._rows)
        crashes = sum(row["outcome"] in _CRASHES for rows in self._attempts.values() for row in rows)
        return Account(
            acknowledged=len(self._sent.acknowledged),
            stored=len(self._rows),
            completed=statuses["completed"],
            dead=statuses["failed"],
            crashes=crashes,
            runs=self._runs.begun.total(),
            again=sum(number > 1 for number in self._runs.ended.values()),
            violations=self._violations(),
        )

    def _violations(self) -> list[str]:
        found: list[str] = []
        for kind in (
            self._damage,
            self._lost,
            self._unknown,
            self._ends,
            self._attempts_counted,
            self._effects,
            self._twice,
            self._states,
            self._runs_without_reason,
        ):
            named = list(kind())
            found += named[:MOST]
            if len(named) > MOST:
                found.append(f"and {len(named) - MOST:,} more like these")
        return found

    # -- each kind --------------------------------------------------------------------------------------------------

    def _damage(self) -> Iterator[str]:
        for row in self._connection.execute("PRAGMA integrity_check"):
            if row[0] != "ok":
                yield f"the database is damaged: {row[0]}"
        for row in self._connection.execute("PRAGMA foreign_key_check"):
            yield f"a row of {row[0]} belongs to no message"

    def _lost(self) -> Iterator[str]:
        """What was acknowledged is there, under the id that the answer named."""
        for sent, stored in self._sent.acknowledged.items():
            message = self._sent.messages[sent]
            row = self._by_id.get(stored)
            if row is None:
                yield f"lost: {sent} was acknowledged as {stored}, which is not in the store"
            elif self._payloads[stored] != message["payload"]:
                yield f"{stored} has another payload than what was sent"
            elif sent != stored and row["key"] != message.get("key"):
                yield f"{sent} was taken for {stored}, which has another key"

    def _unknown(self) -> Iterator[str]:
        """Nothing is there that nobody sent."""
        for row in self._rows:
            if row["parent_id"] is not None:
                if row["parent_id"] not in self._by_id:
                    yield f"unknown: {row['task_id']} came of {row['parent_id']}, which is not in the store"
            elif row["sender"] == _SCHEDULER:
                if row["type"] != "tick" or not row["key"]:
                    yield f"unknown: {row['task_id']} is no message of the schedule"
            elif row["task_id"] not in self._sent.messages:
                yield f"unknown: nobody sent {row['task_id']}"

    def _ends(self) -> Iterator[str]:
        """Each has completed, or is a dead letter with its reason, and with a good one."""
        for row in self._rows:
            name, how = f"{row['task_id']} ({row['type']})", self._how(row)
            if row["status"] == "completed":
                if how in PLANNED_FAILURES:
                    yield f"{name} has completed, and its handler never does"
                if row["completed_at"] is None:
                    yield f"{name} has completed without a time"
            elif row["status"] == "failed":
                failures = self._attempts[row["id"]]
                if not row["error_message"] or not failures or not failures[-1]["final"]:
                    yield f"{name} is a dead letter without a reason"
                elif how != "refuse" and len(failures) < ATTEMPTS:
                    yield f"{name} was given up after {len(failures)} of {ATTEMPTS} attempts"
            elif row["sender"] != _SCHEDULER or row["status"] != "queued":  # that one may send while the squad stops
                yield f"{name} has not ended: it is {row['status']}"

    def _attempts_counted(self) -> Iterator[str]:
        for row in self._rows:
            failures = len(self._attempts[row["id"]])
            counted = failures + (row["status"] == "completed")
            if row["status"] in ("completed", "failed") and row["attempts"] != counted:
                yield f"{row['task_id']} says {row['attempts']} attempts, and {counted} are known"

    def _effects(self) -> Iterator[str]:
        """Each completed message has sent exactly what its handler sends, and no other has sent anything."""
        children: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows:
            if row["parent_id"] is not None:
                children[row["parent_id"]].append(row)
        for row in self._rows:
            task = row["task_id"]
            expected = Counter(self._expected(row))
            there = Counter(self._child(child) for child in children[task])
            for what in sorted((expected - there).elements()):
                yield f"missing: {task} ({row['type']}, {row['status']}) has not sent {what}"
            for what in sorted((there - expected).elements()):
                yield f"too much: {task} ({row['type']}, {row['status']}) has sent {what}"
            root = row["root_id"] or task
            for child in children[task]:
                if child["root_id"] != root:
                    yield f"{child['task_id']} is in the tree of {child['root_id']}, and its parent in that of {root}"

    def _expected(self, row: Row) -> Iterator[Child]:
        ended = row["status"] in ("completed", "failed")
        if row["reply_to"] is not None and ended:
            yield row["reply_to"], "squad.reply", 0, 0
        if row["status"] != "completed":
            return
        payload = self._payloads[row["task_id"]]
        match row["type"]:
            case "transfer":
                entry, posts, stamps = payload["entry"], payload.get("posts", 0), payload.get("stamps", 0)
                yield from (("clerk", "post", entry, number) for number in range(posts))
                yield from (("printer", "stamp", entry, number) for number in range(stamps))
            case "post" | "stamp":
                yield "book", "booked", payload["entry"], payload["number"]

    def _child(self, row: Row) -> Child:
        payload = self._payloads[row["task_id"]]
        return row["recipient"], row["type"], payload.get("entry", 0), payload.get("number", 0)

    def _twice(self) -> Iterator[str]:
        """An entry is stored once, whatever was sent how often; so is each planned time."""
        entries = Counter(self._payloads[row["task_id"]]["entry"] for row in self._rows if row["type"] == "transfer")
        yield from (f"entry {entry} is stored {number} times" for entry, number in entries.items() if number > 1)
        ticks = Counter(row["key"] for row in self._rows if row["sender"] == _SCHEDULER)
        yield from (f"{key} was sent {number} times" for key, number in ticks.items() if number > 1)

    def _states(self) -> Iterator[str]:
        """The sums that the agents keep are those of the messages that have completed."""
        expected: dict[str, Counter[str]] = {"teller": Counter(), "book": Counter()}
        for row in self._rows:
            if row["status"] == "completed" and row["recipient"] in expected:
                payload, sums = self._payloads[row["task_id"]], expected[row["recipient"]]
                if row["type"] in ("transfer", "booked"):
                    print_ = fingerprint(payload["entry"], payload.get("number", 0))
                    sums.update(count=1, sum=payload["amount"])
                    sums["prints"] = (sums["prints"] + print_) % MODULUS
                else:
                    sums.update(("replies" if row["type"] == "squad.reply" else "ticks",))
        stored = dict(self._connection.execute("SELECT agent, state FROM agent_state").fetchall())
        for agent, sums in expected.items():
            state: dict[str, int] = json.loads(stored.get(agent, "{}"))
            for key in sorted(sums.keys() | state.keys()):
                if sums[key] != state.get(key, 0):
                    yield f"the state of {agent} says {key} {state.get(key, 0)}, its messages say {sums[key]}"

    def _runs_without_reason(self) -> Iterator[str]:
        """No handler ran for what is not stored, and nothing completed without a run that came to its end."""
        for task in self._runs.begun:
            if task not in self._by_id:
                yield f"a handler ran for {task}, which is not in the store"
        for row in self._rows:
            if row["status"] == "completed" and not self._runs.ended[row["task_id"]]:
                yield f"{row['task_id']} has completed, and no handler of it came to its end"

    def _how(self, row: Row) -> str:
        return str(self._payloads[row["task_id"]].get("how", "")) if row["type"] == "transfer" else ""
