"""``squad send``. The quickest command: it imports no more than it needs to hand a message over."""

from __future__ import annotations

from typing import Any

import click

from squad.cli.command import SECONDS, Command, current_home, output_option
from squad.cli.output import print_json, print_text, say
from squad.cli.payload import read_batch, read_payload
from squad.errors import RefusedError, UsageError


@click.command(
    cls=Command,
    examples=[
        'squad send scanner scan --data \'{"path": "/srv/code"}\'',
        "squad send scanner scan --data @scan.json --wait-tree --timeout 10m",
        "squad send reporter summarize --wait -o json",
        "squad send reporter summarize --delay 1h --priority 9 --key nightly",
        "squad send --batch messages.jsonl",
    ],
)
@click.argument("recipient", required=False)
@click.argument("type_", metavar="[TYPE]", required=False)
@click.option(
    "-d", "--data", metavar="JSON|@FILE|-", help="The message's fields: a JSON object, a file, or standard input."
)
@click.option("-p", "--priority", type=click.IntRange(1, 10), help="1 (highest) to 10; 5 unless given.")
@click.option("--sender", metavar="NAME", help="Who it says it is from.")
@click.option("--delay", type=SECONDS, help="Not before this time has passed: 10s, 5m, 1h30m.")
@click.option("--key", metavar="KEY", help="A second message with the same key to the same recipient is not queued.")
@click.option("--wait", "wait_for", flag_value="message", help="Wait until it has ended, and print its result.")
@click.option("--wait-tree", "wait_for", flag_value="tree", help="Wait until all that came of it has ended as well.")
@click.option("--timeout", type=SECONDS, help="Stop waiting after this time (default: no limit).")
@click.option("--batch", metavar="FILE|-", help='Send many: one {"recipient", "type", "payload", …} on each line.')
@output_option
@click.pass_context
def command(ctx: click.Context, batch: str | None, **given: Any) -> None:
    """Send a message of a TYPE to a RECIPIENT, and print its id once it is stored.

    An id means that the message is safe: it is handled even if everything is killed now. With --wait the exit status
    is 1 if the message failed, and 5 if it did not end in time (it stays queued). A batch is refused as a whole if any
    of its messages is wrong.
    """
    if batch is None:
        _send_one(ctx, **given)
    else:
        _send_batch(batch, **given)


def _send_one(
    ctx: click.Context,
    *,
    recipient: str | None,
    type_: str | None,
    data: str | None,
    wait_for: str | None,
    timeout: float | None,
    as_json: bool,
    **optional: Any,
) -> None:
    if recipient is None or type_ is None:
        raise UsageError("a message needs a recipient and a type", hint="squad send RECIPIENT TYPE --data '{…}'")
    if timeout is not None and wait_for is None:
        raise UsageError("--timeout is how long to wait: it needs --wait or --wait-tree")
    message = {"recipient": recipient, "type": type_, "payload": read_payload(data)}
    message |= {name: value for name, value in optional.items() if value is not None}

    from squad.client import Client

    with Client(current_home()) as squad:
        sent = squad.submit(message)
        if sent.duplicate:
            say("there was a message with this key already; nothing was queued")
        if wait_for is not None:
            from squad.cli.outcome import wait_and_print

            ctx.exit(wait_and_print(squad, sent, wait_for == "tree", timeout, as_json))
    if as_json:
        print_json({"id": sent.id, "duplicate": sent.duplicate})
    else:
        print_text(sent.id)


def _send_batch(file: str, *, as_json: bool, **given: Any) -> None:
    spare = [name.removesuffix("_").upper() for name in ("recipient", "type_") if given[name] is not None]
    spare += [
        f"--{name}" for name in ("data", "priority", "sender", "delay", "key", "timeout") if given[name] is not None
    ]
    spare += ["--wait"] if given["wait_for"] == "message" else ["--wait-tree"] if given["wait_for"] else []
    if spare:
        raise UsageError(
            f"{', '.join(spare)} cannot be given with --batch",
            hint='each line of the file says it for itself: {"recipient": …, "type": …, "payload": {…}, "priority": 3}',
        )
    batch = read_batch(file)

    from squad.client import Client

    with Client(current_home()) as squad:
        try:
            ids = squad.send_many(batch.messages)
        except RefusedError as error:
            error.problems = tuple(batch.located(problem) for problem in error.problems)
            raise
    if as_json:
        print_json({"ids": ids})
    else:
        print_text("\n".join(ids))
