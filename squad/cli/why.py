"""``squad inspect --why``: what holds a message, and when that should clear."""

from __future__ import annotations

import time
from typing import Any

from squad.cli.ages import ago, seconds_since
from squad.cli.documents import first_line, parsed
from squad.cli.output import Column, print_heading, print_json, print_table, print_text, readable
from squad.durations import format_duration
from squad.errors import Exit, NotRunningError, WaitTimeoutError
from squad.home import Home

_ANSWER = 10.0  # seconds: the gateway waits a while for the supervisor and for each worker
_PATIENCE = 2.0  # seconds that the gateway may be away

Document = dict[str, Any]


def show(home: Home, text: str, as_json: bool) -> Exit:
    """Print it of the message whose id is, begins with or ends with ``text``; the exit status."""
    found, status = _ask(home, text)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return status


def _ask(home: Home, text: str) -> tuple[Document, Exit]:
    """From the squad, or from the database when that does not answer. Raises UsageError as ``queries.message``."""
    from squad.client import Client
    from squad.store import waiting
    from squad.store.database import open_reader

    with open_reader(home.database) as pool, pool.connection() as database:
        local = waiting.look(database, text, time.time())
    try:
        with Client(home, timeout=_ANSWER, patience=_PATIENCE) as squad:
            answer = squad.why(local.message.task_id)
        return {key: value for key, value in answer.items() if key != "schema_version"}, Exit.DONE
    except (NotRunningError, WaitTimeoutError):
        running = home.launcher() is not None
    from squad.actors.why import document as why
    from squad.actors.why.reasons import Facts

    down = ("the gateway does not answer", "squad inspect") if running else ("no squad is running", "squad start")
    document = why.document(Facts(time.time(), local, down=down))
    return document | {"result": parsed(local.result)}, Exit.TIMED_OUT if running else Exit.NOT_RUNNING


def _print(found: Document) -> None:
    print_heading(found["id"])
    print_text(f"{found['type']} from {found['sender']} to {found['recipient']}, priority {found['priority']}")
    if not found["reasons"]:
        _print_end(found)
        return
    age = format_duration(seconds_since(found["created_at"]) or 0.0)
    expires = f"; it expires at {found['expires_at']} if it has not begun" if found["expires_at"] else ""
    print_text(f"{found['status']}; sent {age} ago{expires}\n")
    columns = [Column("WHY"), Column("UNTIL", fold=True), Column("WHAT HOLDS IT", fold=True)]
    print_table(columns, [[reason["kind"], _until(reason), reason["text"]] for reason in found["reasons"]])


def _print_end(found: Document) -> None:
    ended = ago(found["completed_at"])
    print_text(f"it has ended: {found['status']} {ended} ago, at {found['completed_at']}")
    if found["error"]:
        print_text(first_line(found["error"]))
    if found["status"] == "failed":
        print_text(f"to have it handled again: squad dead retry {found['id']}")
    if found["result"] is not None:
        print_text(readable(found["result"]))


_WORDS = {"known": "", "at_latest": "at the latest ", "estimate": "about "}


def _until(reason: Document) -> str:
    """When it should clear: a time, or what to type."""
    if reason["how"] == "by_hand":
        return str(reason["command"])
    if reason["how"] == "after":
        return "after that"
    if reason["clears_at"] is None:
        return "it clears by itself"
    left = -_passed(reason["clears_at"])
    distance = f"in {format_duration(left)}" if left > 0 else "any moment"
    return f"{_WORDS[reason['how']]}{reason['clears_at']} ({distance})"


def _passed(iso: str) -> float:
    """Seconds since then; negative for what is to come."""
    from datetime import UTC, datetime

    return (datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds()
