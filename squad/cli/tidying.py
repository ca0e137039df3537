"""``squad maintenance run``, ``prune`` and ``status``: what is old leaves the database, and the file is tidied."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import click

from squad.cli.ages import ago
from squad.cli.alone import alone
from squad.cli.command import Command, current_home, output_option
from squad.cli.output import Column, on_terminal, print_json, print_table, print_text, say
from squad.durations import format_duration, format_size
from squad.errors import AlreadyRunningError, NotRunningError, StoreError
from squad.home import Home

if TYPE_CHECKING:
    from squad.store.retention import Removed
    from squad.store.upkeep.course import Done, What
    from squad.store.upkeep.report import Due, Report

_LOOK = 0.2  # seconds between two looks at how far it is
_STALLED = 30.0  # seconds without a slice after which it is said that nothing moves


@click.command(
    "run",
    cls=Command,
    examples=["squad maintenance run", "squad maintenance run -o json", "squad maintenance run --rebuild"],
)
@click.option("--rebuild", is_flag=True, help="Then write the whole file anew (VACUUM). Only while no squad runs.")
@output_option
def run(rebuild: bool, as_json: bool) -> None:
    """Do now what maintenance.schedule plans: archive and delete what is old, and tidy the file.

    A running squad does it itself, a few milliseconds at a time, and goes on with its work meanwhile. Ctrl-C ends only
    the waiting for it.
    """
    _carry_out("run", rebuild, as_json)


@click.command(
    "prune",
    cls=Command,
    examples=["squad maintenance prune --dry-run", "squad maintenance prune", "squad maintenance prune -o json"],
)
@click.option("--dry-run", is_flag=True, help="Only say what would leave which table.")
@output_option
def prune(dry_run: bool, as_json: bool) -> None:
    """Archive and delete what is old, and leave the file as it is.

    How long what is kept says `maintenance` in the configuration: that of the squad which runs, or ran last.
    """
    if not dry_run:
        _carry_out("prune", False, as_json)
        return
    from squad.store.upkeep.report import due

    found = due(current_home().database)
    if as_json:
        print_json(_would(found))
        return
    rows = [[table, f"{number:,}"] for table, number in found.removed.rows.items()]
    print_table([Column("TABLE"), Column("ROWS", right=True)], rows)
    say(f"would leave now: {_told(found.removed)}{_kept_back(found)}; nothing was done")


@click.command("status", cls=Command, examples=["squad maintenance status", "squad maintenance status -o json"])
@output_option
def status(as_json: bool) -> None:
    """Show how large the database is, what is in it, when it was tidied last, and what is due."""
    from squad.store.upkeep.report import report

    home = current_home()
    found = report(home.database)
    if as_json:
        print_json(_document(home, found))
        return
    print_text("\n".join(f"{name:<9} {text}" for name, text in _facts(home, found)))
    print_text("")
    rows = [[table.name, f"{table.rows:,}", _when(table.oldest)] for table in found.tables]
    print_table([Column("TABLE"), Column("ROWS", right=True), Column("OLDEST", right=on_terminal())], rows)


# -- doing it ---------------------------------------------------------------------------------------------------------


def _carry_out(what: What, rebuild: bool, as_json: bool) -> None:
    home = current_home()
    freed = None
    if home.launcher() is None:
        with alone(home):
            done, freed = _by_hand(home, what, rebuild)
    elif rebuild:
        raise AlreadyRunningError(
            f"a squad runs in {home.path}: its database cannot be written anew", hint="squad stop"
        )
    else:
        done = _by_the_squad(home, what)
    if as_json:
        print_json(_done(done) | {"rebuilt": freed is not None, "freed": done.freed + (freed or 0)})
        return
    say(f"done in {format_duration(done.ended - done.began)}: {_told(done.removed)}, {format_size(done.freed)} freed")
    if freed is not None:
        say(f"written anew: {format_size(max(0, freed))} freed")
    if done.what != what:
        say(f"this was a maintenance that was under way; squad maintenance {what} begins another")


def _by_hand(home: Home, what: What, rebuild: bool) -> tuple[Done, int | None]:
    from squad.store.upkeep import alone as undisturbed

    if not home.database.is_file():
        raise StoreError(
            f"there is no database {home.database}",
            hint="start a squad with `squad start`, or name a home: --home DIR",
        )
    done = undisturbed.maintain(home.database, what)
    return done, undisturbed.rebuild(home.database) if rebuild else None


def _by_the_squad(home: Home, what: What) -> Done:
    """Ask its storage, and wait until that has written down what came of it."""
    from squad.client import Client
    from squad.store.times import iso
    from squad.store.upkeep.report import progress

    with Client(home) as squad:
        begun = squad.maintain(prune=what == "prune")
    if begun["already"]:
        say("a maintenance is under way already; waiting for that one")
    moved, since = None, time.monotonic()
    while True:
        found = progress(home.database)
        if found.run != moved:
            moved, since = found.run, time.monotonic()
        elif time.monotonic() - since > _STALLED:
            say("it does not go on: squad logs storage says why; it is waited for (Ctrl-C ends only the waiting)")
            since = math.inf
        if found.last is not None and iso(found.last.began) >= begun["began"]:
            return found.last
        if home.launcher() is None:
            raise NotRunningError(
                "the squad stopped before it was done",
                hint="it goes on when the squad is started; squad maintenance run does it now",
            )
        time.sleep(_LOOK)


# -- saying it --------------------------------------------------------------------------------------------------------


def _told(removed: Removed) -> str:
    from squad.store.upkeep.course import deleted, history

    dead = f" (dead letters among them: {removed.dead:,})" if removed.dead else ""
    unsent = f", {removed.unsent:,} of them not sent by an exporter" if removed.unsent else ""
    return (
        f"{removed.archived:,} messages to the archive, {deleted(removed):,} deleted{dead}{unsent}, "
        f"{history(removed):,} rows of history deleted"
    )


def _kept_back(due: Due) -> str:
    if not due.kept_back:
        return ""
    return f"; {due.kept_back:,} more are old enough, and stay while something of their tree is open or not sent"


def _counts(removed: Removed) -> dict[str, Any]:
    from squad.store.upkeep.course import deleted, history

    return {
        "archived": removed.archived,
        "deleted": deleted(removed),
        "dead": removed.dead,
        "unsent": removed.unsent,
        "history": history(removed),
        "rows": dict(removed.rows),
    }


def _would(due: Due) -> dict[str, Any]:
    return {**_counts(due.removed), "kept_back": due.kept_back}


def _done(done: Done) -> dict[str, Any]:
    from squad.store.times import iso

    return {
        "why": done.why,
        "what": done.what,
        "began_at": iso(done.began),
        "ended_at": iso(done.ended),
        "working_seconds": round(done.working, 3),
        **_counts(done.removed),
        "bytes": done.size,
        "freed": done.freed,
    }


def _document(home: Home, found: Report) -> dict[str, Any]:
    from squad.store.times import iso

    terms, run, last = found.progress.terms, found.progress.run, found.progress.last
    total, free, size = found.pages
    return {
        "database": str(home.database),
        "bytes": total * size,
        "free_bytes": free * size,
        "log_bytes": found.log,
        "terms": {
            "messages_seconds": terms.messages,
            "archive_seconds": terms.archive,
            "events_seconds": terms.events,
            "schedule": terms.schedule,
            "timezone": terms.timezone,
        },
        "running": None
        if run is None
        else {"why": run.why, "what": run.what, "began_at": iso(run.began), "step": run.step, **_counts(run.removed)},
        "last": None if last is None else _done(last),
        "next_at": None if found.next_planned is None else iso(found.next_planned),
        "due": _would(found.due),
        "tables": [{"name": table.name, "rows": table.rows, "oldest": table.oldest} for table in found.tables],
    }


def _facts(home: Home, found: Report) -> list[tuple[str, str]]:
    from squad.store.times import iso

    terms, run, last = found.progress.terms, found.progress.run, found.progress.last
    total, free, size = found.pages
    facts = [
        ("database", f"{home.database}: {format_size(total * size)}, {format_size(free * size)} of it free"),
        ("log", format_size(found.log)),
        (
            "keeps",
            f"messages {format_duration(terms.messages)}, in the archive {format_duration(terms.archive)} more, "
            f"events {format_duration(terms.events)}",
        ),
    ]
    if last is None:
        facts.append(("last", "never"))
    else:
        how = f"{_when(iso(last.ended))} (by {last.why}), {_told(last.removed)}, {format_size(last.freed)} freed"
        facts.append(("last", how))
    if run is not None:
        facts.append(("running", f"since {_when(iso(run.began))}, at {run.step}: {_told(run.removed)} so far"))
    if found.next_planned is None:
        facts.append(("next", "by hand: squad maintenance run"))
    else:
        late = " (it comes when the squad runs)" if found.next_planned < time.time() else ""
        facts.append(("next", f"{iso(found.next_planned)}{late}, as {terms.schedule!r} in {terms.timezone} says"))
    facts.append(("due", f"{_told(found.due.removed)}{_kept_back(found.due)}"))
    return facts


def _when(iso: str | None) -> str:
    if iso is None:
        return ""
    return f"{ago(iso)} ago" if on_terminal() else iso
