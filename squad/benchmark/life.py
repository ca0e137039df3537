"""A squad's life: its start, its memory, doing nothing, coming back after a crash, running programs, and the shell."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from squad.benchmark.agents import FILL, clock
from squad.benchmark.load import Message, flood, warm_up
from squad.benchmark.numbers import Figures
from squad.benchmark.processes import cpu_by_role, pss_of, roles
from squad.benchmark.scale import Scale
from squad.benchmark.squads import ThrowAway, squad_of
from squad.errors import StartError
from squad.store import queries

FEW = 4

_COMMANDS = 20  # times fewer commands are run than messages sent
_COMMAND_LIMIT = 60.0


def many(scale: Scale, folder: Path | None) -> Figures:
    """From the command until all of many agents are ready; memory of that whole squad, when it is ready and when each
    agent has handled a message, and of a small one then."""
    sizes = []
    seconds = ready = 0.0
    for agents in (FEW, scale.many):
        with squad_of(agents, folder, scale.synchronous) as squad:
            seconds, ready = squad.ready_after, pss_of(roles(squad))
            warm_up(squad, agents)
            sizes.append(pss_of(roles(squad)))
    few, all_of_them = sizes
    return {
        "ready_seconds": seconds,
        "ready_mb": ready,
        "few_mb": few,
        "many_mb": all_of_them,
        "each_further_agent_mb": (all_of_them - few) / max(1, scale.many - FEW),
    }


def idle(scale: Scale, folder: Path | None) -> Figures:
    """Processor time that a squad takes which has nothing to do: of one core."""
    with squad_of(scale.idle_agents, folder, scale.synchronous) as squad:
        warm_up(squad, scale.idle_agents)
        time.sleep(scale.settling)
        processes = roles(squad)
        began, before = time.monotonic(), cpu_by_role(processes)
        time.sleep(scale.idle_seconds)
        after, lasted = cpu_by_role(processes), time.monotonic() - began
        shares = {role: 100 * (used - before[role]) / lasted for role, used in after.items()}
        each = {f"{role}_core_percent": share for role, share in sorted(shares.items())}
        return {"core_percent": sum(shares.values()), **each}


def recovery(scale: Scale, folder: Path | None) -> Figures:
    """From signal 9 to an idle agent until its successor handles a message; each agent is killed once."""
    gaps = []
    with squad_of(scale.tries, folder, scale.synchronous) as squad:
        warm_up(squad, scale.tries)
        pids = {row["name"]: row["pid"] for row in squad.client.tree()["actors"]}
        for number in range(scale.tries):
            killed = time.monotonic()
            os.kill(pids[f"a{number}"], signal.SIGKILL)
            gaps.append(_handled(squad, clock(number)) - killed)
    return {"median_seconds": statistics.median(gaps), "slowest_seconds": max(gaps)}


def _handled(squad: ThrowAway, message: Message) -> float:
    """When its handler began, by the monotonic clock."""
    sent = squad.client.submit(message)
    if not squad.client.wait(sent.id, timeout=_COMMAND_LIMIT):
        raise StartError("the benchmark gave up: a killed agent did not come back")
    with squad.pool.connection() as database:
        return float(queries.message(database, sent.id).result or 0)


def commands(scale: Scale, folder: Path | None) -> Figures:
    """Messages to one agent whose command is ``true``, which does nothing."""
    agents = {"a0": {"command": ["true"], "handles": ["run"], "queue": {"limit": 1_000_000}}}
    sections = {"types": {"run": {"fields": {}}}, "agents": agents}
    with squad_of(1, folder, scale.synchronous, sections=sections) as squad:
        message = {"recipient": "a0", "type": "run", "payload": {}}
        flood(squad, [message])
        count = max(10, scale.messages // _COMMANDS)
        return {"commands_per_second": count / flood(squad, [message] * count)}


def shell(scale: Scale, folder: Path | None) -> Figures:
    """Whole processes of the command line, each in turn: the median of several."""
    with squad_of(1, folder, scale.synchronous) as squad:
        warm_up(squad, 1)
        send = ["--home", str(squad.home.path), "send", "a0", "noop", "--data", f'{{"data":"{FILL}"}}']
        lines = {"send_seconds": send, "help_seconds": ["--help"]}
        taken: dict[str, list[float]] = {name: [] for name in lines}
        for _ in range(scale.tries + 1):
            for name, words in lines.items():
                taken[name].append(_run(words))
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}  # the first reads from the disk


def _run(words: list[str]) -> float:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "squad.cli", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_LIMIT,
        check=False,
    )
    taken = time.monotonic() - began
    if done.returncode:
        raise StartError(f"squad {' '.join(words[:4])} … failed with status {done.returncode}: {done.stderr.strip()}")
    return taken
