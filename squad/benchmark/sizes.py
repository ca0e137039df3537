"""One squad for each number of agents, and all that is asked of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from squad.benchmark.agents import noop, ping, ticks
from squad.benchmark.load import flood, one_by_one, wait, warm_up
from squad.benchmark.numbers import Figures, latencies
from squad.benchmark.processes import AGENTS, pss_by_role, roles
from squad.benchmark.sampling import Sampler
from squad.benchmark.scale import Scale, Size
from squad.benchmark.squads import ThrowAway, squad_of
from squad.benchmark.throughput import chains
from squad.errors import StartError
from squad.store import queries
from squad.store.database import Pool

_BEATS = 100.0  # a second, of the metronome
_LISTED = 100  # messages in a list
_ROUNDS = 50.0  # a second, of work on the store


def latency(scale: Scale, folder: Path | None) -> Figures:
    """A steady rate of single messages, first from a client and then from an agent."""
    with squad_of(scale.latency_agents, folder, scale.synchronous, metronome=True) as squad:
        warm_up(squad, scale.latency_agents)
        return _latencies(squad, scale.latency_agents, scale, round(scale.rate * scale.seconds))


def measure(size: Size, scale: Scale, folder: Path | None) -> Figures:
    """Everything at one size: at full load, single messages at a steady rate, and work on the store meanwhile."""
    agents, total = size.agents, size.total
    with squad_of(agents, folder, scale.synchronous, metronome=True) as squad:
        warm_up(squad, agents)
        found = {"messages_per_second": total / flood(squad, [noop(n % agents) for n in range(total)])}
        first, hops = chains(agents, total)
        found["exchange_per_second"] = hops / flood(squad, first)
        found |= _latencies(squad, agents, scale, min(total, round(scale.rate * scale.seconds)))
        return found | _store(squad, agents, scale, min(total, round(_ROUNDS * scale.seconds)))


def _latencies(squad: ThrowAway, agents: int, scale: Scale, count: int) -> Figures:
    def send(number: int, moment: float) -> None:
        squad.client.submit(ping(number % agents, moment))

    sent = one_by_one(count, scale.rate, send)
    wait(squad)
    outside = latencies("outside", _all(squad, count))
    squad.client.submit(ticks(count, scale.rate, 1))
    wait(squad)
    return {**latencies("agent", _all(squad, count)), **outside, "outside_sent_per_second": sent}


def _all(squad: ThrowAway, count: int) -> list[float]:
    """What was recorded of ``count`` messages."""
    found = squad.moments.new()
    if len(found) != count:
        raise StartError(f"the benchmark is wrong: {len(found)} messages were handled, not {count}")
    return found


def _store(squad: ThrowAway, agents: int, scale: Scale, rounds: int) -> Figures:
    """Reads and writes, each by itself, while an agent keeps the others busy at a steady rate."""
    known = squad.client.submit(noop(0)).id
    each = max(1, round(scale.steady / _BEATS))
    squad.client.submit(ticks(round(rounds / _ROUNDS * scale.steady), scale.steady, each))
    work: dict[str, Callable[[], object]] = {
        "list": lambda: _read(squad.pool, lambda database: queries.messages(database, queries.Filter(), _LISTED)),
        "show": lambda: _read(squad.pool, lambda database: queries.message(database, known)),
        "depth": lambda: _read(squad.pool, queries.queue_depth),
        "write": lambda: squad.client.submit(noop(0)),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}

    def one_round(number: int, moment: float) -> None:
        for name, do in work.items():
            with _timed(taken[name]):
                do()

    processes = roles(squad)
    with Sampler(squad.home.database, processes, memory=True) as sampler:
        one_by_one(rounds, _ROUNDS, one_round)
    wait(squad)
    squad.moments.new()
    found: Figures = {}
    for name, milliseconds in taken.items():
        found |= latencies(name, milliseconds)
    memory = pss_by_role(processes)
    return {
        **found,
        **sampler.figures(),
        "memory_mb": sum(memory.values()),
        "highest_memory_mb": max(sampler.highest, sum(memory.values())),
        "agent_memory_mb": memory[AGENTS] / (agents + 1),  # the metronome is one of them
    }


def _read(pool: Pool, question: Callable[..., object]) -> None:
    with pool.connection() as database:
        question(database)


@contextmanager
def _timed(into: list[float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    into.append((time.monotonic() - began) * 1000)
