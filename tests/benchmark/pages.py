# ruff: noqa: S310 - every address is a server of this program's own
"""How quickly the dashboard's pages answer over a large store, and what it costs that browsers look on.

    python -m tests.benchmark.pages
    python -m tests.benchmark.pages --messages 1000000 --queued 20000 --browsers 10 --seconds 30 --folder /var/tmp

Fills a database by bulk inserts in a temporary folder (removed at the end), serves the pages in a process of their own
with a stand-in for the supervisor, asks for every page and for the searches that cost most, and then keeps streams open
while messages end all the time. Prints a table and one JSON document. Times of pages are by the clock, the best and the
worst of --rounds; what browsers cost is the processor time of the serving process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import psutil

from squad.config.schema import AgentConfig, SquadConfig, StoreConfig
from squad.store import queries
from squad.store.database import open_reader
from squad.store.metrics import Summary
from squad.store.metrics.journal import Measured
from squad.store.times import iso
from squad.store.writer import Writer
from tests.benchmark.depth import AGENTS, BYTES, bulk, finish, wait
from tests.web.stand_ins import convoy, core, gate_of, row, served

BOUND = 200.0  # milliseconds of a page
SHARE = 5.0  # percent of a core that ten browsers may cost
_METRICS = ("handling_ms", "waiting_ms")


def _config() -> SquadConfig:
    agent = {"class": "./agents.py:Agent"}
    names = [f"agent{n}" for n in range(AGENTS)]
    return SquadConfig(name="large", agents={name: AgentConfig.model_validate(agent) for name in names})


def _fill(path: Path, messages: int, queued: int) -> None:
    with closing(Writer(path, StoreConfig())):
        pass  # makes the tables
    with bulk(path) as connection:
        finish(connection, messages - queued)
        wait(connection, queued, f"'agent' || (i % {AGENTS})")
        now = time.time()
        connection.executemany(
            "INSERT INTO events (at, kind, subject, detail) VALUES (?, 'restarted', ?, '{\"reason\": \"a crash\"}')",
            [(iso(now - 100_000 + n), f"agent{n % AGENTS}") for n in range(50_000)],
        )
        shift = now - connection.execute("SELECT unixepoch(MAX(created_at)) FROM tasks").fetchone()[0]
        for column in ("created_at", "started_at", "completed_at"):
            connection.execute(
                f"UPDATE tasks SET {column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, ?)"  # noqa: S608 - one of three
                f" WHERE {column} IS NOT NULL",
                (f"{shift:+.0f} seconds",),
            )


def _measure(path: Path, hours: int) -> None:
    """Metrics of all agents for as long, as the storage writes and folds them."""
    now = time.time()
    with closing(Writer(path, StoreConfig())) as writer:
        for back in range(hours * 60, 0, -1):
            at = now - back * 60
            measured = [
                Measured(name, f"agent{n}", "work", "histogram", Summary.observed((1.0 + n, 2.0 * n + 1, 30.0)))
                for name in _METRICS
                for n in range(AGENTS)
            ]
            measured += [
                Measured("queue_depth", f"agent{n}", "", "gauge", Summary.gauged(float(n))) for n in range(AGENTS)
            ]
            with writer.transaction():
                writer.metrics.add(measured)
                writer.metrics.write(at)
        more = True
        while more:
            with writer.transaction():
                more = writer.metrics.fold(now, 30 * 86_400.0)


def _serve(path: Path, pipe: Connection) -> None:
    rows = [*core(), *(row(f"agent{n}") for n in range(AGENTS)), *convoy("checker", 8)]
    with served(gate_of(path, _config(), lambda: rows, write=True)) as address:
        pipe.send(address)
        pipe.recv()


@contextmanager
def _server(path: Path) -> Iterator[tuple[str, psutil.Process]]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(path, theirs))
    process.start()
    try:
        yield ours.recv(), psutil.Process(process.pid)
    finally:
        ours.send("enough")
        process.join(10)
        process.kill()


def _pages(path: Path) -> dict[str, str]:
    """Every page, and the searches that cost most, by what they are."""
    with open_reader(path) as pool, pool.connection() as database:
        newest = queries.messages(database, queries.Filter(status="completed"), limit=1)[0]
        waits = queries.messages(database, queries.Filter(status="queued"), limit=1)
    searches: dict[str, dict[str, Any]] = {
        "all": {},
        "by agent": {"agent": "agent7"},
        "by status: queued": {"status": "queued"},
        "by status: failed": {"status": "failed"},
        "by status, of which there is none": {"status": "expired"},
        "by type, of which there is none": {"type": "nowhere"},
        "by text, which is nowhere": {"text": "nowhere"},
        "by text, which is everywhere": {"text": "xxx"},
        "by id": {"text": newest.task_id[:18]},
        "by time": {"since": "1d", "until": iso(time.time() - 3600)},
        "by agent, deep": {"agent": "agent7", "before": 1000},
    }
    found = {
        "overview": "/",
        "agent": "/agents/agent7",
        "convoy": "/agents/checker",
        "queues": "/queues",
        "latency, 3 h": "/latency",
        "latency, 30 d": "/latency?span=30d",
        "resources": "/resources",
        "events": "/events",
        "events of messages": "/events?kind=completed",
        "configuration": "/configuration",
        "message": f"/messages/{newest.task_id}",
        "dead letters": "/dead",
        "dead letters, by an error that is nowhere": "/dead?error=nowhere",
        "chart, 3 h": "/series?chart=throughput",
        "chart, 30 d": "/series?chart=handling&span=30d",
        "chart of the agents with the most": "/series?chart=depth",
    }
    if waits:
        found["message that waits"] = f"/messages/{waits[0].task_id}"
    return found | {f"messages, {name}": f"/messages?{urlencode(query)}" for name, query in searches.items()}


def _timed(address: str, rounds: int, pages: dict[str, str]) -> dict[str, tuple[float, float]]:
    """The best and the worst time of each, milliseconds. The very first page loads the templates' engine."""
    urlopen(f"{address}/login").read()
    found = {}
    for name, page in pages.items():
        times = []
        for _ in range(rounds):
            time.sleep(1.0 if name in ("overview", "queues") else 0.0)  # so that nothing is left of the last reading
            began = time.perf_counter()
            with urlopen(address + page) as answer:
                answer.read()
            times.append((time.perf_counter() - began) * 1000)
        found[name] = min(times), max(times)
        print(f"{name:<46} {min(times):8.1f} {max(times):8.1f}  {'' if max(times) < BOUND else 'OVER'}")
    return found


def _watched(address: str, process: psutil.Process, path: Path, browsers: int, seconds: float) -> dict[str, float]:
    """What it costs (percent of a core) that nobody and that so many browsers look on, while messages end."""
    stop = threading.Event()

    def work() -> None:
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
            while not stop.wait(0.1):
                connection.execute(
                    "UPDATE tasks SET completed_at = ?, status = 'completed' WHERE id IN"
                    " (SELECT id FROM tasks WHERE status = 'queued' LIMIT 5)",
                    (iso(time.time()),),
                )

    def look(page: str) -> None:
        with urlopen(f"{address}/live{page}", timeout=60) as stream:
            while not stop.is_set():
                stream.readline()

    def read_charts() -> None:
        while not stop.wait(10 / max(1, browsers)):  # each browser's page has two, every ten seconds
            for chart in ("throughput", "depth"):
                with urlopen(f"{address}/series?chart={chart}") as answer:
                    answer.read()

    def spent() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    threading.Thread(target=work, daemon=True).start()
    before = spent()
    time.sleep(5)
    nobody = (spent() - before) / 5 * 100
    pages = ["/", "/agents/agent1", "/", "/messages", "/queues", "/dead", "/resources", "/latency", "/events", "/"]
    for n in range(browsers):
        threading.Thread(target=look, args=(pages[n % len(pages)],), daemon=True).start()
    threading.Thread(target=read_charts, daemon=True).start()
    time.sleep(3)
    before, began = spent(), time.monotonic()
    time.sleep(seconds)
    looking = (spent() - before) / (time.monotonic() - began) * 100
    stop.set()
    return {"nobody": round(nobody, 2), "browsers": round(looking, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--browsers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--hours", type=int, default=24 * 8, help="of metrics")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        if shutil.disk_usage(folder).free < asked.messages * BYTES * 3:
            print(f"there is too little room in {folder}: name another with --folder", file=sys.stderr)
            return 1
        path = Path(folder) / "squad.db"
        _fill(path, asked.messages, asked.queued)
        _measure(path, asked.hours)
        with _server(path) as (address, process):
            print(f"{'page':<46} {'best':>8} {'worst':>8}  milliseconds")
            pages = _timed(address, asked.rounds, _pages(path))
            cost = _watched(address, process, path, asked.browsers, asked.seconds)
            memory = process.memory_info().rss
    print(f"{asked.browsers} browsers: {cost['browsers']} % of a core; nobody: {cost['nobody']} %")
    print(json.dumps({"messages": asked.messages, "pages": pages, "percent": cost, "memory_bytes": memory}))
    return 0 if all(worst < BOUND for _, worst in pages.values()) and cost["browsers"] < SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
