"""How fast a whole squad works on a queue: a short one, and one that is a million messages deep.

    python -m tests.benchmark.backlog
    python -m tests.benchmark.backlog --deep 3000000 --rounds 5 --folder /var/tmp

Fills the mailboxes of four agents before the squad starts (700 bytes of the disk for each message; all of it is removed
again), and measures in turn, with a short queue and with a deep one: messages completed a second while the agents work
it off, and how many a second are taken from one client while all handling is frozen. Prints medians and their ratio.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from squad.benchmark.agents import noop
from squad.benchmark.processes import cpu_by_role, roles
from squad.benchmark.squads import ThrowAway, temporary
from squad.config.schema import StoreConfig
from squad.store.writer import Writer
from tests.benchmark.depth import BYTES, bulk

AGENTS = 4
BEGIN = 2000  # messages that are handled before the measuring begins
BATCH = 500

_FILL = """
    INSERT INTO tasks (task_id, root_id, sender, recipient, type, created_at, payload)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
    SELECT printf('%08x-0000-7000-8000-%012x', :now, i), printf('%08x-0000-7000-8000-%012x', :now, i),
           'bench', 'a' || (i % :agents), 'noop', strftime('%Y-%m-%dT%H:%M:%fZ', :now, 'unixepoch'), :payload
    FROM n
"""
_DONE = "SELECT messages FROM totals WHERE status = 'completed'"

Figures = dict[str, float]


def fill(path: Path, count: int) -> None:
    """``count`` messages that wait, in a new database."""
    path.parent.mkdir(mode=0o700)
    Writer(path, StoreConfig()).close()
    given = {"count": count, "now": int(time.time()), "agents": AGENTS, "payload": _text()}
    with bulk(path) as raw:
        raw.execute(_FILL, given)


def _text() -> str:
    data: str = noop(0)["payload"]["data"]
    return f'{{"data":"{data}"}}'


def squad(place: Path) -> ThrowAway:
    common = {
        "class": "squad.benchmark.agents:Worker",
        "options": {"agents": AGENTS, "moments": str(place / "moments")},
        "send_rate": "none",
        "queue": {"limit": 100_000_000},
    }
    return ThrowAway({"name": "backlog", "agents": {f"a{n}": common for n in range(AGENTS)}}, place)


def work(folder: Path | None, waiting: int, count: int) -> Figures:
    """Of a squad that finds so many messages waiting and handles ``count`` of them; then of as many sends."""
    with temporary(folder) as place:
        path = place / "home" / "squad.db"
        fill(path, waiting)
        with squad(place) as running, running.pool.connection() as database:

            def done() -> int:
                found: int = database.execute_sql(_DONE).fetchone()[0]
                return found

            running.until(lambda: done() >= BEGIN, "the first messages", 60, every=0.002)
            processes = roles(running)
            first, used, began = done(), sum(cpu_by_role(processes).values()), time.monotonic()
            running.until(lambda: done() >= first + count, "the messages", 300, every=0.002)
            handled, spent = done() - first, time.monotonic() - began
            figures = {
                "completed a second": handled / spent,
                "µs of processor for each": (sum(cpu_by_role(processes).values()) - used) / handled * 1e6,
            }
            running.client.freeze(reason="only sends are measured now")
            used, began = sum(cpu_by_role(processes).values()), time.monotonic()
            running.client.send_many([noop(n % AGENTS) for n in range(count)], batch=BATCH)
            spent = time.monotonic() - began
            figures["taken a second"] = count / spent
            figures["µs of processor for each taken"] = (sum(cpu_by_role(processes).values()) - used) / count * 1e6
            return figures


def measure(folder: Path | None, deep: int, count: int, rounds: int) -> dict[int, list[Figures]]:
    """By how many wait, the figures of each round."""
    depths = (BEGIN + 3 * count, deep)
    found: dict[int, list[Figures]] = {depth: [] for depth in depths}
    for number in range(rounds):
        for depth in depths if number % 2 == 0 else depths[::-1]:
            found[depth].append(work(folder, depth, count))
    return found


def table(found: dict[int, list[Figures]]) -> str:
    short, deep = found
    lines = [
        f"| median of {len(found[short])} | {short:,} wait | {deep:,} wait | ratio |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name in found[short][0]:
        before, after = (statistics.median(figures[name] for figures in found[depth]) for depth in (short, deep))
        lines.append(f"| {name} | {before:,.1f} | {after:,.1f} | {after / before:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.backlog", description=__doc__.split("\n\n")[0])
    parser.add_argument("--deep", type=int, default=1_000_000, help="messages of the deep queue")
    parser.add_argument("--messages", type=int, default=30_000, help="that are handled, and sent, in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to make the squads (the system's temporary folder)")
    given = parser.parse_args()
    need, free = (
        BYTES * (given.deep + 2 * given.messages),
        shutil.disk_usage(given.folder or tempfile.gettempdir()).free,
    )
    if need > free * 0.8:
        parser.error(f"{need:,} bytes are needed, and {free:,} are free; give fewer messages")
    print(table(measure(given.folder, given.deep, given.messages, given.rounds)))


if __name__ == "__main__":
    main()
