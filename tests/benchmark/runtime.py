"""Measures the runtime: throughput, latency, start, memory, and recovery of a real squad.

    python -m tests.benchmark.runtime
    python -m tests.benchmark.runtime --only throughput,latency --repeat 3

Prints a table, and then all figures as one JSON document. What each figure means, and how it is taken, is told in
docs/performance.md. With --repeat each measurement is made anew on a new squad, and the median is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from squad.client import Client
from tests.running import RunningSquad, eventually

Figures = dict[str, float]

_PAYLOAD = 200  # bytes of a no-op message's payload
_COMMANDS = 5  # times fewer commands are run than messages sent
_PATIENCE = 120.0  # seconds until a measurement that does not end is given up


@dataclass(frozen=True)
class Scale:
    """How much of everything. The defaults are those of the published figures."""

    messages: int = 5000
    agents: int = 10
    seconds: float = 10.0
    rate: float = 100.0  # messages a second
    many: int = 50


class Unit(NamedTuple):
    name: str
    text: str


UNITS = {
    "messages_per_second": Unit("messages/s", "{:.0f}"),
    "commands_per_second": Unit("commands/s", "{:.0f}"),
    "p50_ms": Unit("ms", "{:.2f}"),
    "p99_ms": Unit("ms", "{:.2f}"),
    "max_ms": Unit("ms", "{:.2f}"),
    "sent_per_second": Unit("messages/s", "{:.1f}"),
    "ready_seconds": Unit("s", "{:.2f}"),
    "few_mb": Unit("MB", "{:.1f}"),
    "many_mb": Unit("MB", "{:.1f}"),
    "each_further_agent_mb": Unit("MB", "{:.2f}"),
    "median_seconds": Unit("s", "{:.3f}"),
    "max_seconds": Unit("s", "{:.3f}"),
}


@contextmanager
def squad_of(agents: int) -> Iterator[RunningSquad]:
    """A squad of so many agents ``a0``, ``a1``, … in a temporary home; started by the caller."""
    with tempfile.TemporaryDirectory(prefix="squad-benchmark-") as name:
        folder = Path(name)
        shutil.copyfile(Path(__file__).with_name("agents.py"), folder / "agents.py")
        config = folder / "squad.yaml"  # JSON is YAML
        each = {"class": "./agents.py:Worker"}
        config.write_text(json.dumps({"name": "benchmark", "agents": {f"a{n}": each for n in range(agents)}}))
        squad = RunningSquad(folder / "home", config)
        try:
            yield squad
            if squad.running:
                squad.stop()
        finally:
            squad.end_everything()


def throughput(scale: Scale) -> Figures:
    """No-op messages to several agents, from the first send to the last completion."""
    data = "x" * (_PAYLOAD - len('{"data":""}'))
    messages = [
        {"recipient": f"a{n % scale.agents}", "type": "noop", "payload": {"data": data}} for n in range(scale.messages)
    ]
    with squad_of(scale.agents) as squad:
        squad.start()
        with Client(squad.home) as client:
            _warm_up(client, scale)
            started = time.perf_counter()
            client.send_many(messages)
            eventually(lambda: _completed(squad, "noop") >= scale.messages, "all completed", _PATIENCE)
            return {"messages_per_second": scale.messages / (time.perf_counter() - started)}


def latency(scale: Scale) -> Figures:
    """One message every 1/rate seconds from an outside client: from just before the send to the handler's start."""
    sent: dict[str, float] = {}
    with squad_of(scale.agents) as squad:
        squad.start()
        with Client(squad.home) as client:
            _warm_up(client, scale)
            began = time.perf_counter()
            for number in range(round(scale.seconds * scale.rate)):
                time.sleep(max(0.0, began + number / scale.rate - time.perf_counter()))
                moment = time.time()
                sent[client.send(f"a{number % scale.agents}", "clock")] = moment
            spent = time.perf_counter() - began
        started = _clocks(squad, scale.agents + len(sent))  # the warm-up's among them
    delays = sorted((started[task] - moment) * 1000 for task, moment in sent.items())
    return {
        "p50_ms": statistics.median(delays),
        "p99_ms": delays[min(len(delays) - 1, int(len(delays) * 0.99))],
        "max_ms": delays[-1],
        "sent_per_second": len(sent) / spent,
    }


def start(scale: Scale) -> Figures:
    """From the command to start a squad of many agents until all of them are ready."""
    with squad_of(scale.many) as squad:
        began = time.perf_counter()
        squad.start(timeout=_PATIENCE)
        return {"ready_seconds": time.perf_counter() - began}


def memory(scale: Scale) -> Figures:
    """Proportional set size of all processes, the launcher included, with 4 agents and with many, idle."""
    sizes = []
    for agents in (4, scale.many):
        with squad_of(agents) as squad:
            squad.start(timeout=_PATIENCE)
            with Client(squad.home) as client:
                _warm_up(client, Scale(agents=agents))
            sizes.append(sum(_pss(pid) for pid in squad.processes()) / 1e6)
    few, many = sizes
    return {"few_mb": few, "many_mb": many, "each_further_agent_mb": (many - few) / (scale.many - 4)}


def recovery(scale: Scale) -> Figures:
    """From signal 9 to an idle agent until its successor handles a message; each agent is killed once."""
    gaps = []
    with squad_of(scale.agents) as squad:
        squad.start()
        with Client(squad.home) as client:
            _warm_up(client, scale)
            for number in range(scale.agents):
                before = time.time()
                squad.kill(f"a{number}")
                killed = time.time()
                task = client.send(f"a{number}", "clock")
                client.wait(task, timeout=_PATIENCE)
                handled = float(squad.task(task)["result"])
                assert handled > before, "handled before the kill"
                gaps.append(handled - killed)
    return {"median_seconds": statistics.median(gaps), "max_seconds": max(gaps)}


def commands(scale: Scale) -> Figures:
    """Messages to one agent whose command is ``true``, from the first send to the last completion."""
    with tempfile.TemporaryDirectory(prefix="squad-benchmark-") as name:
        config = Path(name) / "squad.yaml"
        agent = {"command": ["true"], "handles": ["run"]}
        config.write_text(json.dumps({"types": {"run": {"fields": {}}}, "agents": {"a0": agent}}))
        messages = [{"recipient": "a0", "type": "run", "payload": {}}] * max(1, scale.messages // _COMMANDS)
        with RunningSquad(Path(name) / "home", config) as squad, Client(squad.home) as client:
            client.wait(client.send("a0", "run"), timeout=_PATIENCE)
            started = time.perf_counter()
            client.send_many(messages)
            eventually(lambda: _completed(squad, "run") > len(messages), "all completed", _PATIENCE)
            return {"commands_per_second": len(messages) / (time.perf_counter() - started)}


MEASUREMENTS: dict[str, Callable[[Scale], Figures]] = {
    "throughput": throughput,
    "latency": latency,
    "start": start,
    "memory": memory,
    "recovery": recovery,
    "commands": commands,
}


def _warm_up(client: Client, scale: Scale) -> None:
    """Let every agent handle one message, so that nothing is imported or opened for the first time later on."""
    for task in client.send_many({"recipient": f"a{n}", "type": "clock", "payload": {}} for n in range(scale.agents)):
        client.wait(task, timeout=_PATIENCE)


def _completed(squad: RunningSquad, kind: str) -> int:
    sql = "SELECT count(*) FROM tasks WHERE type = ? AND status = 'completed'"
    return int(squad.query(sql, kind)[0][0])


def _clocks(squad: RunningSquad, least: int) -> dict[str, float]:
    """{message id: when its handler began}, once at least so many are completed."""
    eventually(lambda: _completed(squad, "clock") >= least, f"{least} completed", _PATIENCE)
    rows = squad.query("SELECT task_id, result FROM tasks WHERE type = 'clock' AND status = 'completed'")
    return {row["task_id"]: float(row["result"]) for row in rows}


def _pss(pid: int) -> int:
    """Bytes of a process, shared pages divided among those that share them; 0 if it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def measure(names: list[str], scale: Scale, repeat: int) -> dict[str, dict[str, list[float]]]:
    """{measurement: {figure: one value for each repetition}}"""
    found: dict[str, dict[str, list[float]]] = {}
    for name in names:
        for number in range(repeat):
            print(f"{name} {number + 1}/{repeat} ...", file=sys.stderr, flush=True)
            for figure, value in MEASUREMENTS[name](scale).items():
                found.setdefault(name, {}).setdefault(figure, []).append(round(value, 4))
    return found


def document(found: dict[str, dict[str, list[float]]], scale: Scale) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "scale": vars(scale),
        "figures": found,
    }


def table(found: dict[str, dict[str, list[float]]]) -> str:
    lines = [f"{'measurement':<12} {'figure':<22} {'median':>10} {'lowest':>10} {'highest':>10}  unit"]
    for name, figures in found.items():
        for figure, values in figures.items():
            unit = UNITS[figure]
            shown = [unit.text.format(value) for value in (statistics.median(values), min(values), max(values))]
            lines.append(f"{name:<12} {figure:<22} {shown[0]:>10} {shown[1]:>10} {shown[2]:>10}  {unit.name}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    default = Scale()
    parser = argparse.ArgumentParser(description="Measure the runtime of a squad.")
    parser.add_argument("--only", default=",".join(MEASUREMENTS), help=f"of: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--repeat", type=int, default=1, help="times each measurement is made (default: 1)")
    parser.add_argument("--messages", type=int, default=default.messages, help="for throughput (default: %(default)s)")
    parser.add_argument("--agents", type=int, default=default.agents, help="that take part (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of latency (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=default.rate, help="messages/s of latency (default: %(default)s)")
    parser.add_argument("--many", type=int, default=default.many, help="agents of start, memory (default: %(default)s)")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        parser.error(f"no measurement is called {', '.join(unknown)}: choose from {', '.join(MEASUREMENTS)}")
    if options.repeat < 1 or options.many <= 4 or options.agents < 1:
        parser.error("--repeat and --agents must be at least 1, --many at least 5")
    scale = Scale(options.messages, options.agents, options.seconds, options.rate, options.many)
    found = measure(names, scale, options.repeat)
    print(table(found))
    print()
    print(json.dumps(document(found, scale)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
