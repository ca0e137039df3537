"""Start order, restart types and strategies, with real squads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually

Start = Callable[[str], RunningSquad]
THREE = """
agents:
  a: {class: "AGENTS:Worker", send_rate: none}
  b: {class: "AGENTS:Worker", send_rate: none}
  c: {class: "AGENTS:Worker", send_rate: none}
"""
GROUPS = """
agents:
  a: {class: "AGENTS:Worker"}
  b: {class: "AGENTS:Worker"}
  c: {class: "AGENTS:Worker"}
  d: {class: "AGENTS:Worker"}
  e: {class: "AGENTS:Worker"}
  f: {class: "AGENTS:Worker"}
  x: {class: "AGENTS:Worker"}
  y: {class: "AGENTS:Worker"}
  z: {class: "AGENTS:Worker"}
supervision:
  groups:
    one: {strategy: one_for_one, members: [a, b, c]}
    all: {strategy: one_for_all, members: [d, e, f]}
    rest: {strategy: rest_for_one, members: [x, y, z]}
"""


def pids(squad: RunningSquad, names: str = "abc") -> dict[str, int]:
    """The processes of the agents, once all of them are ready."""
    rows = eventually(
        lambda: (t := squad.tree()) and all(t[n]["state"] == "idle" for n in names) and t, "all agents idle"
    )
    return {name: rows[name]["pid"] for name in names}


def test_who_is_restarted_with_whom(start: Start) -> None:
    squad = start(GROUPS)
    for names, killed, expected in (("abc", "b", "b"), ("def", "e", "def"), ("xyz", "y", "yz")):
        before = pids(squad, "abcdefxyz")
        squad.kill(killed)
        eventually(lambda: all(squad.pids(n) not in ([], [before[n]]) for n in expected), f"{expected} are replaced")  # noqa: B023
        after = pids(squad, "abcdefxyz")
        assert "".join(name for name in after if after[name] != before[name]) == expected
        squad.wait(squad.send(names[-1], "echo"))


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
    task = squad.send("a", "misbehave", {"how": "wait", "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    squad.kill("b")
    eventually(lambda: squad.tree()["a"]["state"] == "draining", "the rest of the group is to end")
    (tmp_path / "begun.end").touch()
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
    path.write_text(config.replace("AGENTS", str(AGENTS)))
    squad = RunningSquad(tmp_path / "home", path)
    try:
        with pytest.raises(AssertionError, match="not within"):
            squad.start(timeout=1)
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
    path.write_text(
        f"agents: {{one: {{class: '{AGENTS}:Worker', restarts: {{intensity: 0}}, "
        "ready_when: {command: [sh, -c, 'echo no database >&2; exit 3'], every: 20ms, within: 2s}}}\n"
    )
    squad = RunningSquad(tmp_path / "home", path)
    try:
        with pytest.raises(AssertionError, match="not within"):
            squad.start(timeout=1)
        row = eventually(lambda: (r := squad.tree().get("one")) and r["state"] == "quarantined" and r, "quarantined")
        assert "not ready within 2 s: sh ended with status 3: no database" in row["last_error"]
    finally:
        squad.end_everything()


@pytest.fixture(scope="module")
def every_type(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    """A squad with an agent of each restart type, named for it."""
    folder = tmp_path_factory.mktemp("types")
    config = folder / "squad.yaml"
    kinds = ("permanent", "transient", "temporary")
    agents = "".join(f'  {kind}: {{class: "{AGENTS}:Worker", restart: {kind}}}\n' for kind in kinds)
    config.write_text(f"agents:\n{agents}")
    with RunningSquad(folder / "home", config) as squad:
        yield squad


@pytest.mark.parametrize(
    ("kind", "after_the_end", "after_a_crash"),
    [("permanent", "again", "again"), ("transient", "stopped", "again"), ("temporary", "stopped", "stopped")],
)
def test_restart_types(every_type: RunningSquad, kind: str, after_the_end: str, after_a_crash: str) -> None:
    squad = every_type

    def becomes(expected: str, before: int) -> None:
        if expected == "stopped":
            eventually(lambda: squad.tree()[kind]["state"] == "stopped", "stopped")
            squad.cli("restart", kind)
        eventually(lambda: squad.pids(kind) not in ([], [before]), "another process")
        eventually(lambda: squad.tree()[kind]["state"] == "idle", "ready")

    (before,) = squad.pids(kind)
    task = squad.send(kind, "misbehave", {"how": "finish"})
    squad.wait(task)
    assert json.loads(squad.task(task)["result"]) == "done"
    becomes(after_the_end, before)
    becomes(after_a_crash, squad.kill(kind))
    squad.wait(squad.send(kind, "echo"))


def test_an_agents_own_shutdown_time_counts(start: Start, tmp_path: Path) -> None:
    squad = start('agents: {one: {class: "AGENTS:Worker", shutdown: 200ms}}\n')
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "sleep", "seconds": 60, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    assert squad.stop() == 0
    assert squad.task(task)["status"] == "queued"
