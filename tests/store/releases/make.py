"""Makes the database that a release leaves behind, by running a real squad of it, and prints it as SQL:

    python -m tests.store.releases.make > tests/store/releases/VERSION.sql

Do that once for each release, with its own code, and never again: what was released does not change.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.running import RunningSquad, eventually

CONFIG = """
name: released
agents:
  worker: {class: "./agents.py:Worker", retry: {max_attempts: 2, backoff: 1ms}}
  teller: {command: [cat], handles: [tell]}
convoys:
  crew: {class: "./agents.py:Worker", min: 1, max: 3}
types:
  tell: {fields: {text: str}}
maintenance: {messages: 1s, archive: 30000d, schedule: none}
alerts:
  rules:
    worked: {metric: completed, of: sum, window: 1h, above: 0}
schedules:
  yearly: {cron: "0 0 1 1 *", type: count, recipient: worker}
"""
AGENTS = """
import time
from squad import Agent, Context, Refuse, handles, message


@message("count")
class Count:
    pass


@message("act")
class Act:
    how: str


class Worker(Agent):
    @handles(Count)
    def count(self, msg: Count, ctx: Context) -> int:
        if ctx.agent == "worker":
            ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        ctx.metric("seen", 1)
        ctx.send("teller", "tell", {"text": "one more"})
        return 1

    @handles(Act)
    def act(self, msg: Act, ctx: Context) -> None:
        if msg.how == "fail":
            raise ValueError("as it was told")
        if msg.how == "refuse":
            raise Refuse("as it was told")
        time.sleep(600)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        (Path(folder) / "agents.py").write_text(AGENTS)
        config = Path(folder) / "squad.yaml"
        config.write_text(CONFIG)
        with RunningSquad(home, config) as squad:
            _live(squad)
        with closing(sqlite3.connect(home / "squad.db")) as database:
            for line in database.iterdump():
                sys.stdout.write(f"{line.replace(folder, '/srv/released')}\n")


def _live(squad: RunningSquad) -> None:
    """Have a message of every kind, and of everything else at least one row."""
    for _ in range(3):
        squad.wait(squad.send("worker", "count"), tree=True)
    eventually(lambda: "worked" in squad.cli("alerts", "list").stdout, "an alert", timeout=60.0)
    squad.cli("maintenance", "run")
    assert squad.query("SELECT COUNT(*) AS rows FROM tasks_archive")[0]["rows"] >= 6
    squad.wait(squad.send("crew", "count"), tree=True)
    squad.wait(squad.send("worker", "count", key="once", priority=1))
    for how in ("fail", "refuse"):
        squad.wait(squad.send("worker", "act", {"how": how}))
    squad.kill("crew")
    squad.cli("convoy", "resize", "crew", "2")
    eventually(lambda: len(squad.pids("crew")) == 2, "resized")
    squad.cli("pause", "teller", "--reason", "for the next release")
    squad.send("teller", "tell", {"text": "waits"})
    squad.send("worker", "count", delay=300 * 86400, ttl=86400)
    squad.cli("message", "cancel", squad.send("teller", "tell", {"text": "never"}))
    squad.wait(squad.send("teller", "tell", {"text": "too late"}, ttl=0.1))
    running = squad.send("worker", "act", {"how": "sleep"})
    eventually(lambda: squad.task(running)["status"] == "running", "it runs")
    for pid in squad.processes():  # as a loss of power leaves it: with a message in hand
        squad.signal(pid, sig=9)


if __name__ == "__main__":
    main()
