"""Whoever dies in the middle of a maintenance: nothing is moved by half, and it goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.config.schema import StoreConfig
from squad.store.upkeep import report
from squad.store.writer import Writer
from tests.faults.test_commit_points import DyingSquad
from tests.running import ROOT, eventually
from tests.store.old import DAY, Old, fill

AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = """
agents:
  one: {class: "AGENTS:Worker", send_rate: none}
supervision: {restarts: {intensity: 1000, backoff: 1ms, cap: 5ms}}
maintenance: {schedule: none}
"""
OLD = 3000


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[DyingSquad]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    Writer(home / "squad.db", StoreConfig()).close()
    ended = time.time() - 40 * DAY
    fill(home / "squad.db", [Old(ended, status="failed" if n % 3 == 0 else "completed") for n in range(OLD)])
    config = tmp_path / "squad.yaml"
    config.write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    with DyingSquad(home, config) as made:
        yield made


def moved(squad: DyingSquad) -> int:
    """How many are in the archive; each message is in one of the two tables, with its attempts."""
    counts = (
        "SELECT (SELECT COUNT(*) FROM tasks_archive), (SELECT COUNT(*) FROM tasks WHERE type = 't'),"
        " (SELECT COUNT(*) FROM attempts), (SELECT COUNT(*) FROM attempts_archive),"
        " (SELECT COUNT(*) FROM tasks WHERE status = 'failed')"
    )
    archived, left, attempts, old_attempts, dead = squad.query(counts)[0]
    assert archived + left == OLD
    assert (attempts, attempts + old_attempts) == (dead, OLD / 3)
    return int(archived)


def test_a_maintenance_that_is_interrupted(squad: DyingSquad) -> None:
    squad.order("before archive\nafter archive\nafter archive all")  # each in another slice
    squad.request("POST", "/v1/maintenance", {"what": "run"})

    def died() -> bool:
        assert 0 <= moved(squad) < OLD  # while there is an order there is a slice to come
        return squad.died()

    eventually(died, "the storage has died before a slice was committed, and twice after it")
    squad.launcher.wait(60)
    squad.assert_nothing_left()
    assert 0 < moved(squad) < OLD
    assert squad.cli("maintenance", "check", "--full").stdout == ""
    squad.start()
    task = squad.sent("count")
    last = eventually(lambda: report.progress(squad.home / "squad.db").last, "it is over")
    assert last.removed.archived == moved(squad) == OLD
    squad.wait(task)
    assert squad.cli("maintenance", "check", "--full").stdout == ""
    assert len(squad.query("SELECT 1 FROM events WHERE kind = 'maintained'")) == 1
    assert squad.query("SELECT messages FROM totals WHERE status = 'completed'")[0][0] == 1
