"""What a changed configuration means, and that a reload does only that, with a real squad."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from squad.actors.supervision.reloading import Deployment, plan
from squad.config.load import parse
from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually

BASE = """
agents:
  a: {class: "./agents.py:Worker", send_rate: none}
  b: {class: "./agents.py:Worker", send_rate: none}
convoys:
  pool: {class: "./agents.py:Pool", min: 1, max: 3}
"""
NEW = "  c: {class: './agents.py:Worker'}\nconvoys:"


def planned(new: str, old: str = BASE, **prints: str) -> dict[str, Any]:
    def deployment(text: str) -> Deployment:
        config = parse(text, name="squad.yaml", base_dir=Path("/nowhere"))
        return Deployment.of(config, {name: frozenset({"echo"}) for name in config.recipients})

    was, now = deployment(old), deployment(new)
    made = plan(was, Deployment(now.config, now.recipients, {**now.prints, **prints}))
    return {key: value for key, value in made.shown().items() if value}


def test_nothing_changed() -> None:
    assert planned(BASE) == {}


def test_starts_and_stops() -> None:
    found = planned(BASE.replace("  b:", "  c:"))
    assert (found["start"], found["stop"]) == (["c"], ["b"])
    assert [r["name"] for r in found["restart"]] == ["gateway"]


def test_an_agent_that_became_a_convoy_is_another() -> None:
    found = planned('agents: {a: {class: "./agents.py:Worker"}}', 'convoys: {a: {class: "./agents.py:Worker"}}')
    assert (found["start"], found["stop"]) == (["a"], ["a"])


def test_what_an_agent_reads_itself_restarts_it() -> None:
    found = planned(BASE.replace("a: {", "a: {timeout: 5s, options: {x: 1}, "))
    assert found["restart"][0] == {"name": "a", "reason": "options, timeout changed"}
    assert "start" not in found


def test_a_changed_type_restarts_who_handles_it() -> None:
    old = BASE + "types: {echo: {fields: {text: str}}, other: {fields: {}}}\n"
    assert planned(old, old) == {}
    found = planned(old.replace("text: str", "text: int"), old)
    assert found["restart"][0] == {"name": "a", "reason": "the type echo changed"}
    assert [one["name"] for one in found["restart"]] == ["a", "b", "pool", "gateway"]
    assert planned(old.replace("other: {fields: {}}", "other: {fields: {n: int}}"), old) == {}
    assert planned(old.replace("{text: str}", "{text: str}, retry: {max_attempts: 1}"), old) == {
        "change": ["types.echo: retry"]
    }


@pytest.mark.parametrize("key", ["", "max_memory_mb: 500", "max_cpu_percent: 50"])
def test_the_monitor_hears_of_the_ceiling_of_a_new_agent(key: str) -> None:
    found = planned(BASE.replace("convoys:", f"  c: {{class: './agents.py:Worker', {key}}}\nconvoys:"))
    assert ("monitor" in [one["name"] for one in found["restart"]]) == bool(key)


def test_edited_code_restarts_its_agents() -> None:
    found = planned(BASE, a="another")
    assert found["restart"][0] == {"name": "a", "reason": "its code changed"}


@pytest.mark.parametrize("key", ["restart: transient", "shutdown: 5s", "after: [b]", "retry: {max_attempts: 9}"])
def test_what_others_read_changes_without_a_restart(key: str) -> None:
    assert planned(BASE.replace("a: {", f"a: {{{key}, ")) == {"change": [f"a: {key.partition(':')[0]}"]}


def test_another_transport_is_for_the_next_start() -> None:
    found = planned(BASE + "runtime: {transport: insecure-tcp}\n")
    assert found == {"change": ["runtime: transport, at the next start of the squad"]}


def test_how_long_what_is_kept_changes_at_once() -> None:
    assert planned(BASE + "maintenance: {messages: 1d}\n") == {"change": ["maintenance: messages"]}


def test_the_bounds_of_a_convoy() -> None:
    found = planned(BASE.replace("max: 3", "max: 9"))
    assert found["resize"] == [{"name": "pool", "min": 1, "max": 9}]
    assert [r["name"] for r in found["restart"]] == ["monitor"]


@pytest.mark.parametrize(
    ("section", "core"),
    [
        ("store: {synchronous: NORMAL}", ["storage"]),
        ("dashboard: {hosts: [squad.example.org]}", ["gateway"]),
        ("metrics: {listen: '127.0.0.1:0'}", ["gateway"]),
        ("limits: {max_payload: 1kB}", ["gateway"]),
        ("monitor: {interval: 9s}", ["monitor"]),
        ("logging: {level: DEBUG}", ["gateway", "monitor"]),
    ],
)
def test_sections_and_who_reads_them(section: str, core: list[str]) -> None:
    assert sorted(r["name"] for r in planned(BASE + section)["restart"]) == core


# -- a real squad ---------------------------------------------------------------------------------------------------


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    shutil.copy(AGENTS, tmp_path / "agents.py")
    config = tmp_path / "squad.yaml"
    config.write_text(BASE)
    with RunningSquad(tmp_path / "home", config) as made:
        yield made


def edit(squad: RunningSquad, change: Callable[[str], str]) -> None:
    assert squad.config is not None
    squad.config.write_text(change(squad.config.read_text()))


def test_a_reload_does_what_its_dry_run_says_and_loses_nothing(squad: RunningSquad, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    slow = squad.send("a", "misbehave", {"how": "sleep", "seconds": 0.5, "path": str(begun)})
    waiting = [squad.send(name, "count") for name in ("a", "b") for _ in range(20)]
    (a,), (b,), (gateway,) = squad.pids("a"), squad.pids("b"), squad.pids("gateway")
    edit(
        squad,
        lambda t: t.replace("a: {", "a: {options: {x: 1}, ").replace(
            "convoys:", "  c: {class: './agents.py:Worker'}\nconvoys:"
        ),
    )
    shown = json.loads(squad.cli("reload", "--dry-run", "-o", "json").stdout)
    assert (shown["start"], shown["stop"], shown["done"]) == (["c"], [], False)
    assert {"name": "a", "reason": "options changed"} in shown["restart"]
    assert squad.pids("a") == [a]
    said = squad.cli("reload").stdout
    assert "start" in said
    for task in [slow, *waiting]:
        squad.wait(task)
        assert (squad.task(task)["status"], squad.task(task)["attempts"]) == ("completed", 1)
    eventually(lambda: squad.pids("a") not in ([], [a]), "a is another process")
    eventually(lambda: squad.pids("gateway") not in ([], [gateway]), "the gateway, too")
    assert squad.pids("b") == [b]
    eventually(lambda: (squad.health() or {}).get("ready"), "ready")
    squad.wait(squad.send("c", "echo"))


def test_what_is_taken_out_stops_and_keeps_its_messages(squad: RunningSquad, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    squad.send("b", "misbehave", {"how": "sleep-unless-cancelled", "seconds": 600, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    kept = squad.send("b", "count")
    before = squad.config.read_text() if squad.config else ""
    (gateway,) = squad.pids("gateway")
    edit(squad, lambda t: "".join(line for line in t.splitlines(True) if not line.startswith("  b:")))
    squad.cli("reload")
    eventually(lambda: (tree := squad.tree()) and "b" not in tree, "b is gone")
    eventually(lambda: squad.pids("gateway") not in ([], [gateway]), "the gateway knows it no more")
    assert squad.task(kept)["status"] == "queued"
    refused = squad.cli("send", "b", "count", status=2)
    assert "'b'" in refused.stderr
    edit(squad, lambda t: before)
    squad.cli("reload")
    squad.wait(kept)


def test_a_configuration_with_mistakes_leaves_the_squad_alone(squad: RunningSquad) -> None:
    before = squad.tree()
    edit(squad, lambda t: t.replace("send_rate: none", "sned_rate: none").replace("min: 1", "min: 0"))
    refused = squad.cli("reload", status=4)
    assert "squad.yaml:3" in refused.stderr
    assert "squad.yaml:6" in refused.stderr
    edit(squad, lambda t: BASE.replace("agents.py:Pool", "agents.py:Nobody"))
    assert "Nobody" in squad.cli("reload", status=4).stderr
    after = squad.tree()
    assert {n: row["pid"] for n, row in after.items()} == {n: row["pid"] for n, row in before.items()}


def test_a_tree_that_is_started_again_runs_what_was_reloaded(squad: RunningSquad) -> None:
    edit(squad, lambda t: t.replace("convoys:", NEW))
    squad.cli("reload")
    eventually(lambda: squad.tree().get("c", {}).get("state") == "idle", "c")
    edit(squad, lambda t: "not: [valid")
    before = squad.kill("supervisor")
    eventually(lambda: squad.pids("supervisor") not in ([], [before]), "another tree")
    eventually(lambda: squad.tree().get("c", {}).get("state") == "idle", "c again")


def test_nothing_to_do_is_said(squad: RunningSquad) -> None:
    assert "nothing" in squad.cli("reload").stdout.lower()
