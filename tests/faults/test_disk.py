"""The disk is full, read-only, broken or slow, while a squad works: nothing acknowledged is lost, and it goes on by
itself once the disk does."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from squad.client import Client
from squad.errors import SquadError
from squad.ids import new_id
from tests.faults.a_disk import Disk
from tests.running import ROOT, RunningSquad, eventually

AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = """
agents:
  one: {class: "AGENTS:Worker", send_rate: none, retry: {backoff: 1ms}}
  two: {class: "AGENTS:Worker", send_rate: none}
"""
FAULTS = {"full": "the disk is full", "broken": "the disk reported an error", "readonly": "the disk reported an error"}


class OnDisk(RunningSquad):
    disk: Disk

    def try_to_send(self, task: str = "") -> str:
        """Its id once it is accepted. Raises SquadError."""
        with Client(self.home, timeout=60) as client:
            message = {"id": task or new_id(), "recipient": "one", "type": "count", "payload": {}}
            return str(client.submit(message).id)

    def refused(self) -> str:
        """Send until it is refused; why."""

        def refusal() -> str:
            try:
                self.accepted.append(self.try_to_send())
            except SquadError as error:
                return f"{error.message} {error.hint}"
            return ""

        return eventually(refusal, "a send is refused")

    def goes_on(self) -> None:
        """Whatever was accepted is completed, in order and once."""

        def accepted() -> str:
            try:
                return self.try_to_send(task)
            except SquadError:
                return ""

        task = new_id()
        self.accepted.append(eventually(accepted, "a send is accepted", 60))
        for one in self.accepted:
            self.wait(one)
        eventually(lambda: (self.health() or {}).get("ready"), "ready again", 60)
        results = self.query("SELECT result FROM tasks WHERE type = 'count' AND status = 'completed' ORDER BY id")
        assert [json.loads(row["result"]) for row in results] == list(range(1, len(results) + 1))
        assert {row["task_id"] for row in self.query("SELECT task_id FROM tasks")} >= set(self.accepted)
        assert self.query("PRAGMA integrity_check")[0][0] == "ok"

    def lives(self) -> dict[str, tuple[Any, Any]]:
        """Who runs: by name its process and how often it was started again."""
        return {name: (row["pid"], row["restarts"]) for name, row in self.tree().items()}

    def state(self, name: str) -> str:
        return str(self.tree().get(name, {}).get("state"))


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnDisk]:
    folder = tmp_path_factory.mktemp("disk")
    config = folder / "squad.yaml"
    config.write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    disk = Disk(folder, folder / "home")
    with OnDisk(folder / "home", config, env=disk.environment) as made:
        made.disk, made.accepted = disk, []
        try:
            yield made
        finally:
            disk.becomes("")
        assert "Traceback" not in made.output()


@pytest.mark.parametrize("fault", list(FAULTS))
def test_it_fails_for_a_while(squad: OnDisk, fault: str) -> None:
    squad.goes_on()
    before = squad.lives()
    hand = squad.home.parent / f"hand-{fault}"
    at_work = squad.send("two", "misbehave", {"how": "wait", "path": str(hand)})
    eventually(hand.exists, "a handler is at work")
    squad.disk.becomes(fault)
    why = squad.refused()
    assert "nothing was queued" in why
    assert FAULTS[fault] in why
    eventually(lambda: squad.state("storage") == "failing", "it is shown")
    for words in (("send", "one", "count", "--data", "{}"), ("message", "cancel", at_work), ("pause", "one")):
        shell = squad.cli(*words, status=1)
        assert FAULTS[fault] in shell.stderr
        assert "nothing was" in shell.stderr
        assert "Traceback" not in shell.stderr
    status = squad.cli("status", status=None)
    assert "failing" in status.stdout
    assert FAULTS[fault] in status.stdout
    (hand.parent / f"{hand.name}.end").touch()  # its outcome comes while nothing can be stored
    eventually(lambda: squad.state("two") == "idle", "the handler has ended")
    assert squad.task(at_work)["status"] == "running"
    told = squad.cli("inspect", "--why", at_work, status=None).stdout
    assert FAULTS[fault] in told
    squad.disk.becomes("")
    squad.wait(at_work)
    assert squad.task(at_work)["status"] == "completed"
    assert squad.task(at_work)["attempts"] == 1
    squad.goes_on()
    assert squad.lives() == before  # nobody has died of it


def test_the_storage_dies_meanwhile(squad: OnDisk) -> None:
    """Its successor cannot write either: it waits, instead of dying again and again."""
    squad.goes_on()
    squad.disk.becomes("full")
    squad.refused()
    supervisor, restarts = squad.lives()["supervisor"][0], squad.lives()["storage"][1]
    before = squad.kill("storage")
    eventually(lambda: squad.lives()["storage"][0] not in (None, before), "another storage")
    squad.disk.becomes("")
    squad.goes_on()
    assert squad.lives()["supervisor"][0] == supervisor
    assert squad.lives()["storage"][1] == restarts + 1


def test_it_is_slow(squad: OnDisk) -> None:
    """Commits wait for the disk; many share one, and nobody is taken for hung."""
    squad.goes_on()
    before = squad.lives()
    squad.disk.becomes("slow")
    threads = [threading.Thread(target=lambda: squad.accepted.append(squad.try_to_send())) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    squad.disk.becomes("")
    squad.goes_on()
    assert squad.lives() == before


@pytest.mark.parametrize("seconds", [0.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_another_program_holds_the_lock(squad: OnDisk, seconds: float) -> None:
    """``seconds``: at least so long, and until somebody who sends is told so."""
    squad.goes_on()
    before = squad.lives()
    answers: list[str] = []

    def insist() -> None:
        try:
            squad.accepted.append(squad.try_to_send())
        except SquadError as error:
            answers.append(error.message)

    with closing(sqlite3.connect(squad.home / "squad.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=insist)
        thread.start()
        eventually(lambda: squad.state("storage") == "failing", "it is shown")
        assert "locked by another process" in squad.tree()["storage"]["last_error"]
        assert squad.health() is not None  # the gateway answers
        thread.join(60)
        assert [answer for answer in answers if "nothing was queued" in answer and "locked" in answer]
        waited = threading.Event()
        waited.wait(max(0.0, seconds - 12.0))
        other.execute("ROLLBACK")
    squad.goes_on()
    assert squad.lives() == before
