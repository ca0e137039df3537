from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from squad.doctor import Finding, Subject, Verdict, contents
from tests.cli.a_store import Story
from tests.cli.test_alerts import alert


def looked(finding: Finding | None) -> Finding:
    assert finding is not None
    return finding


class TestDatabase:
    def test_none_yet(self, subject: Subject) -> None:
        assert looked(contents.database(subject)).what == "there is none yet"
        assert contents.writers(subject) is None

    def test_a_whole_one(self, subject: Subject, story: Story) -> None:
        story.sent("a", "t")
        found = looked(contents.database(subject))
        assert (found.verdict, found.what.endswith("no damage")) == (Verdict.OK, True)

    def test_a_damaged_one(self, subject: Subject, story: Story) -> None:
        for number in range(200):
            story.sent("a", "t", {"text": "x" * 500, "number": number})
        story.writer.close()
        size = subject.home.database.stat().st_size
        with subject.home.database.open("r+b") as file:  # some pages in the middle
            file.seek(size // 2 // 4096 * 4096)
            file.write(b"\xff" * 16_384)
        found = looked(contents.database(subject))
        assert found.verdict == Verdict.FAIL
        assert "is damaged" in found.what
        assert ".recover" in found.todo

    def test_one_of_a_newer_squad(self, subject: Subject, story: Story) -> None:
        story.writer.close()
        with closing(sqlite3.connect(subject.home.database)) as database, database:
            database.execute("INSERT INTO schema_version VALUES (99, 'later', '')")
        found = looked(contents.database(subject))
        assert found.verdict == Verdict.FAIL
        assert "was written by a newer Squad (schema 99" in found.what
        assert "install that version" in found.todo

    def test_one_of_an_older_squad(self, subject: Subject, story: Story) -> None:
        story.writer.close()
        with closing(sqlite3.connect(subject.home.database)) as database, database:
            (newest,) = database.execute("SELECT MAX(version) FROM schema_version").fetchone()
            database.execute("UPDATE schema_version SET version = version - ?", (newest,))
        found = looked(contents.database(subject))
        assert found.verdict == Verdict.OK
        assert f"schema 0, which the next start brings up to {newest}" in found.what

    def test_no_database_at_all(self, subject: Subject) -> None:
        subject.home.database.write_text("a diary" * 1000)
        assert "is no database" in looked(contents.database(subject)).what

    def test_one_that_takes_too_long(self, subject: Subject, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(200):
            story.sent("a", "t", {"number": number})
        monkeypatch.setattr(contents, "_PATIENCE", 0.0)
        monkeypatch.setattr("squad.store.checkup._STEPS", 1)
        found = looked(contents.database(subject))
        assert found.verdict == Verdict.WARN
        assert "too large to be checked within 0 s" in found.what

    def test_a_log_that_is_never_written_back(self, subject: Subject, story: Story) -> None:
        story.writer.close()
        with subject.home.database.with_name("squad.db-wal").open("wb") as file:
            file.truncate(600_000_000)  # sparse
        found = looked(contents.database(subject))
        assert (found.verdict, "write-ahead log has 600.0 MB" in found.what) == (Verdict.WARN, True)


OPENS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], uri=True)
connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_program(uri: str) -> Iterator[int]:
    command = [sys.executable, "-c", OPENS, uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.stdin.close()


class TestWriters:
    def test_this_process_alone(self, subject: Subject, story: Story) -> None:
        assert looked(contents.writers(subject)).verdict == Verdict.OK

    def test_one_that_only_reads_is_no_danger(self, subject: Subject, story: Story) -> None:
        with another_program(f"file:{subject.home.database}?mode=ro"):
            assert looked(contents.writers(subject)).verdict == Verdict.OK

    def test_one_that_can_write_is_named(self, subject: Subject, story: Story) -> None:
        with another_program(f"file:{subject.home.database}") as pid:
            found = looked(contents.writers(subject))
        assert found.verdict == Verdict.WARN
        assert f"(process {pid})" in found.what
        assert "mode=ro" in found.todo

    @pytest.mark.parametrize(("version", "said"), [((3, 40, 1), True), ((3, 51, 3), False)])
    def test_the_danger_depends_on_the_version(
        self, subject: Subject, story: Story, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], said: bool
    ) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
        with another_program(f"file:{subject.home.database}"):
            assert ("can damage it" in looked(contents.writers(subject)).what) is said

    def test_the_storage_of_a_running_squad_may(
        self, subject: Subject, story: Story, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with another_program(f"file:{subject.home.database}") as pid:
            (subject.home.path / "storage.lock").write_text(f"{pid}\n")
            assert looked(contents.writers(subject)).verdict == Verdict.WARN  # nothing runs: the file is old
            monkeypatch.setattr(Subject, "launcher", object())
            assert looked(contents.writers(Subject(subject.home))).verdict == Verdict.OK


class TestAlerts:
    def test_all_is_well(self, subject: Subject, story: Story) -> None:
        assert looked(contents.alerts(subject)).verdict == Verdict.OK

    def test_one_goes_on(self, subject: Subject, story: Story) -> None:
        alert(story)
        found = looked(contents.alerts(subject))
        assert (found.verdict, found.what, found.todo) == (Verdict.WARN, "101 messages wait", "squad alerts list")

    def test_one_could_not_be_told(self, subject: Subject, story: Story) -> None:
        story.failed(story.sent("notify-ops", "squad.alert"), "WebhookError: refused\n  File x")
        found = looked(contents.alerts(subject))
        assert found.verdict == Verdict.WARN
        assert found.what == "alerts could not be told: 1 by notify-ops; last: WebhookError: refused"
        assert found.todo == "squad dead list --agent notify-ops"

    def test_a_database_without_any(self, subject: Subject, story: Story) -> None:
        assert contents.alerts(subject) is not None
        story.writer.close()
        with closing(sqlite3.connect(subject.home.database)) as database, database:
            database.execute("DROP TABLE alerts")
            database.execute("UPDATE schema_version SET version = version - 1000")
        assert contents.alerts(subject) is None
