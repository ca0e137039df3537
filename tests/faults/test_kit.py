"""The fault kit itself: a short run of it, and whether its check sees what it is there to see."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from squad.verify import Plan, Report, ledger, runs, strikes, verify
from squad.verify.producer import Sent
from squad.verify.targets import alive
from squad.verify.workload import orders
from tests.running import ROOT, eventually


@dataclass
class Run:
    report: Report
    folder: Path

    def check(self, database: Path) -> list[str]:
        sent = Sent()
        for journal in (self.folder / "work").glob("*.journal"):
            sent.read(journal)
        return ledger.check(database, sent, runs.read(self.folder / "work")).violations


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of half a minute on a quiet machine."""
    folder = tmp_path_factory.mktemp("kit")
    return Run(verify(Plan(seed=1, seconds=8, kills=55, rounds=1), folder, print), folder)


@pytest.mark.timeout(600)
def test_nothing_is_lost_done_twice_or_left_behind(run: Run) -> None:
    report = run.report
    assert report.violations == []
    assert report.killed.total() >= 55
    assert report.account.acknowledged
    assert report.account.completed
    assert set(report.recovery) == {"agent", "storage", "tree", "launcher"}
    assert {growth.name for growth in report.growth} >= {"launcher", "admin", "supervisor"}
    assert alive(run.folder / "home") == {}


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_a_thousand_kills(tmp_path: Path) -> None:
    report = verify(Plan(seed=2, seconds=1500, kills=1000, rounds=100), tmp_path, print)
    assert report.violations == []
    assert report.killed.total() >= 1000


# -- the check sees what is wrong ------------------------------------------------------------------------------------

FORGED = (
    "INSERT INTO tasks (task_id, root_id, parent_id, sender, recipient, type, payload, status, completed_at, attempts)"
)
TAMPERED = {
    "lost": ("DELETE FROM tasks WHERE id = (SELECT id FROM tasks WHERE sender = 'verify' LIMIT 1)", "lost: "),
    "unknown": (f"{FORGED} VALUES ('x', 'x', NULL, 'y', 'book', 'tick', '{{}}', 'completed', 't', 1)", "nobody sent x"),
    "twice": (
        FORGED  # noqa: S608 - constants
        + " SELECT 'x', root_id, parent_id, sender, recipient, type, payload, status, completed_at, attempts"
        " FROM tasks WHERE type = 'booked' AND status = 'completed' LIMIT 1",
        "too much: ",
    ),
    "missing": ("DELETE FROM tasks WHERE id = (SELECT MAX(id) FROM tasks WHERE type = 'booked')", "missing: "),
    "open": ("UPDATE tasks SET status = 'queued' WHERE sender = 'teller'", "has not ended: it is queued"),
    "reason": (
        "UPDATE tasks SET status = 'failed' WHERE id = (SELECT id FROM tasks WHERE type = 'booked' LIMIT 1)",
        "is a dead letter without a reason",
    ),
    "attempts": (
        "UPDATE tasks SET attempts = attempts + 1 WHERE id = (SELECT MIN(id) FROM tasks WHERE status = 'completed')",
        "attempts, and ",
    ),
    "state": (
        "UPDATE agent_state SET state = json_set(state, '$.count', json_extract(state, '$.count') + 1)",
        "the state of book says count",
    ),
    "payload": (
        "UPDATE tasks SET payload = json_set(payload, '$.amount', 12345)"
        " WHERE id = (SELECT MIN(id) FROM tasks WHERE sender = 'verify')",
        "has another payload than what was sent",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_the_check_sees(run: Run, tmp_path: Path, what: str) -> None:
    statement, expected = TAMPERED[what]
    database = tmp_path / "squad.db"
    shutil.copy(run.folder / "home" / "squad.db", database)
    with closing(sqlite3.connect(database)) as raw, raw:
        assert raw.execute(statement).rowcount
    violations = run.check(database)
    assert any(expected in violation for violation in violations), violations


def test_the_check_sees_a_completion_without_a_run(run: Run, tmp_path: Path) -> None:
    sent = Sent()
    for journal in (run.folder / "work").glob("*.journal"):
        sent.read(journal)
    known = runs.read(run.folder / "work")
    task = next(task for task, row in ((t, t) for t in known.ended) if row)
    del known.ended[task]
    known.begun["stranger"] += 1
    violations = ledger.check(run.folder / "home" / "squad.db", sent, known).violations
    assert f"{task} has completed, and no handler of it came to its end" in violations
    assert "a handler ran for stranger, which is not in the store" in violations


# -- the plan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [lambda seed: strikes.storm(seed, 1.0), lambda seed: strikes.drizzle(seed, 1.0)])
def test_a_seed_repeats_its_strikes(plan: Callable[[str], strikes.Strike]) -> None:
    first, again, other = (list(islice(plan(seed), 50)) for seed in ("1", "1", "2"))  # type: ignore[call-overload]
    assert first == again != other


def test_a_seed_repeats_what_is_sent() -> None:
    first, again = ([order.payload for order in islice(orders("1", 0, 2), 50)] for _ in range(2))
    assert first == again
    assert not {order.payload["entry"] for order in islice(orders("1", 1, 2), 50)} & {p["entry"] for p in first}


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """``squad verify`` whose squad is up, and the folder that it uses."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "squad.cli", "verify", "--minutes", "10", "--seed", "1"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        (folder,) = eventually(lambda: list(tmp_path.glob("squad-verify-*")), "its folder")
        eventually(lambda: len(alive(folder / "home")) > 3, "its squad runs")
        yield process, folder
        process.kill()


def test_an_interruption_leaves_nothing(running: tuple[subprocess.Popen[str], Path]) -> None:
    process, folder = running
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert not folder.exists()
    assert alive(folder / "home") == {}


def test_the_death_of_the_kit_is_that_of_its_squad(running: tuple[subprocess.Popen[str], Path]) -> None:
    process, folder = running
    process.kill()
    eventually(lambda: not alive(folder / "home"), "nothing is left")
