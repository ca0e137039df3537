"""The databases that earlier versions left behind: brought up to date, nothing lost, and a squad goes on with them.

Each was left by a squad that was killed with work in hand; see ``tests.store.releases.make``.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from squad.config.schema import StoreConfig
from squad.store.upkeep import Upkeep
from squad.store.writer import Writer
from tests.running import RunningSquad, eventually
from tests.store.releases.make import AGENTS, CONFIG

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.sql"))
NAMES = [file.stem for file in RELEASES]
_INCREMENTAL = 2  # what auto_vacuum is in every release; a dump does not say


def left_behind(release: Path, path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
        database.executescript(release.read_text())
        database.execute("PRAGMA journal_mode = WAL")
    return path


def messages(path: Path) -> list[dict[str, object]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM tasks ORDER BY id")]


def state_of_the_worker(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (state,) = database.execute("SELECT state FROM agent_state WHERE agent = 'worker'").fetchone()
    return int(json.loads(state)["seen"])


@pytest.mark.parametrize("release", RELEASES, ids=NAMES)
def test_every_message_is_kept_and_nothing_contradicts_itself(release: Path, tmp_path: Path) -> None:
    path = left_behind(release, tmp_path / "squad.db")
    before = messages(path)
    Writer(path, StoreConfig()).close()
    after = messages(path)
    assert [{name: row[name] for name in old} for old, row in zip(before, after, strict=True)] == before
    running = {row["lease_owner"] for row in before if row["status"] == "running"}
    assert len(running) == 1
    assert Upkeep(path).examine(full=True, workers={str(worker) for worker in running}).faults == []


@pytest.mark.parametrize("release", RELEASES, ids=NAMES)
def test_a_squad_of_this_version_goes_on(release: Path, tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text(AGENTS)
    config = tmp_path / "squad.yaml"
    config.write_text(CONFIG)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    left_behind(release, home / "squad.db").chmod(0o600)
    before = {str(row["task_id"]): row for row in messages(home / "squad.db")}
    dead = sum(row["status"] == "failed" for row in before.values())
    seen = state_of_the_worker(home / "squad.db")
    (in_hand,) = [task for task, row in before.items() if row["status"] == "running"]
    (paused,) = [task for task, row in before.items() if row["status"] == "queued" and row["recipient"] == "teller"]
    with RunningSquad(home, config) as squad:
        assert squad.task(paused)["status"] == "queued"  # its agent is on hold as it was
        squad.cli("resume", "teller")
        squad.wait(paused)
        assert squad.task(paused)["status"] == "completed"
        eventually(lambda: squad.task(in_hand)["status"] == "running", "handled again")
        squad.cli("message", "cancel", in_hand)
        squad.wait(squad.send("worker", "count"), tree=True)
        assert state_of_the_worker(home / "squad.db") == seen + 1
        assert json.loads(squad.cli("dead", "list", "-o", "json").stdout)["total"] == dead == 2
