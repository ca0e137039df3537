"""``squad alerts``: what is wrong, that somebody knows of it, and peace for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from squad.cli import completion_values
from squad.cli.ages import ago
from squad.cli.command import Group, current_home, duration_option, output_option
from squad.cli.holding import me
from squad.cli.output import Column, on_terminal, print_json, print_table, print_text, say, short_id
from squad.errors import UsageError

if TYPE_CHECKING:
    from squad.home import Home
    from squad.store.alerts import Incident, Silence

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan", "firing": "red", "cleared": "dim"}


def _style(cell: str) -> str:
    return _STYLES.get(cell, "")


@click.group(
    cls=Group,
    examples=[
        "squad alerts list",
        "squad alerts show 7f3c9a12b4de",
        'squad alerts ack 7f3c9a12b4de --note "the disk is on order"',
        "squad alerts silence --rule queue_depth --agent checker --for 2h",
    ],
)
def command() -> None:
    """List, acknowledge and silence alerts.

    When they fire, and whom they are told to, is in the configuration, under `alerts`.
    """


@command.command("list", examples=["squad alerts list", "squad alerts list --all -n 50", "squad alerts list -o json"])
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 100_000), default=20, metavar="N", help="Of those, at most (default: 20)."
)
@output_option
def list_alerts(everything: bool, limit: int, as_json: bool) -> None:
    """List what is wrong, what is silenced, and what could not be told to a sink.

    It is read from the store, so it works on a stopped squad too: then it says how it was.
    """
    from squad.store import alerts
    from squad.store.database import open_reader

    with open_reader(current_home().database) as pool, pool.connection() as database:
        found = alerts.report(database, time.time(), over=limit if everything else 0)
    if as_json:
        print_json(found.document())
        return
    columns = [Column("ID"), Column("STATE", style=_style), Column("SEVERITY", style=_style), Column("RULE")]
    columns += [Column("AGENT"), Column("SINCE", right=on_terminal()), Column("WHAT", fold=True)]
    print_table(columns, [_row(one, found.silences) for one in found.alerts], empty="nothing is wrong")
    for silence in found.silences:
        say(f"silenced until {silence.until}: {_about(silence)}; squad alerts unsilence {short_id(silence.silence_id)}")
    for one in found.undelivered:
        word = "alerts" if one.messages > 1 else "alert"
        say(f"{one.messages:,} {word} could not be told by {one.agent}: {_first(one.error)}")
        say(f"  squad dead list --agent {one.agent}")


def _row(one: Incident, silences: list[Silence]) -> list[str]:
    silenced = one.firing and any(silence.covers(one.rule, one.agent) for silence in silences)
    since = ago(one.fired_at) if on_terminal() else one.fired_at
    state = "silenced" if silenced else one.state
    return [short_id(one.alert_id), state, one.severity, one.rule, one.agent, since, one.summary]


def _about(silence: Silence) -> str:
    rule = silence.rule or "every rule"
    text = f"{rule} of {silence.agent}" if silence.agent else rule
    said = ": ".join(part for part in (f"by {silence.by}" if silence.by else "", silence.reason or "") if part)
    return f"{text} ({said})" if said else text


def _first(error: str) -> str:
    return (error.splitlines() or [""])[0]


@command.command("show", examples=["squad alerts show 7f3c9a12b4de", "squad alerts show 7f3c9a12b4de -o json"])
@click.argument("id_", metavar="ID")
@output_option
def show_alert(id_: str, as_json: bool) -> None:
    """Show an alert: what is wrong, since when, what was done about it, and what to type next.

    Of the ID its beginning or its end is enough.
    """
    found = _find(current_home(), id_)
    about = found.document()
    if as_json:
        print_json(about)
        return
    width = max(map(len, about))
    for key, value in about.items():
        if value not in (None, ""):
            print_text(f"{key + ':':<{width + 1}} {value}")


def _find(home: Home, text: str) -> Incident:
    from squad.store import alerts
    from squad.store.database import open_reader

    with open_reader(home.database) as pool, pool.connection() as database:
        return alerts.incident(database, text)


@command.command(
    "ack",
    examples=[
        "squad alerts ack 7f3c9a12b4de",
        'squad alerts ack 7f3c9a12b4de --note "the disk is on order"',
        "squad alerts ack --all -o json",
    ],
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that go on.")
@click.option("--note", metavar="TEXT", default="", help="What others should know.")
@output_option
def ack(ids: tuple[str, ...], everything: bool, note: str, as_json: bool) -> None:
    """Say that somebody knows: there are no more reminders of it.

    That it is over is told all the same, and so is the next time that it fires.
    """
    from squad.client import Client
    from squad.store import alerts
    from squad.store.database import open_reader

    if bool(ids) == everything:
        raise UsageError("name alerts by their ids, or say --all", hint="squad alerts list")
    home = current_home()
    with Client(home) as squad:
        squad.health()  # a squad that is down is no wrong id
        if everything:
            with open_reader(home.database) as pool, pool.connection() as database:
                wanted = [one.alert_id for one in alerts.firing(database) if one.acked_at is None]
        else:
            wanted = [_find(home, text).alert_id for text in ids]
        acked = squad.ack_alerts(*wanted, note=note, by=me()) if wanted else []
    already = [one for one in wanted if one not in acked]
    if as_json:
        print_json({"acked": acked, "already": already})
        return
    say(f"acknowledged: {', '.join(map(short_id, acked)) or 'nothing'}")
    if already:
        say(f"acknowledged before, or over: {', '.join(map(short_id, already))}")


@command.command(
    "silence",
    examples=[
        "squad alerts silence --rule queue_depth --agent checker --for 2h",
        'squad alerts silence --agent checker --for 30m --reason "it is being mended"',
        "squad alerts silence --rule machine_memory --for 1d -o json",
    ],
)
@click.option("--rule", metavar="RULE", help="Only this rule: Squad's own, or one of the configuration.")
@click.option("--agent", metavar="NAME", shell_complete=completion_values.recipients, help="Only this agent or convoy.")
@duration_option("--for", help="For how long: 30m, 2h, 1d.")
@click.option("--reason", metavar="TEXT", default="", help="Why, for whoever wonders.")
@output_option
def silence(rule: str | None, agent: str | None, reason: str, as_json: bool, **span: float | None) -> None:
    """Have no sink told of a rule, of an agent, or of a rule of an agent, for a time.

    Alerts fire and clear as ever, in the list and in the log. What still goes on when the silence ends is told then.
    """
    from squad.client import Client

    if rule is None and agent is None:
        raise UsageError("say what to silence: --rule, --agent, or both", hint="squad alerts silence --help")
    if not (seconds := span["for"]):
        raise UsageError("say for how long: --for 2h")
    with Client(current_home()) as squad:
        made = squad.silence_alerts(seconds, rule=rule, agent=agent, reason=reason, by=me())
    if as_json:
        print_json({key: made[key] for key in ("id", "rule", "agent", "until")})
    else:
        say(f"silenced until {made['until']}; squad alerts unsilence {short_id(made['id'])} ends it")


@command.command("unsilence", examples=["squad alerts unsilence 7f3c9a12b4de", "squad alerts unsilence --all"])
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All silences.")
@output_option
def unsilence(ids: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """End silences before their time. squad alerts list names them."""
    from squad.client import Client
    from squad.store import alerts
    from squad.store.database import open_reader

    if bool(ids) == everything:
        raise UsageError("name silences by their ids, or say --all", hint="squad alerts list")
    home = current_home()
    with Client(home) as squad:
        squad.health()
        wanted: list[str] = []
        if ids:
            with open_reader(home.database) as pool, pool.connection() as database:
                wanted = [alerts.silence(database, text, time.time()).silence_id for text in ids]
        ended = squad.unsilence_alerts(*wanted, by=me())
    if as_json:
        print_json({"ended": ended})
    else:
        say(f"ended: {', '.join(map(short_id, ended)) or 'nothing was silenced'}")


@command.command("test", examples=["squad alerts test ops", "squad alerts test ops --timeout 30s -o json"])
@click.argument("sink")
@duration_option("--timeout", help="How long to wait for it to be told (default: 20s).")
@output_option
@click.pass_context
def try_sink(ctx: click.Context, /, sink: str, timeout: float | None, as_json: bool) -> None:
    """Send the sink SINK an alert that says that nothing is wrong, and wait for what comes of it.

    The exit status is 0 when it was told, 1 when that failed, and 5 when it is not known yet.
    """
    from squad.client import Client
    from squad.errors import Exit
    from squad.store import queries
    from squad.store.database import open_reader

    home = current_home()
    with Client(home) as squad:
        task_id = squad.test_sink(sink)
        limit = 20.0 if timeout is None else timeout
        deadline = time.monotonic() + limit
        status, error = "queued", ""
        # An attempt that failed is tried again, for longer than anybody wants to wait here.
        while status not in ("completed", "failed", "cancelled", "expired") and not error:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            squad.wait(task_id, timeout=min(left, 0.5))
            with open_reader(home.database) as pool, pool.connection() as database:
                detail = queries.message(database, task_id, children=0)
            status = detail.message.status
            error = detail.attempts[-1].error if detail.attempts else detail.message.error_message or ""
    if as_json:
        print_json({"sink": sink, "id": task_id, "status": status, "error": _first(error) or None})
    elif status == "completed":
        say(f"{sink} was told")
    elif error:
        say(f"{sink} could not be told: {_first(error)}")
    else:
        say(f"{sink} was not told within {limit:g} s: squad message show {short_id(task_id)}")
    ctx.exit(Exit.DONE if status == "completed" else Exit.FAILED if error else Exit.TIMED_OUT)
