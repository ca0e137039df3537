"""A database that gets damaged while its squad runs: it says so and stops; a backup of it is restored."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.client import Client
from squad.errors import SquadError
from tests.running import ROOT, RunningSquad, eventually

AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = """
agents:
  one: {class: "AGENTS:Worker", send_rate: none}
  two: {class: "AGENTS:Worker", send_rate: none}
store: {cache_size: 10, wal_autocheckpoint: 1}
"""


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    config = tmp_path / "squad.yaml"
    config.write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    with RunningSquad(tmp_path / "home", config) as made:
        yield made


def test_a_backup_under_load_brings_back_a_squad_that_was_damaged(squad: RunningSquad, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    ended = threading.Event()
    acknowledged: list[str] = []

    def load() -> None:
        with Client(squad.home, timeout=60) as client:
            while not ended.is_set():
                fan_out = {"recipient": "two", "type": "fan_out", "payload": {"to": "one", "number": 3}}
                acknowledged.append(client.submit(fan_out).id)
                acknowledged.append(client.submit({"recipient": "one", "type": "count", "payload": {}}).id)

    thread = threading.Thread(target=load)
    thread.start()
    eventually(lambda: len(acknowledged) > 50, "there is load")
    before = list(acknowledged)
    made = json.loads(squad.cli("maintenance", "backup", str(backup), "-o", "json").stdout)
    assert made["file"] == str(backup)
    eventually(lambda: len(acknowledged) > len(before) + 20, "there is more of it")
    assert squad.cli("maintenance", "check", "--full").stdout == ""
    refusal = squad.cli("maintenance", "restore", str(backup), "--yes", status=1).stderr
    assert "already runs" in refusal
    ended.set()
    thread.join(60)
    squad.wait(acknowledged[-1])

    spoil(squad.home / "squad.db")
    why = eventually(lambda: refusal_of_a_send(squad), "a send is refused")
    assert "is damaged" in why
    assert f"squad maintenance restore {backup}" in why
    (failed,) = eventually(lambda: (squad.health() or {}).get("failed"), "the supervisor knows it too")
    assert failed["name"] == "storage"
    assert "is damaged" in failed["error"]
    assert squad.tree()["storage"]["state"] == "damaged"
    assert squad.tree()["storage"]["restarts"] == 0
    assert squad.cli("maintenance", "check", status=1).stdout.startswith("fail")
    squad.stop()
    squad.assert_nothing_left()
    assert "Traceback" not in squad.output()

    refusal = squad.cli("start", "--detach", "--config", str(squad.config), status=1).stderr
    assert "is damaged" in refusal
    assert "squad maintenance check" in refusal
    restored = json.loads(squad.cli("maintenance", "restore", str(backup), "--yes", "-o", "json").stdout)
    assert Path(restored["aside"]).exists()
    squad.start()
    assert {row["task_id"] for row in squad.query("SELECT task_id FROM tasks")} >= set(before)
    for task in before:
        squad.wait(task, tree=True)
    counted = squad.query("SELECT result FROM tasks WHERE type = 'count' AND status = 'completed' ORDER BY id")
    assert [json.loads(row["result"]) for row in counted] == list(range(1, len(counted) + 1))
    squad.cli("maintenance", "check", "--full")


def spoil(path: Path) -> None:
    """Everything but the first page, where the file itself is described."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (os.fstat(file.fileno()).st_size - 4096))


def refusal_of_a_send(squad: RunningSquad) -> str:
    with Client(squad.home, timeout=60) as client:
        try:
            client.submit({"recipient": "one", "type": "count", "payload": {}})
        except SquadError as error:
            return error.message
    return ""
