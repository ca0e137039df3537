"""One message's whole life: read from the store, and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from squad.cli.ages import ago
from squad.cli.documents import message_document, parsed
from squad.cli.outcome import how_it_ended, print_tree
from squad.cli.output import STATUS, Column, pretty, print_heading, print_table, print_text, readable
from squad.home import Home
from squad.terminal import escape

if TYPE_CHECKING:
    from squad.store.history import Happening
    from squad.store.queries import AttemptRow, Detail, MessageRow
    from squad.store.reports import Life

_EFFECTS = 20  # messages that one caused, listed in a table
_EFFECTS_IN_JSON = 1000
_LONGEST = 20_000  # characters of a payload, a result or an error


def read(home: Home, text: str, as_json: bool) -> Life:
    """The message whose id begins or ends with ``text``. Raises UsageError when that is none or several."""
    from squad.store import reports
    from squad.store.database import open_reader

    with open_reader(home.database) as pool, pool.connection() as database:
        return reports.life(database, text, _EFFECTS_IN_JSON if as_json else _EFFECTS)


def find(home: Home, text: str) -> Detail:
    """Likewise, without what it caused."""
    from squad.store import queries
    from squad.store.database import open_reader

    with open_reader(home.database) as pool, pool.connection() as database:
        return queries.message(database, text, children=0)


def show(life: Life) -> None:
    """Print it for people."""
    detail, row = life.detail, life.detail.message
    print_heading(row.task_id)
    about = message_document(row)
    facts = {
        "what": f"{row.type} from {row.sender} to {row.recipient}, priority {row.priority}",
        "status": how_it_ended(row),
        "created": _when(row.created_at),
        "not before": about["not_before"] if row.status == "queued" else "",
        "expires": about["expires_at"] if row.status == "queued" else "",
        "started": _when(row.started_at),
        "ended": _when(row.completed_at),
        "worker": row.lease_owner or "",
        "key": row.key or "",
        "reply to": row.reply_to or "",
        "kept": "in the archive" if detail.archived else "",
    }
    print_text("\n".join(f"  {name:<11} {escape(value)}" for name, value in facts.items() if value))
    _section("Payload", pretty(parsed(detail.payload)))
    if (result := parsed(detail.result)) is not None:
        _section("Result", readable(result))
    if row.error_message and row.error_message not in [attempt.error for attempt in detail.attempts]:
        _section("Error" if row.completed_at else "Put off", row.error_message)
    _show_history(detail.attempts, life.events)
    _show_family("Caused by", detail.ancestors, len(detail.ancestors))
    _show_family("Caused", detail.children, detail.children_total)
    if detail.children_total:
        print_text("")
        print_heading("In all, with itself")
        print_tree(life.summary)


def _show_history(attempts: list[AttemptRow], events: list[Happening]) -> None:
    """Failed attempts, and what somebody did about them in between."""
    told = [
        (attempt.ended_at, f"Attempt {attempt.number}: {attempt.outcome} on {attempt.worker}", attempt.error)
        for attempt in attempts
    ]
    told += [(event.at, event.kind.capitalize(), "") for event in events]
    for at, what, text in sorted(told, key=lambda entry: entry[0]):
        _section(f"{what} at {at}", text)


def _section(title: str, text: str) -> None:
    print_text("")
    print_heading(title)
    if text:
        cut = len(text) - _LONGEST
        more = f"\n(and {cut} characters more: squad message show ID -o json)" if cut > 0 else ""
        print_text("\n".join(f"  {line}" for line in (text[:_LONGEST] + more).split("\n")))


def _show_family(title: str, rows: list[MessageRow], total: int) -> None:
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
