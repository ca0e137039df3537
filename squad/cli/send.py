"""``squad send``. The quickest command: it imports no more than it needs to hand a message over."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home, duration_option, output_option
from squad.cli.moments import at_option
from squad.cli.output import print_json, print_text, say
from squad.cli.payload import read_file, read_payload
from squad.errors import Exit, Problem, RefusedError, SquadError, UsageError

if TYPE_CHECKING:
    from squad.client import Client

_OPTIONAL = ("priority", "sender", "delay", "at", "ttl", "key")
_WRITTEN = {"recipient": "RECIPIENT", "type_": "TYPE", "wait_for": "--wait"}


@click.command(
    cls=Command,
    examples=[
        'squad send scanner scan --data \'{"path": "/srv/code"}\'',
        "squad send scanner scan --data @scan.json --wait-tree --timeout 10m",
        "squad send reporter summarize --wait -o json",
        "squad send reporter summarize --delay 1h --priority 9 --key nightly",
        "squad send reporter summarize --at 2030-01-31T09:30 --ttl 8h",
        "squad send --batch messages.jsonl",
    ],
)
@click.argument("recipient", required=False, shell_complete=completion_values.recipients)
@click.argument("type_", metavar="[TYPE]", required=False, shell_complete=completion_values.types)
@click.option(
    "-d", "--data", metavar="JSON|@FILE|-", help="The message's fields: a JSON object, a file, or standard input."
)
@click.option(
    "-p", "--priority", type=click.IntRange(1, 10), metavar="N", help="1 (highest) to 10 (lowest); 5 unless given."
)
@click.option("--sender", metavar="NAME", help="Who it says it is from.")
@duration_option("--delay", help="Not before this time has passed: 10s, 5m, 1h30m.")
@at_option("--at", help="Not before this time: 09:30, 2026-01-31T09:30 (here), 2026-01-31T09:30Z.")
@duration_option("--ttl", help="Do not handle it any more when it has waited for this time.")
@click.option("--key", metavar="KEY", help="A second message with the same key to the same recipient is not queued.")
@click.option("--wait", "wait_for", flag_value="message", help="Wait until it has ended, and print its result.")
@click.option("--wait-tree", "wait_for", flag_value="tree", help="Wait until all that came of it has ended as well.")
@duration_option("--timeout", help="Stop waiting after this time (default: no limit).")
@click.option("--batch", metavar="FILE|-", help='Send many: one {"recipient", "type", "payload", …} on each line.')
@output_option
@click.pass_context
def command(ctx: click.Context, /, batch: str | None, as_json: bool, **given: Any) -> None:
    """Send a message, and print its id once it is stored.

    RECIPIENT is an agent or a convoy, TYPE a type of message that it handles. An id means that the message is safe: it
    is handled even if everything is killed now. With --wait the exit status is 1 if the message failed, and 5 if it did
    not end in time (it stays queued). A batch is stored whole, or is refused with every wrong line named (up to 100,000
    messages; a longer one goes in parts). What is sent belongs to the trace that TRACEPARENT names in the environment,
    if that is there.
    """
    if batch is None:
        ctx.exit(_send_one(given, as_json))
    _send_batch(batch, given, as_json)


def _send_one(given: dict[str, Any], as_json: bool) -> int:
    """Send it and print what was asked for; returns the exit status."""
    if given["recipient"] is None or given["type_"] is None:
        raise UsageError("a message needs a recipient and a type", hint="squad send RECIPIENT TYPE --data '{…}'")
    if given["timeout"] is not None and given["wait_for"] is None:
        raise UsageError("--timeout is how long to wait: it needs --wait or --wait-tree")
    if given["at"] is not None and given["delay"] is not None:
        raise UsageError("--at and --delay say the same thing in two ways: give one of them")
    message = {"recipient": given["recipient"], "type": given["type_"], "payload": read_payload(given["data"])}
    message |= {name: given[name] for name in _OPTIONAL if given[name] is not None}
    if (traceparent := _trace()) is not None:
        message["traceparent"] = traceparent

    from squad.client import Client

    with Client(current_home()) as squad:
        sent = squad.submit(message)
        if sent.duplicate:
            say("there was a message with this key already; nothing was queued")
        _say_what_waits(squad, {given["recipient"]})
        if given["wait_for"] is not None:
            from squad.cli.outcome import wait_and_print

            status: int = wait_and_print(squad, sent, given["wait_for"] == "tree", given["timeout"], as_json)
            return status
    if as_json:
        print_json({"id": sent.id, "duplicate": sent.duplicate})
    else:
        print_text(sent.id)
    return Exit.DONE


def _trace() -> str | None:
    """Which trace this command is a part of, as whoever ran it has said; what says nothing usable is passed over."""
    if not (text := os.environ.get("TRACEPARENT")):
        return None
    from squad.trace import usable

    return usable(text)


def _say_what_waits(squad: Client, recipients: Collection[str]) -> None:
    """Messages to whoever is on hold are kept, which may surprise."""
    from squad.steering import waits

    with suppress(SquadError):  # the message is stored, whatever becomes of this question
        if said := waits(squad.holds(), recipients):
            say(said)


def _send_batch(file: str, given: dict[str, Any], as_json: bool) -> None:
    if surplus := [name for name, value in given.items() if value is not None]:
        named = [_WRITTEN.get(name, f"--{name}") for name in surplus]
        raise UsageError(
            f"{', '.join(named)} cannot be given with --batch",
            hint="send it without; squad message show ID says how each has ended"
            if {*surplus} <= {"wait_for", "timeout"}
            else 'each line says it for itself: {"recipient": …, "type": …, "payload": {…}, "priority": 3}',
        )
    lines = read_file(file).split(b"\n")

    from squad.client import Client

    with Client(current_home()) as squad:
        try:
            ids = squad.send_lines(lines, traceparent=_trace())
        except RefusedError as error:
            error.problems = tuple(_located(problem, file) for problem in error.problems)
            raise
        _say_what_waits(squad, ())
    if not ids:
        raise RefusedError(
            f"there is no message in {file!r}", hint='one {"recipient": …, "type": …, "payload": {…}} on each line'
        )
    if as_json:
        print_json({"ids": ids})
    else:
        print_text("\n".join(ids))


def _located(problem: Problem, file: str) -> Problem:
    """The same problem, its ``line N`` written as a place in the file."""
    word, _, rest = problem.where.partition(" ")
    return replace(problem, where=f"{file}:{rest}") if word == "line" and file != "-" else problem
