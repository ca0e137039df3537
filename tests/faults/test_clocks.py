"""Clocks that jump: what goes by the wall clock, and that nothing else does."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from squad import Agent, Context, RetryAfter, handles, message
from squad.testing import agent, squad_of
from tests.running import ROOT, RunningSquad, eventually

HOUR = 3600
AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = f"""
agents:
  patient: {{class: "{AGENTS}:Worker", timeout: 10m}}
  hasty: {{class: "{AGENTS}:Worker", timeout: 1s, retry: {{max_attempts: 1}}}}
  other: {{class: "{AGENTS}:Worker", cancel_grace: 200ms, retry: {{backoff: 50ms}}}}
supervision:
  restarts: {{intensity: 100, backoff: 10ms, cap: 100ms}}
  health: {{interval: 1s, timeout: 5s, hung_after: 30s}}
"""


@message("work")
class Work:
    how: str = ""


class Worker(Agent):
    @handles(Work)
    def work(self, msg: Work, ctx: Context) -> int:
        match msg.how:
            case "fail" if ctx.attempt == 1:
                raise ValueError("the first time")
            case "give back" if not ctx.state.setdefault("asked", False):
                raise RetryAfter(60)
            case "send":
                ctx.send("worker", Work())
                ctx.send("worker", Work())
        return ctx.attempt


# -- in process: every case, with a clock of its own -----------------------------------------------------------------


def test_no_time_passes_when_the_clock_is_set() -> None:
    with squad_of(worker=Worker) as squad:
        before = squad.now
        for by, sum_of_all in (("1h", 1), ("-1h", 0), (-HOUR, -1), ("-2h", -3), (4 * HOUR, 1)):
            squad.set_clock(by)
            assert squad.now - before == timedelta(hours=sum_of_all)
        with pytest.raises(ValueError, match="not a duration"):
            squad.set_clock("tomorrow")


@pytest.mark.parametrize("option", ["delay", "backoff"])
def test_what_waits_for_a_moment_meets_it_sooner_when_the_clock_is_set_ahead(option: str) -> None:
    with squad_of(worker=agent(Worker, retry={"backoff": "10m", "cap": "10m"})) as squad:
        sent = squad.send("worker", Work(), delay="10m") if option == "delay" else squad.send("worker", Work("fail"))
        squad.run()
        assert squad.status(sent) == "queued"
        squad.set_clock("1h")
        assert squad.status(sent) == "completed"


@pytest.mark.parametrize("option", ["delay", "backoff"])
def test_it_meets_it_later_when_the_clock_is_set_back(option: str) -> None:
    with squad_of(worker=agent(Worker, retry={"backoff": "10m", "cap": "10m"})) as squad:
        sent = squad.send("worker", Work(), delay="10m") if option == "delay" else squad.send("worker", Work("fail"))
        squad.run()
        squad.set_clock("-1h")
        squad.advance("69m")
        assert squad.status(sent) == "queued"
        squad.advance("1m")
        assert squad.status(sent) == "completed"


def test_what_was_ready_before_the_clock_was_set_back_stays_so() -> None:
    with squad_of(worker=Worker) as squad:
        squad.client.pause("worker")
        delayed = squad.send("worker", Work(), delay="5m")
        plain = squad.send("worker", Work())
        squad.advance("6m")
        squad.set_clock("-1h")
        squad.client.resume("worker")
        squad.run()
        assert {squad.status(delayed), squad.status(plain)} == {"completed"}


def test_a_time_to_live_is_over_when_the_clock_says_so() -> None:
    with squad_of(worker=Worker) as squad:
        squad.client.pause("worker")
        sent = [squad.send("worker", Work(), ttl=ttl) for ttl in ("10m", "2h")]
        squad.set_clock("1h")
        assert [squad.status(one) for one in sent] == ["expired", "queued"]
        squad.set_clock("-1h")
        squad.client.resume("worker")
        squad.run()
        assert [squad.status(one) for one in sent] == ["expired", "completed"]


@pytest.mark.parametrize("by", ["1h", "-1h"])
def test_a_rate_does_not_notice(by: str) -> None:
    with squad_of(worker=agent(Worker, handle_rate={"per_minute": 1, "burst": 1})) as squad:
        sent = [squad.send("worker", Work()) for _ in range(3)]
        squad.run()
        squad.set_clock(by)
        assert [squad.status(one) for one in sent].count("completed") == 1
        squad.advance("61s")
        assert [squad.status(one) for one in sent].count("completed") == 2


@pytest.mark.parametrize("by", ["1h", "-1h"])
def test_a_handler_that_waits_for_its_send_rate_does_not_notice(by: str) -> None:
    rate = {"per_minute": 1, "burst": 1, "when_empty": "wait"}
    with squad_of(worker=agent(Worker, send_rate=rate, timeout="10m")) as squad:
        sent = squad.send("worker", Work("send"))
        squad.run()
        assert squad.status(sent) == "running"
        squad.set_clock(by)
        assert squad.status(sent) == "running"
        squad.advance("61s")
        assert squad.status(sent) == "completed"


@pytest.mark.parametrize(("by", "runs"), [("1h", 1), ("-1h", 0)])
def test_a_schedule_runs_each_planned_time_once(by: str, runs: int) -> None:
    nightly = {"cron": "30 9 * * *", "recipient": "worker", "type": "work", "missed": "once"}
    with squad_of(worker=Worker, settings={"schedules": {"nightly": nightly}}) as squad:  # it is nine o'clock
        squad.set_clock(by)
        assert len(squad.sent("worker")) == runs
        squad.set_clock("-1h" if by == "1h" else "1h")
        squad.advance("31m")
        assert len(squad.sent("worker")) == 1
        squad.advance("1d")
        assert len(squad.sent("worker")) == 2


# -- a real squad, whose processes are shown another time ------------------------------------------------------------

Set = Callable[[int], None]


@pytest.fixture(scope="module")
def dial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Set]]:
    """The environment in which a clock can be set, and what sets it: by so many seconds from the machine's."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler, to show a real squad another time")
    folder = tmp_path_factory.mktemp("clock")
    library, control = folder / "a_clock.so", folder / "clock"
    source = ROOT / "tests" / "faults" / "a_clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True, timeout=60)
    control.write_bytes(struct.pack("q", 0))

    def set_by(seconds: int) -> None:
        with control.open("r+b") as file:
            file.write(struct.pack("q", seconds))

    yield {"LD_PRELOAD": str(library), "TEST_CLOCK": str(control)}, set_by


@pytest.fixture(scope="module")
def squad(
    tmp_path_factory: pytest.TempPathFactory, dial: tuple[dict[str, str], Set]
) -> Iterator[tuple[RunningSquad, Set]]:
    folder = tmp_path_factory.mktemp("jumping")
    config = folder / "squad.yaml"
    config.write_text(CONFIG)
    environment, set_by = dial
    with RunningSquad(folder / "home", config, env=environment) as made:
        yield made, set_by


def shown(squad: RunningSquad) -> float:
    """By how many seconds its agents' clock is ahead of the machine's."""
    task = squad.send("other", "echo", {})
    squad.wait(task)
    row: dict[str, Any] = dict(
        squad.query("SELECT json_extract(result, '$.at') AS at FROM tasks WHERE task_id = ?", task)[0]
    )
    return float(row["at"]) - time.time()


@pytest.mark.parametrize("hours", [1, -1, 2, 0])
def test_a_squad_lives_through_it(squad: tuple[RunningSquad, Set], hours: int, tmp_path: Path) -> None:
    """One after the other on the same squad: ahead, two hours back, three ahead, and right again."""
    running, set_by = squad
    before = {name: row["pid"] for name, row in running.tree().items()}
    busy = running.send("patient", "misbehave", {"how": "wait", "path": str(tmp_path / "busy")})
    cancelled = running.send("other", "misbehave", {"how": "wait", "path": str(tmp_path / "cancelled")})
    eventually(lambda: (tmp_path / "busy").exists() and (tmp_path / "cancelled").exists(), "both are at work")

    set_by(hours * HOUR)
    # What runs goes on: no time-out, nobody hung, nobody ended.
    assert running.cli("message", "cancel", cancelled).returncode == 0  # its handler does not heed that
    running.wait(cancelled)
    assert running.task(cancelled)["status"] == "cancelled"
    eventually(lambda: abs(shown(running) - hours * HOUR) < 60, "everybody sees the new time")
    assert running.task(busy)["status"] == "running"

    # A time-out, a retry, a crash and a bucket of restarts take what they always take.
    late = running.send("hasty", "misbehave", {"how": "wait", "path": str(tmp_path / "late")})
    again = running.send("other", "misbehave", {"how": "raise-once"})
    killed = running.send("other", "misbehave", {"how": "exit-once"})
    for task in (late, again, killed):
        running.wait(task)
    assert [running.task(task)["status"] for task in (late, again, killed)] == ["failed", "completed", "completed"]
    (attempt,) = running.query(
        "SELECT outcome, duration_ms FROM attempts JOIN tasks ON tasks.id = task_row WHERE task_id = ?", late
    )
    assert attempt["outcome"] == "timeout"
    assert 900 < attempt["duration_ms"] < 60_000

    # Whoever looks is answered, and what was at work all the time ends as if nothing had been.
    for command in (
        ("status",),
        ("inspect",),
        ("queue",),
        ("events",),
        ("message", "show", busy),
        ("inspect", "--why", busy),
    ):
        assert "Traceback" not in running.cli(*command).stderr
    (tmp_path / "busy.end").touch()
    running.wait(busy)
    row = running.task(busy)
    assert (row["status"], row["attempts"]) == ("completed", 1)
    after = {name: row["pid"] for name, row in running.tree().items()}
    assert {name for name in before if before[name] != after[name]} <= {"hasty", "other"}


def test_a_delay_is_over_when_the_clock_says_so(squad: tuple[RunningSquad, Set]) -> None:
    running, set_by = squad
    delayed = running.send("other", "echo", {}, delay=3000)
    set_by(HOUR)
    running.wait(
        running.send("patient", "echo", {})
    )  # any message has storage look; by itself it does so in half a minute
    running.wait(delayed)
    set_by(0)
