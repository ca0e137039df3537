"""Convoys and readings in a real squad."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.running import RunningSquad, eventually

Start = Callable[[str], RunningSquad]
CONFIG = """
convoys:
  pool: {class: "AGENTS:Pool", min: 1, max: 3, memory_per_worker: 1MB}
monitor: {interval: 100ms, grow_after: 2, shrink_after: 3, cpu_threshold: 100, memory_threshold: 100}
"""


def workers(squad: RunningSquad) -> int:
    return sum(row["parent"] == "pool" and row["state"] in ("idle", "busy") for row in squad.tree().values())


def test_a_convoy_grows_with_waiting_work_and_shrinks_after_it(start: Start, tmp_path: Path) -> None:
    squad = start(CONFIG.replace("max: 3", "max: 2"))  # for on a busy machine it grows to the number of cores only
    end = tmp_path / "end"
    tasks = [squad.send("pool", "misbehave", {"how": "", "path": str(end)}) for _ in range(20)]
    eventually(lambda: workers(squad) == 2, "two workers")
    eventually(lambda: len(list(tmp_path.glob("end.*"))) == 2, "both are at work")
    end.touch()
    for task in tasks:
        squad.wait(task)
    assert len({squad.task(task)["result"] for task in tasks}) == 2
    assert {squad.task(task)["attempts"] for task in tasks} == {1}  # a worker that goes finishes first
    eventually(lambda: workers(squad) == 1, "one worker")
    query = "SELECT from_size, to_size, reason FROM convoy_resizes ORDER BY id"
    resizes = eventually(lambda: (r := squad.query(query)) and r[-1]["to_size"] == 1 and r, "both are recorded")
    assert resizes[0]["from_size"] == 1
    assert "work is waiting" in resizes[0]["reason"]
    assert "idle" in resizes[-1]["reason"]


def test_what_waits_for_a_paused_convoy_does_not_let_it_grow(start: Start, tmp_path: Path) -> None:
    squad = start(
        CONFIG.replace("monitor:", '  other: {class: "AGENTS:Pool", min: 1, max: 2, memory_per_worker: 1MB}\nmonitor:')
    )
    squad.cli("pause", "pool")
    for name in ("pool", "other"):
        for _ in range(25):
            squad.send(name, "misbehave", {"how": "", "path": str(tmp_path / "end")})
    eventually(lambda: squad.tree().get("other", {}).get("size") == 2, "the other has grown")
    assert squad.tree()["pool"]["target"] == 1
    squad.cli("resume", "pool")
    eventually(lambda: workers(squad) >= 2, "now it grows")
    (tmp_path / "end").touch()


def test_a_size_set_by_hand_stays_until_auto(start: Start) -> None:
    squad = start(CONFIG)
    squad.cli("convoy", "resize", "pool", "2")
    eventually(lambda: workers(squad) == 2, "two workers")
    row = squad.tree()["pool"]
    assert (row["size"], row["target"], row["pinned"]) == (2, 2, True)
    killed = squad.kill("supervisor")
    eventually(lambda: squad.tree().get("supervisor", {}).get("pid") not in (None, killed), "another supervisor")
    eventually(lambda: workers(squad) == 2 and squad.tree()["pool"]["pinned"], "two workers again")
    squad.cli("convoy", "resize", "pool", "auto")
    eventually(lambda: workers(squad) == 1, "back to what the work needs")


def test_a_killed_worker_is_replaced_under_its_name(start: Start) -> None:
    squad = start(CONFIG)
    before = squad.kill("pool")
    eventually(lambda: squad.pids("pool") not in ([], [before]), "another worker")
    assert squad.tree()["pool-1"]["restarts"] == 1


def test_readings_are_shown(start: Start) -> None:
    squad = start(CONFIG)
    rows = eventually(
        lambda: (t := squad.tree()) and all(t[n]["memory_bytes"] for n in ("storage", "pool-1", "supervisor")) and t,
        "memory of every process",
    )
    assert 10_000_000 < rows["pool-1"]["memory_bytes"] < 500_000_000
    assert rows["pool-1"]["cpu_percent"] is not None
