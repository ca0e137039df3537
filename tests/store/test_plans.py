"""The statements that run all the time find their rows by an index and sort nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from squad.store import (
    claiming,
    ends,
    history,
    leases,
    over,
    queries,
    queued,
    replies,
    retention,
    session,
    settling,
    watching,
    writer,
)
from squad.store.database import open_reader
from squad.store.writer import Writer


def plan(connection: sqlite3.Connection, statement: str, *parameters: object) -> str:
    values = parameters or ("x",) * statement.count("?")
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))


BY_ROW = (
    settling._END,
    settling._RETRY,
    settling._GIVE_BACK,
    ends._DROP,
    ends._CANCEL,
    ends._TELL,
)


@pytest.mark.parametrize(
    ("statement", "found_by"),
    [
        (claiming.PICK, "SEARCH tasks USING INDEX tasks_queued (status=? AND recipient=? AND not_before=?)"),
        (claiming.CLAIM.text(4), "SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)"),
        (writer._DUE, "SEARCH tasks USING INDEX tasks_delayed (not_before>? AND not_before<?)"),
        (writer._NEXT_DUE[0], "SEARCH tasks USING INDEX tasks_delayed (not_before>?)"),
        (writer._NEXT_DUE[1], "SEARCH tasks USING INDEX tasks_expiring (expires_at>?)"),
        (writer._NEXT_DUE[2], "SEARCH tasks USING INDEX tasks_reply_due (reply_due>?)"),
        (ends._EXPIRE, "SEARCH tasks USING INDEX tasks_expiring (expires_at>? AND expires_at<?)"),
        (ends._OPEN_ONE, "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (task_id=?)"),
        (ends._OPEN_TREE, "SEARCH tasks USING INDEX tasks_open (root_id=?)"),
        (replies._TIMED_OUT, "SEARCH tasks USING INDEX tasks_reply_due (reply_due>? AND reply_due<?)"),
        (replies._ASKED, "SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)"),
        (settling._ATTEMPT, "SEARCH attempts USING INDEX attempts_task (task_row=?)"),
        (session._DEPTHS, "SCAN queued"),
        (over.OPEN_TREE, "SEARCH tasks USING INDEX tasks_open (root_id=?)"),
        *((statement, "SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)") for statement in BY_ROW),
        (retention.OVER, "SEARCH tasks_archive USING COVERING INDEX tasks_archive_ended (completed_at<?)"),
        (leases.OF_WORKER, "SEARCH tasks USING INDEX tasks_running (status=? AND lease_owner=?)"),
        (leases.OF_ROW, "SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)"),
        (settling.COMPLETE.text(4), "SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)"),
        (session._END, "SEARCH totals USING PRIMARY KEY (status=?)"),
        (queries._TOTALS, "SEARCH tasks USING COVERING INDEX tasks_running (status=?)"),
        (queries._READY_COUNTS, "SCAN queued"),
        (watching._READY, "SEARCH queued USING PRIMARY KEY (recipient=?)"),
        ("SELECT * FROM queue_depth", "SCAN queued"),
        (history._ENDS_SINCE, "SEARCH tasks USING COVERING INDEX tasks_ended (completed_at>?)"),
        ("SELECT task_id FROM tasks WHERE recipient = ? AND key = ?", "INDEX tasks_key (recipient=? AND key=?)"),
    ],
)
def test_hot_statements(path: Path, writer: Writer, statement: str, found_by: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        found = plan(connection, statement)
    assert found_by in found
    assert "TEMP B-TREE" not in found
    assert "SCAN tasks" not in found


def test_what_is_old_is_found_by_the_index_on_ends(path: Path, writer: Writer) -> None:
    names = ("messages", "archived", "sent", "at", "row", "rows")
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {retention.ENDED}", dict.fromkeys(names, "x"))
        found = "\n".join(row[3] for row in rows)
    assert "SEARCH tasks USING INDEX tasks_ended (completed_at>? AND completed_at<?)" in found
    assert "SEARCH other USING INDEX tasks_open (root_id=?)" in found
    assert "TEMP B-TREE" not in found


def test_the_oldest_are_found_without_sorting_a_mailbox(path: Path, writer: Writer) -> None:
    """What is sorted are the first few of each priority, and what is delayed."""
    with closing(sqlite3.connect(path)) as connection:
        found = plan(connection, ends._OLDEST, "a", 3)
    exactly = "tasks_queued (status=? AND recipient=? AND not_before=? AND priority=?)"
    assert found.count(exactly) == 10
    assert found.count("SEARCH tasks") == 11
    assert "SCAN tasks" not in found


def test_the_newest_that_wait_are_found_without_sorting_all(path: Path, writer: Writer) -> None:
    """What is sorted are the newest of each place, and what is delayed."""
    with closing(sqlite3.connect(path)) as connection:
        found = plan(connection, queued.NEWEST, None, 9, 9)
    exactly = "tasks_queued (status=? AND recipient=? AND not_before=? AND priority=? AND rowid<?)"
    assert found.count(exactly) == 2
    assert "tasks_queued (status=? AND recipient=? AND not_before>?)" in found
    assert "SCAN tasks" not in found


def test_a_tree_is_walked_by_the_index_on_parents(path: Path, writer: Writer) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in (queries._TREE_COUNTS, queries._TREE_FAILED):
            assert "tasks_children (parent_id=?)" in plan(connection, statement)


@pytest.mark.parametrize(
    ("which", "found_by"),
    [
        (queries.Filter(), "SCAN"),  # by the primary key, the newest first, as far as the limit
        (queries.Filter(status="failed"), "tasks_failed"),
        (queries.Filter(status="running"), "tasks_running"),
        (queries.Filter(status="queued", agent="a"), "tasks_queued (status=? AND recipient=?)"),
        (queries.Filter(status="queued"), "COVERING INDEX tasks_queued (status=?)"),
    ],
)
def test_lists_for_people(path: Path, writer: Writer, which: queries.Filter, found_by: str) -> None:
    statement, parameters = queries._newest(which, 20).sql()
    with open_reader(path) as pool, pool.connection() as database:
        found = plan(database.connection(), statement, *parameters)
    assert found_by in found
