"""The gateway in a real squad: its deaths, its ends, and what it makes of a broken class."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from squad.actors.gateway.actor import catalogue_of
from squad.client import Client
from squad.config.load import parse
from squad.errors import Problem
from squad.home import Home
from tests.running import RunningSquad, eventually

Start = Callable[[str], RunningSquad]
ONE = 'agents:\n  one: {class: "AGENTS:Worker", send_rate: none}\n'
LATER = {"recipient": "one", "type": "echo", "payload": {}, "delay": 3600}


def test_sends_go_on_while_gateway_and_storage_are_killed(start: Start) -> None:
    squad = start(ONE)
    stored: list[str] = []
    stop = threading.Event()

    def send() -> None:
        with Client(Home(squad.home), patience=60) as client:
            while not stop.is_set():
                stored.append(client.submit(LATER).id)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for name in ("gateway", "storage", "gateway"):
            begun = len(stored)
            eventually(lambda begun=begun: len(stored) > begun + 30, "sends")  # type: ignore[misc]
            squad.kill(name)
    finally:
        begun = len(stored)
        eventually(lambda: len(stored) > begun + 30 or not any(t.is_alive() for t in threads), "sends")
        stop.set()
        for thread in threads:
            thread.join(30)
    found = [row[0] for row in squad.query("SELECT task_id FROM tasks")]
    assert len(found) == len(set(found))
    assert set(stored) <= set(found)
    assert len(stored) == len(set(stored)) > 120
    assert squad.tree()["gateway"]["restarts"] == 2


def test_a_wait_outlives_the_storage(start: Start) -> None:
    squad = start(ONE)
    task = squad.send("one", "misbehave", {"how": "sleep", "seconds": 1.5})
    done: list[bool] = []
    with Client(Home(squad.home)) as client:
        waiting = threading.Thread(target=lambda: done.append(client.wait(task, timeout=60)))
        waiting.start()
        squad.kill("storage")
        waiting.join(60)
    assert done == [True]
    assert squad.task(task)["status"] == "completed"


def test_a_gateway_that_is_stopped_is_replaced(start: Start) -> None:
    """It does not answer its health checks, so it is killed; the next one takes the socket over."""
    squad = start(ONE + "supervision: {health: {interval: 200ms, timeout: 1s, hung_after: 4s}}\n")
    before = squad.kill("gateway", signal.SIGSTOP)
    eventually(lambda: squad.pids("gateway") not in ([], [before]), "another gateway")
    squad.wait(squad.send("one", "echo"))


def test_a_restart_of_the_gateway_by_hand_happens_once(start: Start) -> None:
    squad = start(ONE)
    (before,) = squad.pids("gateway")
    squad.cli("restart", "gateway")
    eventually(lambda: squad.pids("gateway") not in ([], [before]), "another gateway")
    (after,) = squad.pids("gateway")
    squad.wait(squad.send("one", "echo"))
    assert squad.pids("gateway") == [after]


def test_a_home_with_a_long_path(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    config = tmp_path / "squad.yaml"
    agents = Path(__file__).parents[1] / "squads" / "agents.py"
    config.write_text(ONE.replace("AGENTS", str(agents)))
    with RunningSquad(home, config) as squad:
        squad.wait(squad.send("one", "echo"))
        path = Path((home / "control.path").read_text().strip())
        assert path.is_socket() and len(str(path)) < 108
        assert "one" in squad.cli("inspect", status=None).stdout
    assert not path.exists()


def test_a_class_that_does_not_import_closes_its_own_mailbox_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])  # resolving puts the folder there
    (tmp_path / "good.py").write_text(
        "from squad import Agent, handles, message\n"
        "@message('m')\nclass M:\n    n: int = 0\n"
        "class Good(Agent):\n    @handles(M)\n    def m(self, msg, ctx): ...\n"
    )
    (tmp_path / "bad.py").write_text("import not_there_at_all\n")
    config = parse(
        'agents:\n  good: {class: "./good.py:Good"}\n  bad: {class: "./bad.py:Bad"}\n',
        name="squad.yaml",
        base_dir=tmp_path,
    )
    catalogue = catalogue_of(config)
    assert not isinstance(catalogue.find("good", "m"), Problem)
    found = catalogue.find("bad", "m")
    assert isinstance(found, Problem)
    assert "not_there_at_all" in found.what
