"""Start order, restart types and strategies, with real squads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import RunningSquad, eventually

Start = Callable[[str], RunningSquad]
THREE = """
agents:
  a: {class: "AGENTS:Worker", send_rate: none}
  b: {class: "AGENTS:Worker", send_rate: none}
  c: {class: "AGENTS:Worker", send_rate: none}
"""


def pids(squad: RunningSquad) -> dict[str, int]:
    """The processes of the agents, once all of them are ready."""
    rows = eventually(
        lambda: (t := squad.tree()) and all(t[n]["state"] == "idle" for n in "abc") and t, "all agents idle", 15
    )
    return {name: rows[name]["pid"] for name in "abc"}


@pytest.mark.parametrize(
    ("strategy", "replaced"), [("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")]
)
def test_who_is_restarted_with_whom(start: Start, strategy: str, replaced: str) -> None:
    squad = start(THREE + f"supervision: {{groups: {{g: {{strategy: {strategy}, members: [a, b, c]}}}}}}\n")
    before = pids(squad)
    squad.kill("b")
    eventually(lambda: all(squad.pids(n) not in ([], [before[n]]) for n in replaced), f"{replaced} are replaced")
    after = pids(squad)
    assert "".join(name for name in "abc" if after[name] != before[name]) == replaced
    squad.wait(squad.send("c", "echo"))


def test_a_group_shares_one_budget_and_is_quarantined_and_restarted_as_one(start: Start) -> None:
    squad = start(THREE + "supervision: {restarts: {intensity: 1, backoff: 1ms}, groups: {g: {members: [a, b]}}}\n")
    before = pids(squad)
    squad.kill("a")
    eventually(lambda: squad.pids("a") not in ([], [before["a"]]), "a is replaced")
    pids(squad)
    squad.kill("b")
    eventually(lambda: {squad.tree()[n]["state"] for n in "ab"} == {"quarantined"}, "both are quarantined")
    assert squad.pids("c") == [before["c"]]
    squad.cli("restart", "a")
    pids(squad)


def test_work_in_hand_survives_the_restart_of_a_group_uncharged(start: Start, tmp_path: Path) -> None:
    squad = start(THREE + "supervision: {groups: {g: {members: [a, b]}}}\n")
    begun = tmp_path / "begun"
    task = squad.send("a", "misbehave", {"how": "sleep", "seconds": 0.5, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    squad.kill("b")
    squad.wait(task)
    assert (squad.task(task)["status"], squad.task(task)["attempts"]) == ("completed", 1)


def test_agents_start_after_what_they_need_and_when_it_is_ready(start: Start, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    config = f"""
agents:
  first: {{class: "AGENTS:Worker", ready_when: {{file: "{flag}", every: 20ms}}}}
  second: {{class: "AGENTS:Worker", after: [first]}}
convoys:
  third: {{class: "AGENTS:Pool", min: 1, after: [second]}}
"""
    path = tmp_path / "squad.yaml"
    path.write_text(config.replace("AGENTS", str(Path(__file__).parent / "squads" / "agents.py")))
    squad = RunningSquad(tmp_path / "home", path)
    try:
        with pytest.raises(AssertionError, match="not within"):
            squad.start(timeout=2)
        names = ("first", "second", "third-1")
        waiting = ["starting", "waiting", "waiting"]
        eventually(lambda: (t := squad.tree()) and [t[n]["state"] for n in names] == waiting, "the first is awaited")
        assert squad.tree()["second"]["last_error"] == ""
        flag.touch()
        squad.wait_ready(30)
        rows = squad.tree()
        assert rows["first"]["since"] <= rows["second"]["started"] <= rows["third-1"]["started"]
        assert squad.stop() == 0
    finally:
        squad.end_everything()


def test_a_command_says_when_an_agent_is_ready(start: Start) -> None:
    squad = start('agents: {one: {class: "AGENTS:Worker", ready_when: {command: [/bin/true]}}}\n')
    assert squad.tree()["one"]["state"] == "idle"


def test_an_agent_that_never_gets_ready_says_what_it_waited_for(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "squad.yaml"
    agents = Path(__file__).parent / "squads" / "agents.py"
    path.write_text(
        f"agents: {{one: {{class: '{agents}:Worker', restarts: {{intensity: 0}}, "
        "ready_when: {command: [sh, -c, 'echo no database >&2; exit 3'], every: 20ms, within: 100ms}}}\n"
    )
    squad = RunningSquad(tmp_path / "home", path)
    try:
        with pytest.raises(AssertionError, match="not within"):
            squad.start(timeout=3)
        row = eventually(lambda: (r := squad.tree().get("one")) and r["state"] == "quarantined" and r, "quarantined")
        assert "not ready within 0.1 s: sh ended with status 3: no database" in row["last_error"]
    finally:
        squad.end_everything()


@pytest.mark.parametrize(
    ("kind", "after_the_end", "after_a_crash"),
    [("permanent", "again", "again"), ("transient", "stopped", "again"), ("temporary", "stopped", "stopped")],
)
def test_restart_types(start: Start, kind: str, after_the_end: str, after_a_crash: str) -> None:
    squad = start(f'agents: {{one: {{class: "AGENTS:Worker", restart: {kind}}}}}\n')

    def becomes(expected: str, before: int) -> None:
        if expected == "stopped":
            eventually(lambda: squad.tree()["one"]["state"] == "stopped", "stopped")
            squad.cli("restart", "one")
        eventually(lambda: squad.pids("one") not in ([], [before]), "another process")
        eventually(lambda: squad.tree()["one"]["state"] == "idle", "ready")

    (before,) = squad.pids("one")
    task = squad.send("one", "misbehave", {"how": "finish"})
    squad.wait(task)
    assert json.loads(squad.task(task)["result"]) == "done"
    becomes(after_the_end, before)
    becomes(after_a_crash, squad.kill("one"))
    squad.wait(squad.send("one", "echo"))


def test_an_agents_own_shutdown_time_counts(start: Start, tmp_path: Path) -> None:
    squad = start('agents: {one: {class: "AGENTS:Worker", shutdown: 200ms}}\n')
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "sleep", "seconds": 60, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    assert squad.stop(timeout=10) == 0
    assert squad.task(task)["status"] == "queued"
