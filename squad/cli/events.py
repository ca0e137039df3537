"""``squad events``: what has happened, and what happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home, output_option
from squad.cli.documents import first_line
from squad.cli.following import Pauses
from squad.cli.moments import since_option
from squad.cli.output import SCHEMA_VERSION, on_terminal, print_json, say, short_id
from squad.errors import StoreError
from squad.events import CATALOGUE, MESSAGES
from squad.logview import clock_time
from squad.messages import did_you_mean
from squad.store.documents import event_document, events_document
from squad.terminal import colours, escape

if TYPE_CHECKING:
    from squad.home import Home
    from squad.store.history import Happening, Watch

_TAIL = 50  # events shown unless something else is said
_MOST = 100_000  # events shown at once
_LONGEST = 200  # characters of a detail in a line
_WIDTH = max(map(len, CATALOGUE))
_STYLES = dict.fromkeys(("completed", "ready", "replayed"), "green")
_STYLES |= dict.fromkeys(("retried", "restarted", "cancelled", "expired", "queue_warning", "schedule_missed"), "yellow")
_STYLES |= dict.fromkeys(("failed", "quarantined"), "red")


def _kinds(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> frozenset[str] | None:
    """``--kind a,b --kind c``; None when it was not given."""
    named = [kind.strip() for value in values for kind in value.split(",")]
    for kind in named:
        if kind not in CATALOGUE:
            near = did_you_mean(kind, CATALOGUE) or f"there are: {', '.join(CATALOGUE)}"
            raise click.BadParameter(f"{kind!r} is no kind of event ({near})", ctx, param)
    return frozenset(named) or None


def _offered(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name, help=kind.meaning) for name, kind in CATALOGUE.items() if name.startswith(incomplete)]


@click.command(
    cls=Command,
    examples=[
        "squad events",
        "squad events -f",
        "squad events --kind failed,retried --since 1h",
        "squad events --agent checker --tail 200",
        "squad events -f -o json",
    ],
)
@click.option("-n", "--tail", type=click.IntRange(0, _MOST), metavar="N", help=f"Only the last N (default: {_TAIL}).")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@click.option(
    "-k",
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    callback=_kinds,
    shell_complete=_offered,
    help="Only this kind: failed,retried. May be given more than once.",
)
@click.option(
    "-a",
    "--agent",
    metavar="NAME",
    shell_complete=completion_values.recipients,
    help="Only of this agent or convoy, and of messages to it.",
)
@since_option("Only what happened since")
@output_option
def command(  # noqa: PLR0913, PLR0917 - its options
    tail: int | None, follow: bool, kinds: frozenset[str] | None, agent: str | None, since: float | None, as_json: bool
) -> None:
    """Show what has happened to messages, agents and convoys.

    One line an event, the newest last: its time, its kind, what it is about (of a message its id), and details.
    docs/events.md explains every kind. It is read from the store, so it works on a stopped squad too. With -f it goes
    on, through restarts of the squad; as JSON it is one document a line then.
    """
    from squad.store import history
    from squad.store.database import open_reader

    home = current_home()
    wanted = history.Wanted(kinds, agent)
    show = _as_json if as_json else _as_text
    most = tail if tail is not None else _TAIL if since is None else _MOST
    with open_reader(home.database) as pool, pool.connection() as database:
        with database.atomic():
            past = history.last(database, most, wanted, since)
            watch = history.Watch(database, wanted) if follow else None
        if watch is None and as_json:
            print_json(events_document(past))
        else:
            show(past)
        if tail is None and len(past) == _MOST:
            say(f"only the last {_MOST:,} are shown")
        if watch is not None:
            _follow(home, watch, show)
    if not past and not as_json:
        say("nothing of that kind has happened" if kinds or agent or since else "nothing has happened yet")


def _follow(home: Home, watch: Watch, show: Callable[[Iterable[Happening]], None]) -> NoReturn:
    """Raises StoreError when the database is no longer the one that is read."""
    pauses = Pauses()
    file = _identity(home)
    while True:
        pauses.wait()
        show(watch.look())
        if _identity(home) != file:
            raise StoreError(f"the database in {home.path} is another one now", hint="squad events -f")


def _identity(home: Home) -> tuple[int, int] | None:
    try:
        found = home.database.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _as_json(happenings: Iterable[Happening]) -> None:
    for happening in happenings:
        sys.stdout.write(f"{json.dumps({'schema_version': SCHEMA_VERSION, **event_document(happening)})}\n")


def _as_text(happenings: Iterable[Happening]) -> None:
    terminal = on_terminal()
    colour = terminal and colours(sys.stdout.fileno())
    for happening in happenings:
        at, kind = happening.at, f"{escape(happening.kind):<{_WIDTH}}"
        if terminal:
            at = clock_time(datetime.fromisoformat(at).timestamp(), dated=True)
        if colour:
            kind = click.style(kind, fg=_STYLES.get(happening.kind))
        subject = short_id(happening.subject) if happening.kind in MESSAGES else happening.subject
        details = " ".join(f"{escape(name)}={_brief(value)}" for name, value in happening.detail.items())
        sys.stdout.write(f"{at} {kind} {escape(subject)} {details}".rstrip() + "\n")


def _brief(value: Any) -> str:
    """A detail on one line: text is quoted where its end would not be seen, and only the first line of it is shown."""
    if not isinstance(value, str):
        return escape(json.dumps(value))
    line = first_line(value)
    short = escape(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…")
    return f'"{short}"' if not short or set(short) & set(' "=') else short
