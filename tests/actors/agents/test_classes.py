"""Every class of failure: what the message's attempt and the end of the process are called, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT, RunningSquad, eventually

CONFIG = """
monitor: {interval: 200ms}
supervision:
  restarts: {intensity: 0}
  health: {interval: 500ms, timeout: 1s, hung_after: 7s}
agents:
"""
MORE = {
    "rate-limited": "send_rate: {per_minute: 1, burst: 2, when_empty: raise}",
    "timeout": "timeout: 500ms",
    "ceiling": "max_memory_mb: 200",
    "start": "options: {unless: NO_START}",
}
NAMES = ("error", "refused", "retry-at", "rate-limited", "timeout", "crash", "ceiling", "start", "hung")


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    """One agent for each class. None may be restarted: who spends a restart is quarantined."""
    folder = tmp_path_factory.mktemp("classes")
    failing = ROOT / "tests" / "actors" / "squads" / "failing.py"
    agents = [
        f'  {name}: {{class: "{failing}:Failing", retry: {{max_attempts: 1}}, {MORE.get(name, "send_rate: none")}}}\n'
        for name in NAMES
    ]
    config = folder / "squad.yaml"
    config.write_text(CONFIG + "".join(agents).replace("NO_START", str(folder / "no-start")))
    with RunningSquad(folder / "home", config) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "outcome", "cause", "spends"),
    [
        ("error", "error", None, False),
        ("refused", "refused", None, False),
        ("timeout", "timeout", "timeout", False),
        ("crash", "crash", "crash", True),
        ("ceiling", "ceiling", "ceiling", True),
        ("hung", "hung", "hung", True),
    ],
)
def test_what_costs_an_attempt(squad: RunningSquad, name: str, outcome: str, cause: str | None, spends: bool) -> None:
    task = squad.send(name, "fail", {"how": name})
    squad.wait(task)
    row = squad.task(task)
    assert (row["status"], row["attempts"]) == ("failed", 1)
    assert [r[0] for r in squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"])] == [outcome]
    _ended(squad, name, cause, spends)


@pytest.mark.parametrize(("name", "text"), [("retry-at", "not yet"), ("rate-limited", "rate limited: ")])
def test_what_is_put_off(squad: RunningSquad, name: str, text: str) -> None:
    if name == "rate-limited":
        squad.wait(squad.send(name, "fail", {"how": name}))  # takes what the bucket holds
    task = squad.send(name, "fail", {"how": name})
    row = eventually(lambda: (r := squad.task(task))["not_before"] and r, "it is put off")
    assert (row["status"], row["attempts"]) == ("queued", 0)
    assert row["error_message"].startswith(text)
    assert not squad.query("SELECT 1 FROM attempts WHERE task_row = ?", row["id"])
    assert f"put it off ({text}" in squad.cli("inspect", "--why", task).stdout
    shown = squad.cli("message", "show", task).stdout
    assert "Put off" in shown
    assert "Error" not in shown
    _ended(squad, name, None, spends=False)


def test_what_cannot_start(squad: RunningSquad) -> None:
    (Path(squad.home).parent / "no-start").touch()
    squad.cli("restart", "start")
    _ended(squad, "start", "start", spends=True)
    task = squad.send("start", "fail", {"how": "error"})
    assert "start has been quarantined (start) for" in squad.cli("inspect", "--why", task).stdout
    assert "quarantined (start)" in squad.cli("inspect", status=None).stdout


def _ended(squad: RunningSquad, name: str, cause: str | None, spends: bool) -> None:
    wanted = "quarantined" if spends else "idle", cause  # its process may end some time after the message did
    row = eventually(
        lambda: ((r := squad.tree()[name])["state"], r["last_cause"]) == wanted and r, f"{name} is {wanted}"
    )
    assert row["restarts"] == int(cause is not None and not spends)
    if cause is not None:
        kind = "quarantined" if spends else "restarted"
        query = "SELECT detail FROM events WHERE kind = ? AND subject = ?"
        events = eventually(lambda: squad.query(query, kind, name), "the event is recorded")
        assert [json.loads(event[0])["cause"] for event in events] == [cause]
