"""``squad logs``: the logs of all processes as one stream."""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home
from squad.cli.following import Pauses
from squad.cli.moments import since_option
from squad.errors import SquadError, UsageError
from squad.home import Home
from squad.logfiles import SUFFIX
from squad.logview import NO_RECORD, Follower, Line, Writer, logs_in
from squad.messages import did_you_mean
from squad.store.times import iso
from squad.terminal import colours

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_TAIL = 50  # lines shown unless something else is said
_WORKER = re.compile(r"-\d+$")  # behind a convoy's name
_AT_ONCE = 1000  # lines
_MOST_FILES = 65_536  # open at once, where nothing else limits them


@click.command(
    cls=Command,
    examples=[
        "squad logs",
        "squad logs -f",
        "squad logs -f checker reporter",
        "squad logs --since 10m --level WARNING",
        "squad logs storage --tail 200 -o json",
    ],
)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completion_values.actors)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@since_option("Only what was logged since")
@click.option(
    "-l",
    "--level",
    type=click.Choice(_LEVELS, case_sensitive=False),
    metavar="LEVEL",
    help=f"Only this level and above: {', '.join(_LEVELS)}.",
)
@click.option(
    "-n", "--tail", type=click.IntRange(0), metavar="N", help=f"Only the last N lines (default: {_TAIL}; --since: all)."
)
@click.option(
    "-o",
    "--output",
    "as_json",
    type=click.Choice(["text", "json"]),
    default="text",
    metavar="text|json",
    callback=lambda _ctx, _param, value: value == "json",
    help="Text (default), or the JSON lines of the logs as they are.",
)
def command(  # noqa: PLR0913, PLR0917 - its options
    names: tuple[str, ...], follow: bool, since: float | None, level: str | None, tail: int | None, as_json: bool
) -> None:
    """Show the logs of all processes as one stream, by time.

    With NAMEs only those: agents, workers, or parts of the core such as storage and launcher; the name of a convoy
    means all its workers. It works on a stopped squad too. With -f it goes on through restarts of agents and of the
    whole squad. A time from another day is shown with its date.
    """
    home = current_home()
    _allow_many_files()
    follower = Follower(home.logs, wanted=_wanted(home, names))
    text = _as_json if as_json else Writer(sys.stdout.isatty() and colours(sys.stdout.fileno()), dated=True).text
    least = _LEVELS.index(level) if level else 0

    def fits(line: Line) -> bool:
        return line.level not in _LEVELS or _LEVELS.index(line.level) >= least

    def show(lines: Iterable[Line]) -> None:
        fitting = filter(fits, lines)
        while some := list(islice(fitting, _AT_ONCE)):
            sys.stdout.write(text(some))

    if since is not None and tail is None:
        show(follower.since(since))
    else:
        show(follower.last(_TAIL if tail is None else tail, -inf if since is None else since, fits))
    if follow:
        pauses = Pauses()
        while True:
            pauses.wait()
            show(follower.look())


def _wanted(home: Home, names: tuple[str, ...]) -> Callable[[str], bool]:
    """Whose logs to show. Raises UsageError for a name that there is not, SquadError when there are no logs at all."""
    logs = [path.name.removesuffix(SUFFIX) for path in logs_in(home.logs)]
    if not logs:
        raise SquadError(f"no squad has run here yet: there are no logs in {home.logs}", hint="squad start")
    known = {*logs, *(_WORKER.sub("", name) for name in logs), *_in_tree(home)}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are: {', '.join(sorted(known))}"
            raise UsageError(f"{name!r} has no log in {home.logs}", hint=hint)
    return lambda log: not names or log in names or _WORKER.sub("", log) in names


def _allow_many_files() -> None:
    """As many open files as this process may have: with --since all logs are read side by side."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES if hard == resource.RLIM_INFINITY else hard, hard))


def _in_tree(home: Home) -> set[str]:
    """The actors of the saved tree: one of them may not have logged anything yet."""
    try:
        return {str(row["name"]) for row in json.loads(home.tree.read_bytes())["actors"]}
    except (OSError, ValueError, KeyError, TypeError):  # never saved, or not by us
        return set()


def _as_json(lines: Iterable[Line]) -> str:
    return "".join(f"{_json_line(line)}\n" for line in lines)


def _json_line(line: Line) -> str:
    """The line as it is in its file. What is no record there becomes one."""
    if line.level == NO_RECORD:
        at = iso(line.at)
        return json.dumps({"at": at, "level": NO_RECORD, "name": line.name, "pid": None, "message": line.message})
    text = line.raw.decode()
    return text if text.isascii() and text.isprintable() else json.dumps(json.loads(text))
