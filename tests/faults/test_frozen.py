"""Processes that are stopped (SIGSTOP) instead of killed: their leases pass on, and nobody believes them afterwards."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from squad.actors.protocol import Deliver, Ready, Released, Settle
from tests.actors.a_storage import Storage, done, task
from tests.running import ROOT, RunningSquad, eventually

AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = """
agents:
  one: {class: "AGENTS:Worker", send_rate: none}
convoys:
  pool: {class: "AGENTS:Pool", min: 2, max: 2, send_rate: none}
supervision: {health: {interval: 200ms, timeout: 500ms, hung_after: 3s}}
"""


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    config = tmp_path / "squad.yaml"
    config.write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    with RunningSquad(tmp_path / "home", config) as made:
        yield made


@contextmanager
def stopped(squad: RunningSquad, *pids: int) -> Iterator[None]:
    """Stop them, and let them go on at the end, those that are still there."""
    for pid in pids:
        assert squad.signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            squad.signal(pid, signal.SIGCONT)


def test_a_lease_passes_from_a_frozen_worker_to_another(squad: RunningSquad, tmp_path: Path) -> None:
    sent = squad.send("pool", "misbehave", {"how": "", "path": str(tmp_path / "end")})
    owner = eventually(lambda: squad.task(sent)["lease_owner"], "a worker has it")
    first = squad.task(sent)["fence"]
    frozen = squad.tree()[owner.rpartition(".")[0]]["pid"]
    with stopped(squad, frozen):
        eventually(lambda: squad.task(sent)["lease_owner"] not in (None, owner), "another worker has it")
        (tmp_path / "end").touch()
        squad.wait(sent)
        row = squad.task(sent)
        assert row["status"] == "completed"
        assert row["fence"] > first
        # It is killed first and released then, so it never wakes: what it could say is tried below.
        assert frozen not in squad.processes()
    sql = "SELECT outcome, worker, error FROM attempts WHERE task_row = ? ORDER BY id"
    failure, *_ = squad.query(sql, row["id"])
    assert (failure["outcome"], failure["worker"]) == ("hung", owner)
    assert "hung" in failure["error"]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    made = Storage(tmp_path / "squad.db")
    yield made
    made.close()


@pytest.mark.parametrize("restarted", [False, True], ids=["the same storage", "another storage"])
def test_the_late_word_of_a_worker_that_wakes_is_refused(storage: Storage, restarted: bool) -> None:
    """Under its own name and fence, and under the name of the worker that has the message now."""
    post = storage.post
    row = storage.submit(task())
    storage.put(Ready("a", "a.1", 1), "frozen")
    (old,) = post.until(lambda: post.leases("frozen"))
    storage.put(Released("a.1", (old.row, old.fence), "hung"))
    storage.put(Ready("a", "a.2", 1), "other")
    (new,) = post.until(lambda: post.leases("other"))
    assert (new.row, new.task_id) == (old.row, row.results[0].task_id)
    assert new.fence > old.fence
    if restarted:
        storage.close()
        storage.open(alive=["a.2"])
    late = done(old, sends=(task("b"),), state='{"n": 1}', state_version=0)
    for worker, address in (("a.1", "frozen"), ("a.2", "forged")):
        storage.put(Settle("a", worker, (late,)), address)
    storage.put(Ready("a", "a.2", 1, held=(new.claim,)), "other")
    storage.put(Settle("a", "a.2", (done(new),)), "other")
    answers = post.until(lambda: [m for m in post.of("other", Deliver) if (new.row, new.fence, True) in m.settled])
    assert answers
    for address in ("frozen", "forged", "other"):
        assert (old.row, old.fence, True) not in post.settled(address)
    storage.close()
    storage.open(alive=None)
    assert storage.writer.state("a") == (0, "{}")
    assert storage.writer.depths == {}
    assert storage.writer.ended(old.task_id)


def test_a_frozen_supervisor_is_replaced_with_all_below_it(squad: RunningSquad) -> None:
    frozen = squad.kill("supervisor", signal.SIGSTOP)
    eventually(lambda: frozen not in squad.processes(), "the launcher has noticed")
    squad.wait_ready()
    squad.wait(squad.send("one", "echo"))


@pytest.mark.slow
def test_a_squad_that_was_stopped_as_a_whole_goes_on_as_it_was(squad: RunningSquad) -> None:
    """As Ctrl-Z does it, or a debugger. The supervisor was not awake, so nobody was silent.

    (tests/actors/supervision/test_health.py says the same of the decision alone, which no busy machine can disturb.)
    """
    before = {name: row["pid"] for name, row in squad.tree().items()}
    with stopped(squad, *squad.processes()):
        frozen = time.monotonic()
        eventually(lambda: time.monotonic() - frozen > 4, "longer than hung_after")
    sent = squad.send("one", "echo")
    squad.wait(sent)
    after = {name: (row["pid"], row["restarts"]) for name, row in squad.tree().items()}
    assert after == {name: (pid, 0) for name, pid in before.items()}
