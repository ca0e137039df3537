"""Does maintenance hold up a squad at work? Times from a send to its handler's start, without it and with it.

    python -m tests.benchmark.upkeep
    python -m tests.benchmark.upkeep --rows 300000 --rate 300 --rounds 3 --seconds 20

Makes a database with so many messages that ended long ago, starts a squad on it, and sends it a steady load. In each
round it measures a time in which nothing else is done, then one in which an equal part of the old messages leaves
(``squad maintenance run``), then one in which backups are made, one after the other. Prints a table, and everything as
one JSON document. All three are measured in one run and by turns, so what else the machine does concerns each alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from squad.client import Client
from squad.config.schema import StoreConfig
from squad.store.upkeep import report
from squad.store.writer import Writer
from tests.running import RunningSquad, eventually
from tests.store.old import DAY, Old, fill

AGENT = """\
import time

from squad import Agent, Context, handles, message


@message("tick")
class Tick:
    sent: float


class Timed(Agent):
    @handles(Tick)
    def tick(self, msg: Tick, ctx: Context) -> float:
        return time.monotonic() - msg.sent
"""
CONFIG = """\
agents:
  timed: {class: "./timed.py:Timed", send_rate: none}
maintenance: {messages: KEEPd, schedule: none}
"""
PHASES = ("nothing", "maintenance", "backups")
PAYLOAD = json.dumps({"text": "x" * 500})
YOUNGEST = 100  # days since the end of the messages that leave last

Figures = dict[str, float]


class Load:
    """Sends ``rate`` messages a second from a thread of its own until it is stopped; ids by the phase of their send."""

    def __init__(self, home: Path, rate: float) -> None:
        self.phase = ""
        self.sent: dict[str, list[str]] = {}
        self._home = home
        self._rate = rate
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _send(self) -> None:
        with Client(self._home) as client:
            began, number = time.monotonic(), 0
            while not self._stopped.is_set():
                number += 1
                self._stopped.wait(max(0.0, began + number / self._rate - time.monotonic()))
                phase = self.phase
                task = client.send("timed", "tick", {"sent": time.monotonic()})
                self.sent.setdefault(phase, []).append(task)


def keep(squad: RunningSquad, days: float) -> None:
    """What is older than that leaves from now on."""
    assert squad.config is not None
    squad.config.write_text(CONFIG.replace("KEEP", str(days)))
    squad.cli("reload")


def prepare(folder: Path, rows: int, rounds: int) -> RunningSquad:
    """A squad whose old messages come in as many parts as there are rounds, a day between two of them."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    Writer(home / "squad.db", StoreConfig()).close()
    now = time.time()
    for part in range(rounds):
        ended = now - (YOUNGEST + rounds - part) * DAY
        fill(home / "squad.db", [Old(ended - n / 1000) for n in range(rows // rounds)], PAYLOAD)
    (folder / "timed.py").write_text(AGENT)
    config = folder / "squad.yaml"
    config.write_text(CONFIG.replace("KEEP", "1000"))
    return RunningSquad(home, config)


def measure(folder: Path, rows: int, rate: float, rounds: int, seconds: float) -> dict[str, Figures]:
    with prepare(folder, rows, rounds) as squad:
        database = squad.home / "squad.db"

        def idle() -> None:
            time.sleep(seconds)

        def maintenance() -> None:
            squad.cli("maintenance", "run", timeout=1200)

        def backups() -> None:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                squad.cli("maintenance", "backup", "--force", str(folder / "copy.db"), timeout=1200)

        acts: dict[str, Callable[[], None]] = dict(zip(PHASES, (idle, maintenance, backups), strict=True))
        lasted = dict.fromkeys(PHASES, 0.0)
        with Load(squad.home, rate) as load:
            for number in range(rounds):
                for phase in PHASES:
                    if phase == "maintenance":
                        keep(squad, YOUNGEST + rounds - number - 0.5)
                    began = time.monotonic()
                    load.phase = phase
                    acts[phase]()
                    eventually(lambda phase=phase: load.sent.get(phase), f"a message in {phase}")  # type: ignore[misc]
                    load.phase = "between"
                    lasted[phase] += time.monotonic() - began
        last = load.sent["between"][-1] if "between" in load.sent else load.sent[PHASES[-1]][-1]
        squad.wait(last)
        eventually(lambda: not squad.query("SELECT 1 FROM tasks WHERE status IN ('queued', 'running')"), "all is done")
        left = report.progress(database).last
        assert left is not None
        found = {phase: figures(squad, load.sent.get(phase, []), lasted[phase]) for phase in PHASES}
        archived = squad.query("SELECT COUNT(*) FROM tasks_archive")[0][0]
        found["maintenance"]["archived"] = archived
        assert archived == rows // rounds * rounds, archived
        check = squad.cli("maintenance", "check")
        assert check.stdout == "", check.stdout
    return found


def figures(squad: RunningSquad, tasks: list[str], lasted: float) -> Figures:
    """Milliseconds from send to start."""
    wanted = set(tasks)
    rows = squad.query("SELECT task_id, result FROM tasks WHERE type = 'tick' AND status = 'completed'")
    waits = sorted(1000 * float(json.loads(row["result"])) for row in rows if row["task_id"] in wanted)
    assert len(waits) == len(wanted), f"{len(waits)} of {len(wanted)} were handled"

    def at(share: float) -> float:
        return round(waits[min(len(waits) - 1, int(share * len(waits)))], 2)

    return {
        "messages": len(waits),
        "seconds": round(lasted, 1),
        "mean_ms": round(statistics.fmean(waits), 2),
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "most_ms": round(waits[-1], 2),
    }


def table(found: dict[str, Figures]) -> str:
    names = ("messages", "seconds", "mean_ms", "p50_ms", "p90_ms", "p99_ms", "most_ms")
    lines = ["| meanwhile | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {phase} | " + " | ".join(f"{of[name]:g}" for name in names) + " |" for phase, of in found.items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000, help="old messages")
    parser.add_argument("--rate", type=float, default=300, help="messages a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="of the times without maintenance, and of backups")
    parser.add_argument("--folder", type=Path, help="where a folder is made for it, and removed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="upkeep-", dir=given.folder) as folder:
        found = measure(Path(folder), given.rows, given.rate, given.rounds, given.seconds)
    print(table(found))
    print(json.dumps({"given": vars(given), "found": found}, indent=2, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
