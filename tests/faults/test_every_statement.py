"""A process that writes is killed before each single statement in turn, and what it leaves is whole.

So every point is met, whatever the statements are: before and after each commit, and in the middle of a migration.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.actors.protocol import Deliver, Ready, Settle, SubmitDone, Watch, Watched
from squad.config.schema import StoreConfig
from squad.store import migrations
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.writer import Writer
from tests.actors.a_storage import Post, Storage

_CAME_TO_ITS_END, _FAILED = 7, 8  # exit statuses of a child that was not killed


def killed_before(statement: int, work: Callable[[], None]) -> bool:
    """Do ``work`` in a child that is killed before its statement of this number. Whether it came so far."""
    pid = os.fork()
    if pid == 0:
        status = _FAILED
        try:
            _kill_before(statement)
            work()
            status = _CAME_TO_ITS_END
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (-signal.SIGKILL, _CAME_TO_ITS_END)
    return code == -signal.SIGKILL


def _kill_before(statement: int) -> None:
    left = statement
    connect = sqlite3.connect

    def traced(sql: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(traced)
        return connection

    sqlite3.connect = watched  # type: ignore[assignment]


def deaths(folder: Path, begin_with: Path, work: Callable[[Path], None], least: int) -> Iterator[Path]:
    """A copy of a database for each statement of ``work``, which was killed before that statement while it used it."""
    statement = 0
    while True:
        statement += 1
        path = folder / f"{statement}" / "squad.db"
        path.parent.mkdir()
        shutil.copy(begin_with, path)
        if not killed_before(statement, lambda path=path: work(path)):  # type: ignore[misc]
            break
        yield path
        shutil.rmtree(path.parent)
    assert statement > least


def content(path: Path) -> dict[str, list[Any]]:
    """Every row of every table, but for the times of migrations."""
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        names = [row[0] for row in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        found = {name: raw.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in names}  # noqa: S608
        found["schema_version"] = [row[:2] for row in found["schema_version"]]
        found["schema"] = raw.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    return found


# -- migrations ------------------------------------------------------------------------------------------------------


OLD = range(len(migrations.MIGRATIONS))


@pytest.mark.parametrize(
    ("version", "reached"),
    [(version, version + 1) for version in OLD]  # each migration has a transaction of its own
    + [pytest.param(version, len(OLD), marks=pytest.mark.slow) for version in OLD[:-1]],
)
def test_a_migration_that_is_killed_leaves_the_old_version_whole(tmp_path: Path, version: int, reached: int) -> None:
    """``reached``: the version with which the upgrade that is killed would end."""
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old, isolation_level=None)) as raw:
        migrations.migrate(raw, old, migrations.MIGRATIONS[:version])
        if version:
            insert = "INSERT INTO tasks (task_id, sender, recipient, type, payload) VALUES (?, 'c', 'a', 't', '{}')"
            raw.executemany(insert, [("m1",), ("m2",)])
            raw.execute(
                "INSERT INTO attempts (task_row, number, worker, ended_at, outcome, error)"
                " VALUES (1, 1, 'w', 'x', 'error', 'e')"
            )

    def upgrade(path: Path) -> None:
        Writer(path, StoreConfig()).close()

    def begin(path: Path) -> None:
        if reached == len(OLD):
            return upgrade(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            migrations.migrate(raw, path, migrations.MIGRATIONS[:reached])
        return None

    whole = tmp_path / "whole.db"
    shutil.copy(old, whole)
    upgrade(whole)
    expected = content(whole)
    for path in deaths(tmp_path, old, begin, least=5):
        with closing(sqlite3.connect(path)) as raw:
            assert migrations.check(raw, path) in range(version, reached + 1)
        upgrade(path)
        assert content(path) == expected


# -- messages --------------------------------------------------------------------------------------------------------

ROOT, POOR = (
    NewTask(f"01900000-0000-7000-8000-00000000000{number}", "cli", "a", kind, "{}")
    for number, kind in enumerate(("root", "poor"))
)
STATE = json.dumps({"n": 1})


class Acknowledged(Post):
    """A post that also writes down what it was told, so that it is known after the death."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.completed: set[tuple[int, int]] = set()  # the claims for which that was said
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def send(self, address: str, message: Any) -> None:
        if isinstance(message, SubmitDone):
            os.write(self._file, "".join(f"stored {one.task_id}\n" for one in message.results).encode())
        if isinstance(message, Deliver):
            ended = [row for row, fence, ok in message.settled if ok and (row, fence) in self.completed]
            os.write(self._file, "".join(f"completed {row}\n" for row in ended).encode())
        super().send(address, message)


def outcome(lease: Lease) -> Outcome:
    """The root completes with a state and two sends; the other fails once, and completes the next time."""
    if lease.type == "poor" and lease.attempt == 1:
        return Outcome(*lease.claim, "error", 1.0, 1, error="as planned")
    if lease.type != "root":
        return Outcome(*lease.claim, "done", 1.0, 1, "null")
    sends = tuple(NewTask(f"{ROOT.task_id[:-2]}1{n}", "a", "a", "child", "{}") for n in range(2))
    return Outcome(*lease.claim, "done", 1.0, 1, "null", sends=sends, state=STATE, state_version=0)


class Heard(Storage):
    """One whose answers are written down."""

    def open(self, alive: list[str] | None, in_hand: dict[str, tuple[int, int]] | None = None) -> None:
        self.post = Acknowledged(self.path.with_name("acknowledged"))
        super().open(alive, in_hand)


def live(path: Path) -> None:
    """Send both messages (again), and handle everything that waits until their trees have ended."""
    storage = Heard(path)
    post = storage.post
    for message in (ROOT, POOR):
        storage.submit(message)
        storage.put(Watch(message.task_id, message.task_id, tree=True))
    storage.put(Ready("a", "a.1", 1), "worker")
    handled = 0
    while len(post.of("gateway", Watched)) < 2:
        post.until(lambda: len(post.leases("worker")) > handled or len(post.of("gateway", Watched)) == 2)  # noqa: B023
        for lease in post.leases("worker")[handled:]:
            end = outcome(lease)
            if end.kind == "done":
                post.completed.add(lease.claim)
            storage.put(Settle("a", "a.1", (end,)), "worker")
            handled += 1
    storage.close()


@pytest.mark.timeout(600)  # some two hundred processes, one after the other
def test_a_writer_that_is_killed_leaves_each_transaction_whole(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    Writer(empty, StoreConfig()).close()
    for path in deaths(tmp_path, empty, live, least=30):
        whole(path)
        live(path)  # what a user does, and the squad: it starts again, and what was not acknowledged is sent again
        whole(path)
        with closing(sqlite3.connect(path)) as raw:
            ends = raw.execute("SELECT type, status, attempts FROM tasks ORDER BY type").fetchall()
        assert ends == [("child", "completed", 1)] * 2 + [("poor", "completed", 2), ("root", "completed", 1)]


def whole(path: Path) -> None:
    """What was acknowledged is there, and what belongs together is there together or not at all."""
    rows = content(path)
    with closing(sqlite3.connect(path)) as raw:
        status = dict(raw.execute("SELECT id, status FROM tasks").fetchall())
        kinds = raw.execute("SELECT type, status, attempts FROM tasks").fetchall()
        stored = {row[0] for row in raw.execute("SELECT task_id FROM tasks")}
        failures = [row[0] for row in raw.execute("SELECT outcome FROM attempts")]
    file = path.with_name("acknowledged")
    for line in file.read_text().splitlines() if file.exists() else ():
        what, name = line.split()
        if what == "stored":
            assert name in stored
        elif what == "completed":
            assert status[int(name)] == "completed"
    completed = [kind for kind, state, _ in kinds if state == "completed"]
    children = [kind for kind, _, _ in kinds if kind == "child"]
    assert len(children) == 2 * completed.count("root")
    assert [row[1] for row in rows["agent_state"]] == [1] * completed.count("root")
    (charged,) = [attempts for kind, _, attempts in kinds if kind == "poor"] or [0]
    assert charged == len(failures) + completed.count("poor")
