"""``squad dead``: the desk for dead letters, the messages that failed for good."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from squad.cli import completion_values, life
from squad.cli.ages import ago
from squad.cli.command import Group, current_home, output_option
from squad.cli.documents import first_line, parsed
from squad.cli.moments import since_option
from squad.cli.output import Column, on_terminal, print_json, print_table, say, short_id
from squad.cli.payload import read_payload
from squad.errors import Exit, NotRunningError, Problem, RefusedError, SquadError, UsageError
from squad.home import Home

if TYPE_CHECKING:
    from squad.client import Client
    from squad.store.queries import Detail, Filter

F = TypeVar("F", bound=Callable[..., Any])

_AT_ONCE = 200  # dead letters in one request and one transaction
_NAMED = 5  # agents and types that a question names


@click.group(
    cls=Group,
    examples=[
        "squad dead list --since 2h",
        "squad dead show 7f3c9a12b4de",
        "squad dead edit 7f3c9a12b4de --retry",
        "squad dead retry --agent checker --error TimeoutError",
        "squad dead drop 7f3c9a12b4de",
    ],
)
def command() -> None:
    """List, show, edit, replay and drop dead letters.

    They are the messages that were refused, or whose last attempt failed. They stay until somebody sees to them.
    """


def _filters(function: F) -> F:
    """The options that choose dead letters; the command gets ``which``, a mapping of those that were given."""
    for option in (
        click.option(
            "-e", "--error", metavar="TEXT", help="Only those with TEXT in their error, in upper or lower case."
        ),
        since_option("Only those that failed since"),
        click.option(
            "-t",
            "--type",
            metavar="TYPE",
            help="Only messages of this type.",
            shell_complete=completion_values.types,
        ),
        click.option(
            "-a",
            "--agent",
            metavar="NAME",
            help="Only messages to this agent or convoy.",
            shell_complete=completion_values.recipients,
        ),
    ):
        function = option(function)
    return function


def _filter(which: dict[str, Any]) -> Filter:
    from squad.store.queries import Filter

    given = {"ended_since" if name == "since" else name: value for name, value in which.items()}
    return Filter(status="failed", **given)


# -- list and show ----------------------------------------------------------------------------------------------------


@command.command(
    "list",
    examples=[
        "squad dead list",
        "squad dead list --agent checker --since 2h",
        "squad dead list --error timeout --limit 100 -o json",
    ],
)
@_filters
@click.option(
    "-n", "--limit", type=click.IntRange(1, 100_000), default=20, metavar="N", help="How many at most (default: 20)."
)
@output_option
def list_dead(limit: int, as_json: bool, **which: Any) -> None:
    """List dead letters, the newest messages first.

    It is read from the store, so it works on a stopped squad too.
    """
    from squad.store import reports
    from squad.store.database import open_reader

    with open_reader(current_home().database) as pool, pool.connection() as database:
        found = reports.dead(database, _filter(which), limit)
    if as_json:
        print_json(found.document())
        return
    columns = [Column("ID"), Column("AGENT"), Column("TYPE"), Column("TRIES", right=True)]
    columns += [Column("FAILED", right=on_terminal()), Column("ERROR", style=lambda _: "red", fold=True)]
    cells = [
        [
            short_id(row.task_id),
            row.recipient,
            row.type,
            str(row.attempts),
            (ago(row.completed_at) if on_terminal() else row.completed_at) or "",
            first_line(row.error_message),
        ]
        for row in found.rows
    ]
    print_table(columns, cells, empty="no dead letter fits" if any(which.values()) else "no dead letters")
    if found.total > len(found.rows):
        say(f"{found.total - len(found.rows):,} more fit: --limit shows more, the filters fewer")


@command.command("show", examples=["squad dead show 7f3c9a12b4de", "squad dead show 7f3c9a12b4de -o json"])
@click.argument("id_", metavar="ID", shell_complete=completion_values.dead_letters)
@output_option
def show_dead(id_: str, as_json: bool) -> None:
    """Show a dead letter: its payload, every attempt with its error, and what was done about it.

    The attempts before earlier replays are there as well. Of the ID its beginning or its end is enough.
    """
    shown = life.read(current_home(), id_, as_json)
    _must_be_dead(shown.detail)
    if as_json:
        print_json(shown.document())
    else:
        life.show(shown)


# -- edit -------------------------------------------------------------------------------------------------------------


@command.command(
    "edit",
    examples=[
        "squad dead edit 7f3c9a12b4de",
        'squad dead edit 7f3c9a12b4de --data \'{"path": "/srv/code"}\' --retry',
        "squad dead edit 7f3c9a12b4de --data @fixed.json -o json",
    ],
)
@click.argument("id_", metavar="ID", shell_complete=completion_values.dead_letters)
@click.option("-d", "--data", metavar="JSON|@FILE|-", help="The new payload: a JSON object, a file, or standard input.")
@click.option("--retry", is_flag=True, help="Put it back into its queue at once.")
@output_option
def edit_dead(id_: str, data: str | None, retry: bool, as_json: bool) -> None:
    """Give a dead letter another payload.

    Without --data it is edited in $VISUAL or $EDITOR. The payload is checked as that of a new message is: when it does
    not fit its type, every mistake is named, and it can be edited again. It stays a dead letter until it is replayed.
    """
    from squad.client import Client

    home = _running()
    detail = life.find(home, id_)
    _must_be_dead(detail)
    task_id = detail.message.task_id
    with Client(home) as squad:
        if data is not None:
            squad.edit_dead(task_id, read_payload(data))
            changed = True
        else:
            changed = _edited(squad, detail)
        if changed and retry:
            squad.retry_dead([task_id])
    if as_json:
        print_json({"id": task_id, "changed": changed, "retried": changed and retry})
    elif not changed:
        say("nothing was changed")
    else:
        say("changed, and queued again" if retry else f"changed; to replay it: squad dead retry {short_id(task_id)}")


def _edited(squad: Client, detail: Detail) -> bool:
    from squad.cli.editor import edit

    task_id = detail.message.task_id
    alternative = f"squad dead edit {task_id} --data '{{…}}'"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("without a terminal the new payload must be given", hint=alternative)
    return edit(parsed(detail.payload), lambda payload: squad.edit_dead(task_id, payload), alternative)


# -- retry and drop ---------------------------------------------------------------------------------------------------


def _chosen_dead(function: F) -> F:
    for option in (
        output_option,
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        click.option(
            "-n", "--limit", type=click.IntRange(1), metavar="N", help="At most so many of those, the oldest."
        ),
        click.option("--all", "everything", is_flag=True, help="All dead letters."),
        _filters,
        click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=completion_values.dead_letters),
    ):
        function = option(function)
    return function


@command.command(
    "retry",
    examples=[
        "squad dead retry 7f3c9a12b4de",
        "squad dead retry --agent checker --since 2h",
        "squad dead retry --all --yes -o json",
    ],
)
@_chosen_dead
@click.pass_context
def retry_dead(ctx: click.Context, /, as_json: bool, **choice: Any) -> None:
    """Put dead letters back into their queues, with all their attempts before them.

    Named by ID, or chosen by options: then their number is said first, and asked about on a terminal. Their errors
    stay in their history. A time to live no longer counts; a reply that was asked for is sent once more.
    """
    ctx.exit(_act("retry", "queued again", choice, as_json, lambda squad, ids: squad.retry_dead(ids)))


@command.command(
    "drop",
    examples=[
        "squad dead drop 7f3c9a12b4de",
        "squad dead drop --type check_file --error 'no such file'",
        "squad dead drop --since 2026-01-31 --yes",
    ],
)
@_chosen_dead
@click.pass_context
def drop_dead(ctx: click.Context, /, as_json: bool, **choice: Any) -> None:
    """Delete dead letters for good.

    Named by ID, or chosen by options: then their number is said first, and asked about on a terminal. That each was
    dropped, and of what it had died, stays in squad events.
    """
    ctx.exit(_act("drop", "deleted", choice, as_json, lambda squad, ids: squad.drop_dead(ids)))


def _act(
    verb: str, done: str, choice: dict[str, Any], as_json: bool, act: Callable[[Client, Sequence[str]], list[str]]
) -> Exit:
    """Do it to what was chosen, once that is confirmed; the exit status."""
    named, everything = choice.pop("ids"), choice.pop("everything")
    yes, limit = choice.pop("yes"), choice.pop("limit")
    filtered = any(value is not None for value in choice.values())
    if bool(named) + bool(everything) + filtered != 1 or (named and limit):
        raise UsageError(
            f"say which dead letters to {verb}: by ID, by options such as --agent, or --all",
            hint=f"squad dead {verb} --help",
        )
    home = _running()
    ids = _by_id(home, named) if named else _by_filter(home, choice, limit, verb, yes)
    if ids is None:
        say("nothing was done")
        return Exit.FAILED

    from squad.client import Client

    acted: list[str] = []
    with Client(home) as squad:
        for start in range(0, len(ids), _AT_ONCE):
            try:
                acted += act(squad, ids[start : start + _AT_ONCE])
            except RefusedError as error:
                if acted:
                    error.message += f"; {_counted(len(acted))} before that {done}"
                raise
    if as_json:
        print_json({"count": len(acted), "ids": acted})
    else:
        say(f"{_counted(len(acted))} {done}" if ids else "no dead letter fits")
    return Exit.DONE


def _by_id(home: Home, named: Sequence[str]) -> list[str]:
    details = [life.find(home, text) for text in named]
    others = [detail.message for detail in details if detail.message.status != "failed"]
    if others:
        problems = [Problem(row.task_id, f"is {row.status}") for row in others]
        raise UsageError(f"{len(others)} of {len(named)} are no dead letters; nothing was done", problems=problems)
    return list(dict.fromkeys(detail.message.task_id for detail in details))


def _by_filter(home: Home, which: dict[str, Any], limit: int | None, verb: str, yes: bool) -> list[str] | None:
    """The ids of those that fit; None when the user does not want it. Raises UsageError when nobody can be asked."""
    from squad.store import choices
    from squad.store.database import open_reader

    with open_reader(home.database) as pool, pool.connection() as database:
        found = choices.chosen(database, _filter(which), limit)
    if found and not yes:
        kinds = Counter((letter.recipient, letter.type) for letter in found).most_common()
        parts = [f"{count:,} {type_name} to {recipient}" for (recipient, type_name), count in kinds[:_NAMED]]
        parts += ["others"] if len(kinds) > _NAMED else []
        what = f"{_counted(len(found))}: {', '.join(parts)}"
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"{what}; nothing was done, as nobody can be asked", hint="--yes does it without asking")
        say(what)
        if not click.confirm(f"{verb} {'them' if len(found) > 1 else 'it'}?", err=True):
            return None
    return [letter.task_id for letter in found]


def _counted(count: int) -> str:
    return f"{count:,} dead letter{'' if count == 1 else 's'}"


def _running() -> Home:
    """The home, when a squad runs in it: before anything is asked or edited. Raises NotRunningError."""
    home = current_home()
    if home.launcher() is None:
        raise NotRunningError(f"no squad is running in {home.path}", hint="squad start")
    return home


def _must_be_dead(detail: Detail) -> None:
    row = detail.message
    if row.status != "failed":
        raise SquadError(
            f"{row.task_id} is no dead letter: it is {row.status}", hint=f"squad message show {row.task_id}"
        )
