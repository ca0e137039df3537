"""``squad maintenance run``, ``prune`` and ``status``, and what is shown of messages in the archive."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from squad.cli import tidying
from squad.home import Home
from squad.store.lock import acquire
from squad.store.times import iso
from squad.store.upkeep import report
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway
from tests.store.old import DAY, Old, fill


@pytest.fixture
def ids(story: Story, home: Home) -> list[str]:
    """A stopped squad's messages: a root and its child that are old, a dead letter that is, and a new one."""
    story.writer.close()
    old = time.time() - 40 * DAY
    return fill(home.database, [Old(old), Old(old, parent=0), Old(old, status="failed"), Old(time.time())])


def document(run: Run, *words: str) -> dict[str, Any]:
    result = run(*words, "-o", "json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def under_way(home: Home, run: dict[str, Any], moved: int = 0, **more: Any) -> None:
    """As a squad leaves it that is stopped in the middle."""
    removed = {"rows": {"tasks": moved}, "archived": moved, "dead": 0, "unsent": 0}
    text = json.dumps({"run": {**run, "step": "messages", "after": ["", 0], "removed": removed}, **more})
    with closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute("INSERT INTO keeper VALUES ('maintenance', ?, '')", (text,))


class TestPrune:
    def test_a_dry_run_writes_nothing(self, run: Run, home: Home, ids: list[str]) -> None:
        before = home.database.read_bytes()
        result = run("maintenance", "prune", "--dry-run")
        assert [line.split() for line in result.stdout.splitlines()] == [
            ["TABLE", "ROWS"],
            ["tasks", "3"],
            ["attempts", "1"],
        ]
        assert "would leave now: 3 messages to the archive, 0 deleted (dead letters among them: 1)" in result.stderr
        assert "nothing was done" in result.stderr
        assert home.database.read_bytes() == before
        assert document(run, "maintenance", "prune", "--dry-run")["rows"] == {"tasks": 3, "attempts": 1}

    def test_as_it_has_said(self, run: Run, home: Home, ids: list[str]) -> None:
        said = document(run, "maintenance", "prune", "--dry-run")
        done = document(run, "maintenance", "prune")
        assert (done["rows"], done["archived"], done["dead"]) == (said["rows"], said["archived"], said["dead"])
        assert (done["why"], done["what"], done["rebuilt"]) == ("hand", "prune", False)
        assert run("maintenance", "check", "--full").exit_code == 0
        result = run("maintenance", "prune", "--dry-run")
        assert result.stdout == ""
        assert "0 messages to the archive" in result.stderr

    def test_an_open_tree_is_told_of(self, run: Run, home: Home, story: Story) -> None:
        story.writer.close()
        fill(home.database, [Old(time.time() - 40 * DAY), Old(None, parent=0)])
        assert "1 more are old enough, and stay" in run("maintenance", "prune", "--dry-run").stderr


class TestRun:
    def test_it_says_what_it_has_done(self, run: Run, ids: list[str]) -> None:
        result = run("maintenance", "run")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "3 messages to the archive" in result.stderr

    def test_the_file_is_written_anew(self, run: Run, home: Home, ids: list[str]) -> None:
        fill(home.database, [Old(time.time() - 130 * DAY) for _ in range(200)], payload=f'"{"x" * 5000}"')
        before = home.database.stat().st_size
        result = run("maintenance", "run", "--rebuild")
        assert "written anew" in result.stderr
        assert home.database.stat().st_size < before / 2
        assert report.report(home.database).pages.free == 0
        assert run("maintenance", "check", "--full").exit_code == 0
        with closing(sqlite3.connect(home.database)) as connection:
            assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)  # and can be tidied again

    def test_without_room(self, run: Run, home: Home, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        found = os.statvfs(home.path)
        small = os.statvfs_result((*found[:3], 1, 1, *found[5:]))
        monkeypatch.setattr(os, "statvfs", lambda _: small)
        result = run("maintenance", "run", "--rebuild")
        assert result.exit_code == 1
        assert "are free in" in result.stderr

    def test_what_was_under_way_is_brought_to_its_end(self, run: Run, home: Home, ids: list[str]) -> None:
        under_way(home, {"why": "schedule", "what": "run", "began": 1.0})
        result = run("maintenance", "prune")
        assert "under way; squad maintenance prune begins another" in result.stderr

    def test_only_when_nobody_else_has_it(self, run: Run, home: Home, ids: list[str]) -> None:
        storage = acquire(home.path / "storage.lock", 1.0)
        try:
            result = run("maintenance", "run")
        finally:
            storage.release()
        assert result.exit_code == 1
        assert "the store is in use: process" in result.stderr

    def test_one_that_does_not_go_on_is_told_of(
        self, run: Run, gateway: FakeGateway, home: Home, ids: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As while the disk is full."""
        monkeypatch.setattr(tidying, "_STALLED", 0.3)
        began = time.time()
        gateway.on("POST /v1/maintenance", lambda _: (200, {"began": iso(began), "already": False}))
        removed = {"rows": {}, "archived": 0, "dead": 0, "unsent": 0}
        over = {"ended": began, "working": 0.0, "size": 0, "freed": 0, "removed": removed}
        under_way(home, {"why": "hand", "what": "run", "began": began})

        def heard(text: str) -> None:
            """Now it goes on, and is over."""
            said.append(text)
            with closing(sqlite3.connect(home.database)) as connection, connection:
                text = json.dumps({"last": {"why": "hand", "what": "run", "began": began, **over}})
                connection.execute("UPDATE keeper SET value = ? WHERE key = 'maintenance'", (text,))

        said: list[str] = []
        monkeypatch.setattr(tidying, "say", heard)
        assert run("maintenance", "run").exit_code == 0
        assert "it does not go on: squad logs storage says why" in said[0]
        assert "done in" in said[1]

    def test_before_the_first_start(self, run: Run, home: Home) -> None:
        for words in (["run"], ["prune"], ["prune", "--dry-run"], ["status"]):
            result = run("maintenance", *words)
            assert result.exit_code == 1
            assert "there is no database" in result.stderr


class TestStatus:
    def test_before_and_after(self, run: Run, home: Home, ids: list[str]) -> None:
        text = run("maintenance", "status").stdout
        assert "last      never" in text
        assert "due       3 messages to the archive" in text
        run("maintenance", "run")
        text = run("maintenance", "status").stdout
        assert "(by hand), 3 messages to the archive" in text
        assert "due       0 messages to the archive" in text
        found = document(run, "maintenance", "status")
        assert found["last"]["archived"] == 3
        assert found["running"] is None
        tables = {table["name"]: table for table in found["tables"]}
        assert (tables["tasks"]["rows"], tables["tasks_archive"]["rows"]) == (1, 3)
        assert tables["tasks"]["oldest"] == "1970-01-01T00:00:01.000Z"
        assert found["bytes"] == home.database.stat().st_size

    def test_how_old_what_has_a_time_is(self, run: Run, home: Home, ids: list[str]) -> None:
        made = iso(time.time())
        with closing(sqlite3.connect(home.database)) as connection, connection:
            connection.execute(
                "INSERT INTO alert_silences (silence_id, agent, since, until) VALUES ('s', 'a', ?, ?)", (made, made)
            )
        tables = {table["name"]: table for table in document(run, "maintenance", "status")["tables"]}
        assert tables["alert_silences"]["oldest"] == made
        assert "None" not in run("maintenance", "status").stdout

    def test_with_one_under_way_and_another_planned(self, run: Run, home: Home, ids: list[str]) -> None:
        under_way(home, {"why": "schedule", "what": "run", "began": 1.0}, moved=7, mark=1000.0)
        shown = run("maintenance", "status").stdout
        assert "running   since 1970-01-01T00:00:01.000Z, at messages: 7 messages to the archive" in shown
        assert "next      1970-01-01T03:17:00.000Z (it comes when the squad runs), as '17 3 * * *' in UTC says" in shown
        assert document(run, "maintenance", "status")["running"]["step"] == "messages"


class TestArchived:
    def test_a_message_is_shown(self, run: Run, ids: list[str]) -> None:
        run("maintenance", "prune")
        root, child, dead, new = ids
        found = document(run, "message", "show", child)
        assert (found["archived"], [cause["id"] for cause in found["causes"]]) == (True, [root])
        found = document(run, "message", "show", root)
        assert ([effect["id"] for effect in found["effects"]], found["effects_total"]) == ([child], 1)
        assert found["tree"]["by_status"] == {"completed": 2}
        found = document(run, "message", "show", dead[-12:])
        assert [attempt["outcome"] for attempt in found["failed_attempts"]] == ["error"]
        assert document(run, "message", "show", new)["archived"] is False
        assert "in the archive" in run("message", "show", dead).stdout

    def test_messages_are_listed(self, run: Run, ids: list[str]) -> None:
        run("maintenance", "prune")
        assert [m["id"] for m in document(run, "message", "list")["messages"]] == [ids[3]]
        assert [m["id"] for m in document(run, "message", "list", "--archived")["messages"]] == ids[2::-1]
        found = document(run, "message", "list", "--archived", "--status", "failed")
        assert [message["id"] for message in found["messages"]] == [ids[2]]

    def test_what_cannot_be_found(self, run: Run, ids: list[str]) -> None:
        run("maintenance", "prune")
        assert run("message", "show", "ffffffffffff").exit_code == 2
        assert run("message", "cancel", ids[0]).stderr.count("there is nothing to cancel: it has ended") == 1
