"""Waiting for a message that was sent, and printing what became of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from squad.cli.documents import first_line, message_document, parsed, tree_document
from squad.cli.failures import show
from squad.cli.output import Column, print_json, print_table, print_text, readable, say, short_id
from squad.durations import format_duration
from squad.errors import Exit

if TYPE_CHECKING:
    from squad.client import Client, Sent
    from squad.store.queries import MessageRow, TreeSummary

_FAILURES = 10  # dead letters of a tree that are listed


def wait_and_print(squad: Client, sent: Sent, tree: bool, timeout: float | None, as_json: bool) -> Exit:
    """Wait until the message (with ``tree``: all that came of it) has ended; print its result; the exit status."""
    if sys.stderr.isatty():
        say(f"waiting for {sent.id} (Ctrl-C ends the waiting, not the message)")
    try:
        done = squad.wait(sent.id, tree=tree, timeout=timeout)
    except KeyboardInterrupt:
        say(f"no longer waiting; the message goes on: squad message show {sent.id}")
        raise

    from squad.store import queries
    from squad.store.database import open_reader

    with open_reader(squad.home.database) as pool, pool.connection() as database:
        detail = queries.message(database, sent.id, children=0)
        summary = queries.tree(database, sent.id, _FAILURES) if tree else None
    if as_json:
        document = {"duplicate": sent.duplicate, "timed_out": not done, **message_document(detail.message)}
        document["result"] = parsed(detail.result)
        if summary is not None:
            document["tree"] = tree_document(summary)
        print_json(document)
    else:
        if (result := parsed(detail.result)) is not None:
            print_text(readable(result))
        if summary is not None:
            print_tree(summary)
    return _conclude(detail.message, summary, None if done else timeout)


def print_tree(summary: TreeSummary) -> None:
    """A table of how many messages ended how, by agent and type."""
    statuses = ["completed", "failed"]
    statuses += sorted({count.status for count in summary.counts} - set(statuses))
    cells: dict[tuple[str, str], dict[str, int]] = {}
    for count in summary.counts:
        cells.setdefault((count.recipient, count.type), {})[count.status] = count.count
    columns = [Column("AGENT"), Column("TYPE"), *(Column(status.upper(), right=True) for status in statuses)]
    rows = [[*names, *(str(by_status.get(status, 0)) for status in statuses)] for names, by_status in cells.items()]
    print_table(columns, rows)
    if summary.failed:
        print_text("")
        print_table(
            [Column("FAILED"), Column("AGENT"), Column("TYPE"), Column("ERROR", style=lambda _: "red", fold=True)],
            [[short_id(row.task_id), row.recipient, row.type, first_line(row.error_message)] for row in summary.failed],
        )


def how_it_ended(row: MessageRow) -> str:
    """``completed in 1.2s``, ``failed after 3 attempts``, ``queued``."""
    if row.status == "completed" and row.duration_ms is not None:
        return f"completed in {format_duration(row.duration_ms / 1000)}"
    if row.status == "failed":
        return f"failed after {row.attempts} attempt{'' if row.attempts == 1 else 's'}"
    return row.status


def _conclude(row: MessageRow, summary: TreeSummary | None, passed: float | None) -> Exit:
    """Say on standard error how it ended. ``passed`` is set when that time was not enough."""
    look = f"squad message show {row.task_id}"
    if passed is not None:
        left = _unfinished(summary) if summary else 0
        what = f"{left} of {summary.total} messages have not ended" if summary and left else f"it is still {row.status}"
        show(f"not done within {format_duration(passed)}: {what}; nothing is cancelled by this", hint=look)
        return Exit.TIMED_OUT
    if row.status != "completed":
        show(f"the message {how_it_ended(row)}: {first_line(row.error_message) or 'no reason was kept'}", hint=look)
        return Exit.FAILED
    lost = [count for count in summary.counts if count.status != "completed"] if summary else []
    if summary and lost:
        dead = sum(count.count for count in lost)
        statuses = {count.status for count in lost}
        look = f"squad message list --status {'failed' if 'failed' in statuses else min(statuses)}"
        show(f"{dead} of {summary.total} messages did not complete", hint=look)
        return Exit.FAILED
    say(f"{summary.total} messages completed" if summary else how_it_ended(row))
    return Exit.DONE


def _unfinished(summary: TreeSummary) -> int:
    return sum(count.count for count in summary.counts if count.status in ("queued", "running"))
