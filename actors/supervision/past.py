"""What a supervisor knows of crashes outlives it: kept in a file, and taken up by the supervisor of the next tree.

Each change is a line of JSON, appended as it happens, and the last line of a name counts. Times are of the machine's
monotonic clock, which all its processes share. A launcher that starts forgets it all: a start is a restart by hand.
On a full disk nothing is kept, and what cannot be read is forgotten: that is no reason for a supervisor to fail.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from squad.actors import logs
from squad.actors.supervision.children import Child
from squad.actors.supervision.groups import Group
from squad.actors.supervision.journal import Notice

FILE = "restarts.jsonl"  # in the home

_SPARE = 100  # lines more than there are names before the file is written anew
_LASTING = ("quarantined", "stopped")  # states that only a restart by name ends


class Past:
    """``first``: this is the first tree of its launcher."""

    def __init__(self, home: Path, *, first: bool) -> None:
        self._path = home / FILE
        self._known: dict[str, Any] = {}
        try:
            if first:
                self._path.unlink(missing_ok=True)
            elif self._path.exists():
                for line in self._path.read_text(encoding="utf-8").splitlines():
                    self._learn(line)
        except (OSError, UnicodeDecodeError) as error:
            self._unusable(error)
        self._before = dict(self._known)  # what no child has taken up yet
        self._lines = len(self._known)
        self._compact()

    def _learn(self, line: str) -> None:
        try:
            name, content = json.loads(line)
            self._known[name] = content
        except (ValueError, TypeError):  # the end of a file whose writer was killed
            return

    def _unusable(self, error: Exception) -> None:
        logs.logger("supervisor").error("%s is of no use (%s): earlier crashes do not count", self._path, error)

    def enter(self, child: Child, state: str) -> None:
        """A child that is new in the table becomes what it was in the tree before, or else ``state``."""
        content = self._before.pop(f"child/{child.name}", None)
        if content is None:
            child.become(state)
            return
        try:
            history = (content["restarts"], content["error"], content.get("cause"), content["finished"])
            state = content["state"] or "waiting"
            child.budget.recall(content["budget"])
            child.restarts, child.last_error, child.last_cause, child.finished = history
        except (TypeError, KeyError, ValueError) as error:  # somebody else has written to the file
            self._unusable(error)
        child.become(state)

    def enter_group(self, group: Group) -> None:
        if (content := self._before.pop(f"group/{group.name}", None)) is not None:
            try:
                group.budget.recall(content)
            except (TypeError, ValueError) as error:
                self._unusable(error)

    def was_started(self, convoy: str) -> bool:
        """Whether it was left out at the start, and somebody has started it since."""
        return f"started/{convoy}" in self._known

    def note(self, child: Child) -> None:
        """Something about its restarts has changed. Of the core nothing is kept: the launcher's own pauses bound it."""
        if child.spec.core:
            return
        state = child.state if child.state in _LASTING else ""
        content = {
            "budget": child.budget.kept(),
            "restarts": child.restarts,
            "error": child.last_error,
            "cause": child.last_cause,
            "finished": child.finished,
            "state": state,
        }
        self._note(f"child/{child.name}", content)

    def forget(self, child: Child) -> None:
        """It is in the table no more; one of its name that comes later is another."""
        if f"child/{child.name}" in self._known:
            self._note(f"child/{child.name}", None)
            self._before.pop(f"child/{child.name}", None)

    def note_group(self, group: Group) -> None:
        self._note(f"group/{group.name}", group.budget.kept())

    def note_started(self, convoy: str) -> None:
        self._note(f"started/{convoy}", True)

    def owe(self, notice: Notice) -> None:
        """The storage has to be told of this."""
        self._note(f"notice/{notice.name}", notice[1:])

    def settle(self, notice: Notice) -> None:
        """The storage has it."""
        if (owed := self._known.get(f"notice/{notice.name}")) is not None and tuple(owed) == notice[1:]:
            self._note(f"notice/{notice.name}", None)

    def owed(self) -> list[Notice]:
        """What the storage of the tree before may not have been told."""
        found = []
        for key, content in self._known.items():
            match key.partition("/"), content:
                case ("notice", _, name), [str(reason), cause, int() | float() as at]:
                    found.append(Notice(name, reason, cause, at))
        return found

    def _note(self, name: str, content: Any) -> None:
        self._known[name] = content
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as file:  # a full disk
            file.write(json.dumps([name, content]) + "\n")
        self._lines += 1
        if self._lines > len(self._known) + _SPARE:
            self._compact()

    def _compact(self) -> None:
        if not self._known:
            return
        with contextlib.suppress(OSError):
            self._known = {name: content for name, content in self._known.items() if content is not None}
            new = self._path.with_suffix(".new")
            new.write_text("".join(f"{json.dumps(item)}\n" for item in self._known.items()), encoding="utf-8")
            new.replace(self._path)
        self._lines = len(self._known)
