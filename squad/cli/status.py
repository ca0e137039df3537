"""``squad status``: the short form of ``inspect`` and ``queue``."""

from __future__ import annotations

import json
from typing import Any

import click

from squad.cli import completion_values
from squad.cli.ages import ago, seconds_since
from squad.cli.command import Command, current_home, output_option
from squad.cli.documents import first_line
from squad.cli.holding import frozen_line, told
from squad.cli.output import Column, print_heading, print_json, print_table, print_text, say, state_style
from squad.cli.snapshot import Snapshot, take
from squad.durations import format_duration
from squad.errors import Exit, NotRunningError, SquadError, WaitTimeoutError
from squad.home import Home, Launcher

_ANSWER = 2.0  # seconds for how the store is read
_WELL = ("ready", "idle", "busy")
_ALWAYS = ("queued", "running", "failed")  # said even when there are none


@click.command(
    cls=Command,
    examples=[
        "squad status",
        "squad status --agent scanner",
        "squad status -o json",
        "squad status || squad start --detach",
    ],
)
@click.option(
    "--agent",
    metavar="NAME",
    shell_complete=completion_values.recipients,
    help="Only this agent or convoy, and its messages.",
)
@output_option
@click.pass_context
def command(ctx: click.Context, agent: str | None, as_json: bool) -> None:
    """Say in a few lines how the squad is.

    For how long it is up, how many agents are ready, how many messages are queued, running and failed, and who is not
    ready. The exit status is 3 when no squad runs; the store's counts are shown all the same. It is 5 when the squad
    runs and does not answer.
    """
    home = current_home()
    launcher = home.launcher()
    try:
        snapshot = take(home)
    except (NotRunningError, WaitTimeoutError):  # nothing was ever saved
        status = Exit.TIMED_OUT if launcher else Exit.NOT_RUNNING
        snapshot = Snapshot(home.path.parent.name, "", [], "nothing is known of its agents", status)
    document = _document(home, launcher, snapshot if agent is None else snapshot.below(agent), agent)
    if as_json:
        print_json(document | {"store": _store(home) if snapshot.live else None})
    else:
        _print(document)
    if snapshot.note and launcher is not None:
        say(snapshot.note)
    ctx.exit(snapshot.status)


def _document(home: Home, launcher: Launcher | None, snapshot: Snapshot, agent: str | None) -> dict[str, Any]:
    agents = [row for row in snapshot.actors if row["kind"] in ("agent", "worker")]
    ready = [row for row in agents if row["state"] in _WELL and snapshot.live]
    others = [row for row in snapshot.actors if row["state"] not in _WELL and snapshot.live]
    return {
        "squad": snapshot.squad,
        "agent": agent,
        "running": launcher is not None,
        # Who is stopped was left out on purpose, by squad start --agents.
        "ready": snapshot.live and not any(row["state"] not in (*_WELL, "stopped") for row in agents),
        "home": str(home.path),
        "config": launcher.config if launcher else None,
        "pid": launcher.pid if launcher else None,
        "started_at": launcher.started_at or None if launcher else None,
        "uptime_seconds": round(seconds_since(launcher.started_at) or 0.0, 1) if launcher else None,
        "agents": {"ready": len(ready), "total": len(agents)},
        **_stored(home, agent),
        "not_ready": [{key: row[key] for key in ("name", "kind", "state", "since", "last_error")} for row in others],
        "last_stop": None if launcher else _last_stop(home),
    }


def _stored(home: Home, agent: str | None) -> dict[str, Any]:
    """How many messages stand how (None: all agents'), and what is on hold; nothing before the first start."""
    from squad.store import reports
    from squad.store.database import open_reader
    from squad.store.holds import Holds

    if not home.database.exists():
        return {"messages": dict.fromkeys(reports.STATUSES, 0), **Holds().document()}
    with open_reader(home.database) as pool, pool.connection() as database:
        return reports.standing(database, agent)


def _store(home: Home) -> dict[str, Any] | None:
    """How the gateway reads the database; None when it does not say."""
    from squad.client import Client

    try:
        with Client(home, timeout=_ANSWER, patience=0) as squad:
            return {"pool": squad.store()["pool"]}
    except SquadError:  # it went away, or is of another version
        return None


def _last_stop(home: Home) -> dict[str, Any] | None:
    try:
        stopped: dict[str, Any] = json.loads(home.last_stop.read_bytes())
    except (OSError, ValueError):  # it never stopped, or was killed
        return None
    return stopped


def _print(document: dict[str, Any]) -> None:
    lines = {
        "squad": f"{document['squad']}, {_how(document)}",
        "home": document["home"],
        "agent": document["agent"],
        "agents": "{ready} of {total} ready".format(**document["agents"]) if document["running"] else "",
        "messages": ", ".join(
            f"{count} {status}" for status, count in document["messages"].items() if count or status in _ALWAYS
        ),
    }
    if document["paused"]:
        lines["paused"] = ", ".join(f"{held['name']} ({told(held)})" for held in document["paused"])
    print_text("\n".join(f"{name:<9} {value}" for name, value in lines.items() if value))
    if document["frozen"]:
        print_heading(frozen_line(document["frozen"]))
    if document["not_ready"]:
        print_text("")
        print_table(
            [Column("NOT READY"), Column("STATE", style=state_style), Column("SINCE"), Column("LAST ERROR", fold=True)],
            [
                [row["name"], row["state"], ago(row["since"]), first_line(row["last_error"])]
                for row in document["not_ready"]
            ],
        )


def _how(document: dict[str, Any]) -> str:
    if document["running"]:
        up = document["uptime_seconds"]
        return f"{'ready' if document['ready'] else 'not ready'}, up {format_duration(up)}"
    stopped = document["last_stop"]
    if stopped is None:
        return "not running"
    unfinished = len(stopped.get("unfinished") or ())
    tail = f"; {unfinished} unfinished and queued again" if unfinished else ""
    return f"not running: stopped {ago(stopped.get('at'))} ago{' by force' if stopped.get('forced') else ''}{tail}"
