"""``squad maintenance``: looking after the database as a whole."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from squad.cli import tidying
from squad.cli.alone import alone
from squad.cli.command import Group, current_home, explicit_home, output_option
from squad.cli.output import print_json, print_text, say
from squad.durations import format_duration, format_size
from squad.errors import Exit, NotRunningError, UsageError
from squad.home import Home, find, for_start

if TYPE_CHECKING:
    from squad.store.upkeep import Candidate, Examination, Restored

_FILE = click.Path(path_type=Path, resolve_path=True)


@click.group(
    cls=Group,
    examples=[
        "squad maintenance status",
        "squad maintenance prune --dry-run",
        "squad maintenance check",
        "squad maintenance backup /srv/backup/squad.db",
        "squad maintenance restore /srv/backup/squad.db",
    ],
)
def command() -> None:
    """Tidy the database, check it, back it up, and restore a backup.

    docs/maintenance.md says what is kept for how long, what a backup holds, and what a restore means for your messages.
    """


for tidy in (tidying.run, tidying.prune, tidying.status):
    command.add_command(tidy)


# -- check ------------------------------------------------------------------------------------------------------------


@command.command(
    "check", examples=["squad maintenance check", "squad maintenance check --full", "squad maintenance check -o json"]
)
@click.option("--full", is_flag=True, help="Compare every index with its table, and read all JSON. Takes longer.")
@output_option
@click.pass_context
def check(ctx: click.Context, full: bool, as_json: bool) -> None:
    """Look for damage in the database, and for messages that contradict themselves.

    It only reads, so a squad may run meanwhile. The exit status is 1 when something is wrong; for each finding it is
    said what to do.
    """
    from squad.store.upkeep import Upkeep

    home = current_home()
    workers = None if home.launcher() is None else {path.name for path in _hands(home)}
    found = Upkeep(home.database).examine(full=full, workers=workers)
    if as_json:
        print_json(_examined(home, found))
    else:
        _print(home, found)
    ctx.exit(Exit.FAILED if found.faults else Exit.DONE)


def _examined(home: Home, found: Examination) -> dict[str, object]:
    return {
        "database": str(home.database),
        "bytes": found.bytes,
        "schema": found.schema,
        "known_schema": found.known,
        "full": found.full,
        "sound": not found.faults,
        "messages": found.messages,
        "faults": [
            {"name": fault.name, "what": fault.what, "todo": fault.todo, "examples": list(fault.examples)}
            for fault in found.faults
        ],
    }


def _print(home: Home, found: Examination) -> None:
    width = max((len(fault.name) for fault in found.faults), default=0)
    for fault in found.faults:
        named = f" (such as {', '.join(fault.examples)})" if fault.examples else ""
        print_text(f"fail  {fault.name:<{width}}  {fault.what}{named}\n{' ' * (width + 8)}→ {fault.todo}")
    number = len(found.faults)
    verdict = f"{number} thing{'s are' if number > 1 else ' is'} wrong" if number else "no fault found"
    size = f"{format_size(found.bytes)}, schema {found.schema}"
    if found.messages:
        size += f", {sum(found.messages.values()):,} messages"
    if found.schema < found.known:
        size += f" (the next start brings it up to {found.known}; only then its messages can be checked)"
    say(f"{home.database}: {size}: {verdict}")


# -- backup -----------------------------------------------------------------------------------------------------------


@command.command(
    "backup",
    examples=["squad maintenance backup /srv/backup/squad.db", "squad maintenance backup --force latest.db -o json"],
)
@click.argument("file", type=_FILE)
@click.option("-f", "--force", is_flag=True, help="Replace FILE if it exists.")
@output_option
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Copy the database to FILE, of a squad that runs or not.

    The copy is of one moment, whatever the squad does meanwhile. It appears under its name when it is whole, checked
    and on the disk; a copy that fails leaves nothing.
    """
    from squad.store.upkeep import Upkeep

    home = current_home()
    made = Upkeep(home.database).back_up(file, force=force)
    if as_json:
        print_json(
            {"file": str(made.path), "bytes": made.bytes, "schema": made.schema, "seconds": round(made.seconds, 3)}
        )
    else:
        how = f"{format_size(made.bytes)}, schema {made.schema}, in {format_duration(made.seconds)}"
        say(f"{made.path}: {how}; checked, and on the disk")


# -- restore ----------------------------------------------------------------------------------------------------------


@command.command(
    "restore",
    examples=["squad maintenance restore /srv/backup/squad.db", "squad maintenance restore latest.db --yes -o json"],
)
@click.argument("file", type=_FILE)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_context
def restore(ctx: click.Context, file: Path, yes: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of the database of a stopped squad.

    What has happened since the backup is not in it: messages that were handled since are handled again, and messages
    that were sent since are missing. The database that is there now is set aside under another name, not deleted.
    """
    from squad.store.upkeep import Upkeep

    home = _home()
    with alone(home):
        upkeep = Upkeep(home.database)
        found = upkeep.candidate(file)
        if not yes and not _wanted(home, found):
            say("nothing was done")
            ctx.exit(Exit.FAILED)
        done = upkeep.restore(found)
        _forget_hands(home)
    if as_json:
        print_json(_restored(found, done))
    else:
        say(f"restored {_described(found)}")
        if done.aside is not None:
            say(f"the database that was there is now {done.aside}")
        say("what ran when the backup was made is queued again at the next start")


def _home() -> Home:
    """The home that is meant; made when it is missing, since it may be what was lost."""
    try:
        home = find(explicit_home())
    except NotRunningError:
        home = for_start(explicit_home())
    if notice := home.prepare():
        say(notice)
    return home


def _wanted(home: Home, found: Candidate) -> bool:
    """Whether the user wants it, once it is said what it means. Raises UsageError when nobody can be asked."""
    instead = f"this takes the place of {home.database}" if home.database.exists() else f"it becomes {home.database}"
    what = f"{_described(found)}; {instead}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{what}; nothing was done, as nobody can be asked", hint="--yes does it without asking")
    say(what)
    say("messages that were handled since then are handled again; those that were sent since then are missing")
    return click.confirm("restore it?", err=True)


def _described(found: Candidate) -> str:
    counts = ", ".join(f"{number:,} {status}" for status, number in found.messages.items()) or "none"
    newest = f", the newest of {found.newest}" if found.newest else ""
    return f"{found.path} (schema {found.schema}; messages: {counts}{newest})"


def _restored(found: Candidate, done: Restored) -> dict[str, object]:
    return {
        "file": str(found.path),
        "database": str(done.database),
        "aside": None if done.aside is None else str(done.aside),
        "bytes": done.bytes,
        "schema": found.schema,
        "messages": found.messages,
        "newest": found.newest,
        "seconds": round(done.seconds, 3),
    }


def _hands(home: Home) -> list[Path]:
    """A file for each agent and worker that runs, or that was killed with its squad."""
    folder = home.path / "run" / "hand"
    return list(folder.iterdir()) if folder.is_dir() else []


def _forget_hands(home: Home) -> None:
    """What a killed squad had in hand was in hand in the other database: nobody is charged for it in this one."""
    for path in _hands(home):
        with contextlib.suppress(OSError):
            path.unlink()
