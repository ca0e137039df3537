"""The actor tree as it is now, or as it was saved last when no squad answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from squad.cli.ages import ago, seconds_since
from squad.errors import Exit, NotRunningError, UsageError, WaitTimeoutError
from squad.home import Home

_PATIENCE = 2.0  # seconds that the gateway may be away
_ANSWER = 3.0  # seconds for its answer: it waits up to 2 for the supervisor, and then says what it knew last

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``note`` says why it is not live, for people; ``status`` is what a command that shows it ends with."""

    squad: str
    taken_at: str
    actors: list[Row]
    note: str = ""
    status: Exit = Exit.DONE

    @property
    def live(self) -> bool:
        return not self.note

    @property
    def frozen(self) -> dict[str, Any] | None:
        """``{"kind", "since", "by", "reason"}`` while the whole squad is."""
        return next((row.get("held") for row in self.actors if row["kind"] == "supervisor"), None)

    def document(self) -> dict[str, Any]:
        return {"squad": self.squad, "live": self.live, "taken_at": self.taken_at, "actors": self.actors}

    def below(self, name: str) -> Snapshot:
        """The actor ``name`` and all below it. Raises UsageError when there is none of that name."""
        wanted = {name}
        rows: list[Row] = []
        for row in self.actors:  # parents come before their children
            if row["name"] == name or row["parent"] in wanted:
                wanted.add(row["name"])
                rows.append(row)
        if not any(row["name"] == name for row in rows):
            from squad.messages import did_you_mean

            names = [row["name"] for row in self.actors]
            raise UsageError(
                f"there is no actor {name!r} in the squad {self.squad!r}",
                hint=did_you_mean(name, names) or "squad inspect shows all of them",
            )
        return Snapshot(self.squad, self.taken_at, rows, self.note, self.status)

    def walk(self) -> Iterator[tuple[str, Row]]:
        """Every row with the lines that draw its place in the tree: ``("│  ├─ ", row)``, parents first."""
        names = {row["name"] for row in self.actors}
        children: dict[str | None, list[Row]] = {}
        for row in self.actors:
            parent = row["parent"] if row["parent"] in names else None
            children.setdefault(parent, []).append(row)

        def under(parent: str | None, indent: str, top: bool) -> Iterator[tuple[str, Row]]:
            rows = children.pop(parent, [])
            for row in rows:
                last = row is rows[-1]
                yield ("" if top else indent + ("└─ " if last else "├─ ")), row
                yield from under(row["name"], "" if top else indent + ("   " if last else "│  "), False)

        return under(None, "", True)


def take(home: Home) -> Snapshot:
    """The live tree, or the saved one with a note. Raises NotRunningError when there is neither."""
    from squad.client import Client

    try:
        with Client(home, timeout=_ANSWER, patience=_PATIENCE) as squad:
            tree = squad.tree()
        silent = (
            "" if tree["live"] else f"the supervisor does not answer: this is how it was {ago(tree['taken_at'])} ago"
        )
        status = Exit.DONE if tree["live"] else Exit.TIMED_OUT
        return Snapshot(tree["squad"], tree["taken_at"], tree["actors"], silent, status)
    except NotRunningError as error:
        if home.launcher() is None:
            return _saved(home, "no squad is running", Exit.NOT_RUNNING, error)
        return _saved(home, "the gateway does not answer", Exit.TIMED_OUT, error)
    except WaitTimeoutError as error:
        return _saved(home, "the gateway does not answer", Exit.TIMED_OUT, error)


def _saved(home: Home, why: str, status: Exit, error: NotRunningError | WaitTimeoutError) -> Snapshot:
    try:
        return _old(json.loads(home.tree.read_bytes()), why, status)
    except (OSError, ValueError, KeyError, TypeError):  # never saved, or not by us
        raise error from None


def _old(tree: dict[str, Any], why: str, status: Exit) -> Snapshot:
    note = f"{why}: this is how it was {ago(tree['taken_at'])} ago"
    passed = seconds_since(tree["taken_at"]) or 0.0
    rows = [{**row, "age": round(row["age"] + passed, 1)} for row in tree["actors"]]
    if status is Exit.NOT_RUNNING:
        # It saves its rows before it ends itself.
        rows = [{**row, "state": "stopped", "pid": None} if row["state"] == "draining" else row for row in rows]
    return Snapshot(tree["squad"], tree["taken_at"], rows, note, status)
