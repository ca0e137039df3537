"""How the store's speed depends on what it holds already: a deep queue, a long history, and neither.

    python -m tests.benchmark.depth
    python -m tests.benchmark.depth --deep 200000 --finished 1000000 --folder /var/tmp

Makes databases by bulk inserts in a temporary folder (700 bytes a message; it is removed at the end), then does the
same work on each through the writer, as the storage does it, and the reads that people ask for. Prints a table with the
ratios to the empty store, and all figures as one JSON document.

Times of work are those of the thread's processor, so that a slow disk or a busy machine does not hide what the store
itself costs; with ``commits`` the time of the clock is told as well.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store import choices, glance, history, queries
from squad.store.database import open_reader
from squad.store.rows import NewTask, Outcome
from squad.store.settling import Batch
from squad.store.writer import Writer

BYTES = 750  # of the disk for each message, with some to spare
GROUP = 50  # messages in one transaction
WORKERS = ("one", "two", "three", "four")
PAYLOAD = json.dumps({"text": "x" * 188})
AGENTS = 20  # that the history is of
NOW = 1_790_000_000

Figures = dict[str, float]

_FILL = """
    INSERT INTO tasks (task_id, root_id, sender, recipient, type, priority, status, attempts, lease_owner, fence,
                       claimed_at, created_at, started_at, completed_at, duration_ms, expires_at, payload, result)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
    SELECT printf('%08x-%04x-7%03x-8000-%012x', :base + (i >> 16), i & 0xffff, 0, i),
           printf('%08x-%04x-7%03x-8000-%012x', :base + (i >> 16), i & 0xffff, 0, i),
           'bench', {recipient}, 'work', {priority}, '{status}', {attempts}, {worker}, {attempts},
           {end}, strftime('%Y-%m-%dT%H:%M:%fZ', :now + i / 1000.0, 'unixepoch'), {end}, {end}, {duration}, {expires},
           :payload, {result}
    FROM n
"""
_COUNT = """
    INSERT INTO queued (recipient, priority, delayed, messages)
    SELECT recipient, priority, not_before IS NOT NULL, COUNT(*) FROM tasks WHERE status = 'queued' GROUP BY 1, 2, 3
"""


@contextmanager
def bulk(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a new database that gives up all safety for speed. At the end the indexes are made anew, which is
    quicker, and what waits is counted."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -256000")
        found = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'tasks' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in found:
            connection.execute(f"DROP INDEX {name}")
        yield connection
        for _, sql in found:
            connection.execute(sql)
        connection.execute(_COUNT)
        connection.execute("PRAGMA journal_mode = WAL")
    with path.open("rb+") as file:
        os.fsync(file.fileno())  # else the first checkpoint would have to


def finish(connection: sqlite3.Connection, count: int) -> None:
    """Messages that have been completed, a thousandth of them dead letters."""
    end = "strftime('%Y-%m-%dT%H:%M:%fZ', :now + 5 + i / 1000.0, 'unixepoch')"
    statement = _FILL.format(
        recipient=f"'agent' || (i % {AGENTS})", priority=5, status="completed", attempts=1, worker="'agent'", end=end,
        duration="i % 1000", result="'null'", expires="NULL",
    )  # fmt: skip
    connection.execute(statement, {"count": count, "base": 0x1000_0000, "now": NOW - 100_000, "payload": PAYLOAD})
    connection.execute("UPDATE tasks SET status = 'failed', error_message = 'why' WHERE id % 1000 = 0")
    connection.execute("UPDATE totals SET messages = (SELECT COUNT(*) FROM tasks WHERE tasks.status = totals.status)")


def wait(
    connection: sqlite3.Connection, count: int, recipient: str, priority: str = "5", expires: str = "NULL"
) -> None:
    """Messages that wait."""
    statement = _FILL.format(
        recipient=recipient, priority=priority, status="queued", attempts=0, worker="NULL", end="NULL",
        duration="NULL", result="NULL", expires=expires,
    )  # fmt: skip
    connection.execute(statement, {"count": count, "base": 0x2000_0000, "now": NOW, "payload": PAYLOAD})


# -- what is measured -------------------------------------------------------------------------------------------------


def work(path: Path, rounds: int) -> Figures:
    """Microseconds of the thread's processor for each message; milliseconds of a commit by the clock."""
    spent = dict.fromkeys(("submit", "claim", "settle"), 0.0)
    commits: list[float] = []
    began = time.process_time()
    with closing(Writer(path, StoreConfig())) as writer:
        figures = {"open_ms": (time.process_time() - began) * 1000}
        held: list[Batch] = []
        for _ in range(rounds + 5):
            now = time.time()
            rows = [NewTask(new_id(), "bench", WORKERS[n % 4], "work", PAYLOAD) for n in range(GROUP)]
            times = [time.thread_time()]
            with writer.transaction():
                writer.submit(rows, now)
                times.append(time.thread_time())
                settled = writer.settle(held, now, lambda *_: None)
                times.append(time.thread_time())
                given = writer.claim({name: [(name, GROUP // 4 + 1)] for name in WORKERS}, now)
                times.append(time.thread_time())
                start = time.perf_counter()
            commits.append(time.perf_counter() - start)
            times.append(time.thread_time())
            if not all(settled.accepted):
                raise RuntimeError("an outcome was refused")
            held = [
                Batch(name, name, [Outcome(x.row, x.fence, "done", now, 1, "null") for x in leases])
                for name, leases in given.items()
            ]
            if len(commits) > 5:
                for step, (before, after) in zip(("submit", "settle", "claim", "commit"), pairwise(times), strict=True):
                    spent[step] = spent.get(step, 0.0) + after - before
        began = time.thread_time()
        with writer.transaction():
            writer.drop_oldest(WORKERS[0], 1, "no room", now)
            writer.due(now)
        figures["drop_and_due_ms"] = (time.thread_time() - began) * 1000
    figures |= {f"{step}_us": seconds * 1e6 / rounds / GROUP for step, seconds in spent.items()}
    figures["message_us"] = sum(spent.values()) * 1e6 / rounds / GROUP
    commits = sorted(commits[5:])
    figures["commit_p50_ms"] = statistics.median(commits) * 1000
    figures["commit_p99_ms"] = commits[int(len(commits) * 0.99)] * 1000
    return figures


def reads(path: Path) -> Figures:
    """Milliseconds of the thread's processor, the best of three."""
    with open_reader(path) as pool, pool.connection() as database:
        some = queries.messages(database, queries.Filter(), 1)[0].task_id
        asked: dict[str, Callable[[], object]] = {
            "squad queue": lambda: (queries.queue_depth(database), queries.open_counts(database)),
            "squad status": lambda: queries.totals(database),
            "list 100": lambda: queries.messages(database, queries.Filter(), 100),
            "list 100 of an agent": lambda: queries.messages(database, queries.Filter(agent="one"), 100),
            "list 100 queued": lambda: queries.messages(database, queries.Filter(status="queued"), 100),
            "list 100 running": lambda: queries.messages(database, queries.Filter(status="running"), 100),
            "show by id": lambda: queries.message(database, some),
            "show by its beginning": lambda: queries.message(database, some[:30]),
            "show by its end": lambda: queries.message(database, some[-12:]),
            "dead letters 100": lambda: queries.messages(database, queries.Filter(status="failed"), 100),
            "dead letters counted": lambda: choices.count(database, queries.Filter(status="failed")),
            "tree": lambda: queries.tree(database, some),
            "last 100 events": lambda: history.last(database, 100),
            "follow events": lambda: history.Watch(database).look(),
            "completion of an id": lambda: glance.messages(path, some[:8]),
            "completion of a type": lambda: glance.types(path),
        }
        found = {}
        for name, ask in asked.items():
            spans = []
            for _ in range(3):
                began = time.thread_time()
                ask()
                spans.append(time.thread_time() - began)
            found[name] = min(spans) * 1000
    return found


def measure(folder: Path, deep: int, finished: int, rounds: int) -> dict[str, Figures]:
    """The stores by name, and what was measured on each."""
    some = f"CASE i % 5 WHEN 0 THEN '{WORKERS[0]}' ELSE 'other' END"
    fills: dict[str, Callable[[sqlite3.Connection], None] | None] = {
        "empty": None,
        f"{deep:,} wait": lambda raw: wait(raw, deep, f"'{WORKERS[0]}'"),
        f"{deep:,} wait, of all priorities": lambda raw: wait(raw, deep, some, "1 + i % 10"),
        f"{deep:,} wait for others, to expire": lambda raw: wait(raw, deep, "'other' || (i % 1000)", "5", str(2 * NOW)),
        f"{finished:,} finished": lambda raw: finish(raw, finished),
    }
    found: dict[str, Figures] = {}
    for name, fill in fills.items():
        path = folder / "squad.db"
        Writer(path, StoreConfig()).close()
        if fill is not None:
            began = time.monotonic()
            with bulk(path) as raw:
                fill(raw)
            print(f"{name}: made in {time.monotonic() - began:.0f} s, {path.stat().st_size:,} bytes", file=sys.stderr)
        found[name] = work(path, rounds) | reads(path)
        for part in folder.iterdir():
            part.unlink()
    return found


def table(found: dict[str, Figures]) -> str:
    """Figures of the empty store, and of each other one with its ratio to that."""
    empty, *others = found
    lines = [f"| | {' | '.join(found)} |", "| --- |" + " ---: |" * len(found)]
    for name, figure in found[empty].items():
        cells = [f"{figure:.2f}"]
        cells += [f"{found[other][name]:.2f} ({found[other][name] / figure:.1f})" for other in others]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.depth", description=__doc__.split("\n\n")[0])
    parser.add_argument("--deep", type=int, default=1_000_000, help="messages that wait")
    parser.add_argument("--finished", type=int, default=10_000_000, help="messages that have ended")
    parser.add_argument("--rounds", type=int, default=200, help=f"transactions of {GROUP} messages")
    parser.add_argument("--folder", type=Path, help="where to make the databases (the system's temporary folder)")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="squad-depth-", dir=given.folder))
    try:
        need, free = BYTES * max(given.deep, given.finished), shutil.disk_usage(folder).free
        if need > free * 0.8:
            parser.error(f"{need:,} bytes are needed in {folder.parent}, and {free:,} are free; give fewer messages")
        found = measure(folder, given.deep, given.finished, given.rounds)
    finally:
        shutil.rmtree(folder)
    print(table(found))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
