"""``squad maintenance``: what it prints and asks, and how it ends, on a squad that is stopped."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from squad.home import Home
from squad.launcher import lock
from squad.store.lock import acquire
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.terminals import OnTerminal


@pytest.fixture
def stopped(story: Story) -> Story:
    """A store whose squad has stopped."""
    story.completed(story.sent("a", "t"))
    story.sent("b", "t")
    story.writer.close()
    return story


def spoil(home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute("UPDATE tasks SET lease_owner = 'x' WHERE status = 'queued'")


class TestCheck:
    def test_a_sound_database(self, run: Run, home: Home, stopped: Story) -> None:
        result = run("maintenance", "check")
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"{home.database}: " in result.stderr
        assert "2 messages: no fault found" in result.stderr

    def test_faults_and_what_to_do(self, run: Run, home: Home, stopped: Story) -> None:
        spoil(home)
        result = run("maintenance", "check")
        assert result.exit_code == 1
        first, todo = result.stdout.splitlines()
        assert first.startswith("fail  queued  1 message are queued, and leased")
        assert todo.strip().startswith("→ ")
        assert "1 thing is wrong" in result.stderr

    def test_as_json(self, run: Run, home: Home, stopped: Story) -> None:
        document = json.loads(run("maintenance", "check", "--full", "-o", "json").stdout)
        assert (document["sound"], document["full"], document["faults"]) == (True, True, [])
        spoil(home)
        result = run("maintenance", "check", "-o", "json")
        document = json.loads(result.stdout)
        assert (result.exit_code, document["sound"], document["faults"][0]["name"]) == (1, False, "queued")

    def test_before_the_first_start(self, run: Run, home: Home) -> None:
        result = run("maintenance", "check")
        assert result.exit_code == 1
        assert "there is no database" in result.stderr


class TestBackup:
    def test_it_says_what_it_has_made(self, run: Run, home: Home, stopped: Story) -> None:
        result = run("maintenance", "backup", "copy.db")
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"{home.path.parent / 'copy.db'}: " in result.stderr
        assert "schema" in result.stderr
        document = json.loads(run("maintenance", "backup", "other.db", "-o", "json").stdout)
        assert document["bytes"] == (home.path.parent / "other.db").stat().st_size

    def test_a_file_that_exists(self, run: Run, home: Home, stopped: Story) -> None:
        run("maintenance", "backup", "copy.db")
        result = run("maintenance", "backup", "copy.db")
        assert result.exit_code == 1
        assert "--force" in result.stderr
        assert run("maintenance", "backup", "copy.db", "--force").exit_code == 0

    def test_a_folder_that_is_not_there(self, run: Run, stopped: Story) -> None:
        result = run("maintenance", "backup", "no/where/copy.db")
        assert result.exit_code == 1
        assert "hint: make it first: mkdir -p" in result.stderr


class TestRestore:
    @pytest.fixture
    def backup(self, run: Run, home: Home, stopped: Story) -> Path:
        run("maintenance", "backup", "copy.db")
        return home.path.parent / "copy.db"

    def test_nobody_can_be_asked(self, run: Run, home: Home, backup: Path) -> None:
        before = home.database.read_bytes()
        result = run("maintenance", "restore", "copy.db")
        assert result.exit_code == 2
        assert "hint: --yes does it without asking" in result.stderr
        assert home.database.read_bytes() == before

    def test_asked_on_a_terminal(self, home: Home, backup: Path) -> None:
        for answer, status, done in (("n", 1, "nothing was done"), ("y", 0, "restored ")):
            terminal = OnTerminal("maintenance", "restore", str(backup), cwd=home.path.parent)
            terminal.read_until(lambda screen: "restore it?" in screen)
            terminal.type(f"{answer}\n")
            assert terminal.finish() == status
            assert "are handled again" in terminal.screen
            assert done in terminal.screen

    def test_what_was_there_is_set_aside(self, run: Run, home: Home, backup: Path) -> None:
        hand = home.path / "run" / "hand" / "a.1"
        hand.parent.mkdir(parents=True)
        hand.write_bytes(b"x" * 100)
        result = run("maintenance", "restore", "copy.db", "--yes")
        aside = min(home.path.glob("squad.db.before-*"))  # its log is beside it
        assert result.exit_code == 0
        assert f"the database that was there is now {aside}" in result.stderr
        assert not hand.exists()
        document = json.loads(run("maintenance", "restore", "copy.db", "--yes", "-o", "json").stdout)
        assert document["messages"] == {"completed": 1, "queued": 1}

    def test_a_home_that_is_lost(self, run: Run, home: Home, backup: Path) -> None:
        result = run("maintenance", "restore", "copy.db", "--yes", "--home", "anew")
        assert result.exit_code == 0
        assert (home.path.parent / "anew" / "squad.db").exists()

    def test_only_when_nothing_runs(self, run: Run, home: Home, backup: Path) -> None:
        held = lock.acquire(home.path)
        try:
            result = run("maintenance", "restore", "copy.db", "--yes")
        finally:
            held.release()
        assert result.exit_code == 1
        assert "just being started" in result.stderr
        storage = acquire(home.path / "storage.lock", 1.0)
        try:
            result = run("maintenance", "restore", "copy.db", "--yes")
        finally:
            storage.release()
        assert result.exit_code == 1
        assert "the store is in use: process" in result.stderr

    def test_beside_a_squad_it_says_to_stop_it(self, run: Run, home: Home, backup: Path) -> None:
        held = lock.acquire(home.path)
        started = psutil.Process().create_time()
        held.write({"pid": os.getpid(), "created": started, "name": "library", "started_at": "2030-01-01T00:00:00Z"})
        try:
            result = run("maintenance", "restore", "copy.db", "--yes")
        finally:
            held.release()
        assert "a squad already runs" in result.stderr
        assert "squad stop" in result.stderr
        assert "squad start" not in result.stderr

    def test_what_is_no_backup(self, run: Run, home: Home, stopped: Story) -> None:
        (home.path.parent / "diary.txt").write_text("dear diary" * 1000)
        result = run("maintenance", "restore", "diary.txt", "--yes")
        assert result.exit_code == 1
        assert "is no database" in result.stderr
        assert home.database.exists()
