"""``squad message list`` and ``squad message show``, read from the store, whether the squad runs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from squad.cli import completion_values
from squad.cli.ages import ago
from squad.cli.command import Group, current_home, output_option
from squad.cli.documents import attempt_document, first_line, message_document, parsed, tree_document
from squad.cli.outcome import how_it_ended, print_tree
from squad.cli.output import (
    STATUS,
    Column,
    on_terminal,
    pretty,
    print_heading,
    print_json,
    print_table,
    print_text,
    short_id,
)
from squad.terminal import escape

if TYPE_CHECKING:
    from squad.store.queries import Detail, MessageRow, TreeSummary

_STATUSES = ("queued", "running", "completed", "failed", "cancelled", "expired")
_EFFECTS = 20  # messages that one caused, listed in a table
_EFFECTS_IN_JSON = 1000
_LONGEST = 20_000  # characters of a payload, a result or an error


@click.group(
    cls=Group,
    examples=[
        "squad message list --status failed",
        "squad message show 7f3c9a12b4de",
    ],
)
def command() -> None:
    """Look at messages: those that wait, run and have ended."""


@command.command(
    "list",
    examples=[
        "squad message list",
        "squad message list --agent checker --status failed --limit 5",
        "squad message list --type check_file -o json",
    ],
)
@click.option(
    "-a",
    "--agent",
    metavar="NAME",
    help="Only messages to this agent or convoy.",
    shell_complete=completion_values.recipients,
)
@click.option(
    "-t",
    "--type",
    "type_",
    metavar="TYPE",
    help="Only messages of this type.",
    shell_complete=completion_values.types,
)
@click.option("-s", "--status", type=click.Choice(_STATUSES), metavar="STATUS", help=f"One of {', '.join(_STATUSES)}.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 100_000), default=20, metavar="N", help="How many at most (default: 20)."
)
@output_option
def list_messages(agent: str | None, type_: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List messages, the newest first. On a terminal ids are shortened to their end, which is enough for `show`."""
    from squad.store import queries
    from squad.store.database import open_reader

    which = queries.Filter(agent=agent, type=type_, status=status)
    with open_reader(current_home().database) as pool, pool.connection() as database:
        found = queries.messages(database, which, limit)
    if as_json:
        print_json({"messages": [message_document(row) for row in found]})
        return
    columns = [Column("ID"), Column("AGENT"), Column("TYPE"), STATUS, Column("CREATED", right=on_terminal())]
    columns += [Column("TOOK", right=True), Column("ERROR", style=lambda _: "red", fold=True)]
    print_table(columns, [_line(row) for row in found], empty="no message fits")


def _line(row: MessageRow) -> list[str]:
    short = on_terminal()
    return [
        short_id(row.task_id),
        row.recipient,
        row.type,
        row.status,
        ago(row.created_at) if short else row.created_at,
        "" if row.duration_ms is None else f"{row.duration_ms} ms",
        first_line(row.error_message),
    ]


@command.command("show", examples=["squad message show 7f3c9a12b4de", "squad message show 7f3c9a12b4de -o json"])
@click.argument("id_", metavar="ID", shell_complete=completion_values.messages)
@output_option
def show_message(id_: str, as_json: bool) -> None:
    """Show one message's whole life: its times, attempts and errors, what caused it, what it caused.

    Of the ID its beginning or its end is enough, from 6 characters on, when no other message's is the same.
    """
    from squad.store import queries
    from squad.store.database import open_reader

    with open_reader(current_home().database) as pool, pool.connection() as database:
        detail = queries.message(database, id_, _EFFECTS_IN_JSON if as_json else _EFFECTS)
        summary = queries.tree(database, detail.message.task_id, failed=10)
    if as_json:
        print_json(_document(detail, summary))
    else:
        _print(detail, summary)


def _document(detail: Detail, summary: TreeSummary) -> dict[str, Any]:
    return {
        **message_document(detail.message),
        "payload": parsed(detail.payload),
        "result": parsed(detail.result),
        "failed_attempts": [attempt_document(row) for row in detail.attempts],
        "causes": [message_document(row) for row in detail.ancestors],
        "effects": [message_document(row) for row in detail.children],
        "effects_total": detail.children_total,
        "tree": tree_document(summary),
    }


def _print(detail: Detail, summary: TreeSummary) -> None:
    row = detail.message
    print_heading(row.task_id)
    facts = {
        "what": f"{row.type} from {row.sender} to {row.recipient}, priority {row.priority}",
        "status": how_it_ended(row),
        "created": _when(row.created_at),
        "not before": _when(message_document(row)["not_before"]) if row.status == "queued" else "",
        "started": _when(row.started_at),
        "ended": _when(row.completed_at),
        "worker": row.lease_owner or "",
        "key": row.key or "",
    }
    print_text("\n".join(f"  {name:<11} {escape(value)}" for name, value in facts.items() if value))
    _section("Payload", pretty(parsed(detail.payload)))
    if (result := parsed(detail.result)) is not None:
        _section("Result", pretty(result))
    if row.error_message and row.error_message not in [attempt.error for attempt in detail.attempts]:
        _section("Error", row.error_message)
    for attempt in detail.attempts:
        took = f"{attempt.outcome} on {attempt.worker} at {attempt.ended_at}"
        _section(f"Attempt {attempt.number}: {took}", attempt.error)
    _print_family("Caused by", detail.ancestors, len(detail.ancestors))
    _print_family("Caused", detail.children, detail.children_total)
    if detail.children_total:
        print_text("")
        print_heading("In all, with itself")
        print_tree(summary)


def _section(title: str, text: str) -> None:
    print_text("")
    print_heading(title)
    cut = len(text) - _LONGEST
    more = f"\n(and {cut} characters more: squad message show ID -o json)" if cut > 0 else ""
    print_text("\n".join(f"  {line}" for line in (text[:_LONGEST] + more).split("\n")))


def _print_family(title: str, rows: list[MessageRow], total: int) -> None:
    if not rows:
        return
    print_text("")
    print_heading(title)
    columns = [Column("  ID"), Column("AGENT"), Column("TYPE"), STATUS]
    print_table(columns, [["  " + row.task_id, row.recipient, row.type, row.status] for row in rows])
    if total > len(rows):
        print_text(f"  and {total - len(rows)} more")


def _when(iso: str | None) -> str:
    return f"{iso} ({ago(iso)} ago)" if iso else ""
