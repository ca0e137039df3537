"""An agent that crashes again and again: the others go on, somebody is told, and nobody forgets it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.running import ROOT, RunningSquad, eventually

AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = """
agents:
  good: {class: "AGENTS:Worker", send_rate: none}
  bad: {class: "AGENTS:Worker", send_rate: none, retry: {max_attempts: 100, backoff: 1ms, cap: 10ms}, restarts: RULES}
"""
_MESSAGES = 300

Start = Callable[[str], RunningSquad]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A squad in which ``bad`` has these restart settings."""
    with ExitStack() as stack:

        def make(rules: str) -> RunningSquad:
            config = tmp_path / "squad.yaml"
            config.write_text(CONFIG.replace("AGENTS", str(AGENTS)).replace("RULES", rules))
            return stack.enter_context(RunningSquad(tmp_path / "home", config))

        yield make


def seconds_for_the_good(squad: RunningSquad) -> float:
    began = time.monotonic()
    tasks = squad.send_batch([{"recipient": "good", "type": "count", "payload": {}}] * _MESSAGES)
    squad.wait(tasks[-1])
    return time.monotonic() - began


def test_the_others_do_not_slow_down(start: Start) -> None:
    squad = start("{intensity: 100000, backoff: 50ms, cap: 100ms}")
    alone = min(seconds_for_the_good(squad) for _ in range(3))
    squad.send("bad", "misbehave", {"how": "exit"})
    eventually(lambda: squad.tree()["bad"]["restarts"] >= 3, "it crashes again and again")
    beside = []

    def crashed_meanwhile() -> bool:
        beside.append(seconds_for_the_good(squad))
        return len(beside) >= 3 and bool(squad.tree()["bad"]["restarts"] >= 8)

    eventually(crashed_meanwhile, "five crashes more")
    assert min(beside) < 10 * alone, f"{min(beside):.2f} s beside a crash loop, {alone:.2f} s without"
    assert squad.tree()["good"]["restarts"] == 0


def test_it_is_quarantined_with_its_error_and_somebody_is_told(start: Start) -> None:
    squad = start("{intensity: 2, period: 60s, backoff: 1ms}")
    sent = squad.send("bad", "misbehave", {"how": "exit"})
    row = eventually(lambda: (r := squad.tree()["bad"])["state"] == "quarantined" and r, "quarantined")
    assert (row["restarts"], row["last_error"]) == (2, "its process died")
    (failed,) = (squad.health() or {})["failed"]
    assert failed["name"] == "bad"
    assert failed["error"] == row["last_error"]
    quarantined = "SELECT subject, detail FROM events WHERE kind = 'quarantined'"
    (event,) = eventually(lambda: squad.query(quarantined), "it is in the history")
    assert (event["subject"], json.loads(event["detail"])) == ("bad", {"reason": "its process died", "cause": "crash"})
    eventually(lambda: "bad is quarantined: more than 2 restarts in 60 s" in squad.output(), "the log says so")
    assert "squad restart bad" in squad.output()
    waiting = squad.send("bad", "echo")
    squad.wait(squad.send("good", "echo"))
    assert squad.task(waiting)["status"] == "queued"
    squad.cli("message", "cancel", sent)
    squad.cli("restart", "bad")
    squad.wait(waiting)
    assert squad.tree()["bad"]["state"] in ("idle", "busy")
    by_hand = "SELECT subject FROM events WHERE kind = 'restarted' AND detail LIKE '%by hand%'"
    assert [row["subject"] for row in eventually(lambda: squad.query(by_hand), "so is its restart")] == ["bad"]


def test_a_supervisor_that_dies_takes_no_history_with_it(start: Start) -> None:
    """Crashes before and after it add up, and what was quarantined or has ended stays so."""
    squad = start("{intensity: 2, period: 600s, backoff: 1ms}")
    for restarts in (1, 2):
        squad.kill("bad")
        eventually(lambda n=restarts: squad.tree()["bad"]["restarts"] == n, "noticed")  # type: ignore[misc]
    _another_supervisor(squad)
    row = squad.tree()["bad"]
    assert (row["state"], row["restarts"]) == ("idle", 2)
    squad.kill("bad")
    eventually(lambda: squad.tree()["bad"]["state"] == "quarantined", "one crash more is one too many")
    _another_supervisor(squad)
    row = squad.tree()["bad"]
    assert (row["state"], row["last_error"]) == ("quarantined", "its process died")
    squad.cli("restart", "bad")
    squad.wait(squad.send("bad", "echo"))
    _another_supervisor(squad)
    assert squad.tree()["bad"]["state"] == "idle"  # a restart by hand is not forgotten either
    assert squad.stop() == 0


def _another_supervisor(squad: RunningSquad) -> None:
    before = squad.kill("supervisor", signal.SIGKILL)
    eventually(lambda: squad.pids("supervisor") not in ([], [before]), "another supervisor")
    eventually(lambda: not (squad.health() or {"waiting_for": ["gateway"]})["waiting_for"], "everybody is there")
