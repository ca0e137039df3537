"""What many agents cost: their start, one message to each, doing nothing, and the stop.

    python -m tests.benchmark.crowd [--agents 1000] [--idle 30]

A squad in a temporary home. ``cpu`` is the processor time of all its processes in the phase, in seconds; of those that
ended meanwhile too, except for the stop, whose cost is that of the launcher's whole life less what was counted before.
``wakeups`` are the voluntary context switches of all threads: how often one of them went to sleep after it was woken.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from squad.client import Client
from tests.running import RunningSquad, eventually

_PATIENCE = 600.0  # seconds for any one phase
_TICK = os.sysconf("SC_CLK_TCK")
_SETTLES = 12.0  # seconds after which connections that nobody uses are closed


AGENTS = """
import time

from squad import Agent, Context, handles, message


@message("clock")
class Clock:
    pass


class Worker(Agent):
    @handles(Clock)
    def clock(self, msg: Clock, ctx: Context) -> float:
        return time.time()
"""


@contextmanager
def squad_of(agents: int) -> Iterator[RunningSquad]:
    """A squad of so many agents ``a0``, ``a1``, … in a temporary home; started by the caller."""
    with tempfile.TemporaryDirectory(prefix="squad-crowd-") as name:
        config = Path(name) / "squad.yaml"
        config.with_name("agents.py").write_text(AGENTS)
        each = {"class": "./agents.py:Worker"}
        config.write_text(json.dumps({"name": "crowd", "agents": {f"a{n}": each for n in range(agents)}}))  # it is YAML
        squad = RunningSquad(Path(name) / "home", config)
        try:
            yield squad
        finally:
            squad.end_everything()


class Usage(NamedTuple):
    """Of one process so far."""

    title: str
    cpu: float  # seconds; of the children that it has collected too
    wakeups: int
    descriptors: int
    pss: int  # bytes


def usage(pid: int, *, memory: bool = False) -> Usage | None:
    """None for a process that has ended."""
    place = Path(f"/proc/{pid}")
    wakeups = 0
    try:
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        for task in (place / "task").iterdir():
            with suppress(OSError):
                status = (task / "status").read_text()
                wakeups += int(status.partition("\nvoluntary_ctxt_switches:")[2].split(maxsplit=1)[0])
        title = (place / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
        pss = 0
        if memory:
            lines = (place / "smaps_rollup").read_text().splitlines()
            pss = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return Usage(title, sum(map(int, fields[11:15])) / _TICK, wakeups, len(list((place / "fd").iterdir())), pss)
    except OSError:
        return None


def everybody(pids: Iterable[int], *, memory: bool = False) -> dict[int, Usage]:
    return {pid: found for pid in pids if (found := usage(pid, memory=memory)) is not None}


def cpu(usages: dict[int, Usage]) -> float:
    return sum(each.cpu for each in usages.values())


def kind(title: str) -> str:
    """All agents together."""
    return "agents" if title.startswith("squad: a") and title != "squad: admin" else title


def by_kind(usages: dict[int, Usage]) -> dict[str, float]:
    spent: Counter[str] = Counter()
    for each in usages.values():
        spent[kind(each.title)] += round(each.cpu * 1000)
    return {title: milliseconds / 1000 for title, milliseconds in spent.most_common(8)}


class Idle(NamedTuple):
    cpu_percent: float  # of one core
    wakeups_per_second: float
    milliseconds_of: dict[str, int]  # of processor time, by title: those that have most
    wakeups_of: dict[str, int]


def idle(pids: Iterable[int], seconds: float) -> Idle:
    """What the processes do while nobody wants anything of them."""
    before = everybody(pids)
    time.sleep(seconds)
    after = everybody(before)
    spent: Counter[str] = Counter()
    woken: Counter[str] = Counter()
    for pid, then in after.items():
        spent[kind(then.title)] += round((then.cpu - before[pid].cpu) * 1000)
        woken[kind(then.title)] += then.wakeups - before[pid].wakeups
    return Idle(
        round(sum(spent.values()) / seconds / 10, 3),
        round(sum(woken.values()) / seconds, 2),
        dict(spent.most_common(8)),
        dict(woken.most_common(8)),
    )


def measure(agents: int, seconds: float) -> dict[str, object]:
    figures: dict[str, object] = {"agents": agents}
    with squad_of(agents) as squad:
        began = time.perf_counter()
        squad.start(timeout=_PATIENCE)
        ready = time.perf_counter() - began
        here = everybody(squad.processes(), memory=True)
        figures["start"] = {
            "seconds": round(ready, 2),
            "cpu": round(cpu(here), 2),
            "cpu_of": by_kind(here),
            "processes": len(here),
            "pss_mb": round(sum(each.pss for each in here.values()) / 1e6, 1),
            "most_descriptors": max((each.descriptors, each.title) for each in here.values()),
        }
        figures["messages"] = one_to_each(squad, agents)
        time.sleep(_SETTLES)
        figures["idle"] = idle(squad.processes(), seconds)._asdict()
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        before, left = spent.ru_utime + spent.ru_stime, cpu(everybody(squad.processes()))
        began = time.perf_counter()
        status = squad.stop(timeout=_PATIENCE)
        took = time.perf_counter() - began
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures["stop"] = {
            "seconds": round(took, 2),
            "cpu": round(spent.ru_utime + spent.ru_stime - before - left, 2),
            "status": status,
            "processes_left": len(squad.processes()),
            "unfinished": len(json.loads((squad.home / "last_stop.json").read_text())["unfinished"]),
        }
    return figures


def one_to_each(squad: RunningSquad, agents: int) -> dict[str, float]:
    before = cpu(everybody(squad.processes()))
    began = time.perf_counter()
    with Client(squad.home) as client:
        client.send_many([{"recipient": f"a{n}", "type": "clock", "payload": {}} for n in range(agents)])

    def done() -> bool:
        rows = squad.query("SELECT count(*) FROM tasks WHERE status = 'completed'")
        return bool(rows[0][0] == agents)

    eventually(done, "every agent has answered", _PATIENCE)
    took = time.perf_counter() - began
    return {"seconds": round(took, 2), "cpu": round(cpu(everybody(squad.processes())) - before, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds")
    options = parser.parse_args()
    print(json.dumps(measure(options.agents, options.idle), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
