"""At full load, and at half of it: one producer for a few agents, and many agents that send to each other."""

from __future__ import annotations

from pathlib import Path

from squad.benchmark.agents import hop, noop, ping, relay
from squad.benchmark.load import Message, evenly, flood, wait, warm_up
from squad.benchmark.numbers import Figures, latencies
from squad.benchmark.processes import AGENTS, roles
from squad.benchmark.sampling import Sampler
from squad.benchmark.scale import Scale
from squad.benchmark.squads import ThrowAway, squad_of

_CHAINS = 10  # messages that each agent has under way when all send to each other
_SHOWN = (AGENTS, "storage", "gateway")  # roles whose processor time for each message is told


def throughput(scale: Scale, folder: Path | None) -> Figures:
    """No-op messages from one client to a few agents."""
    agents = scale.producer_agents
    with squad_of(agents, folder, scale.synchronous) as squad:
        warm_up(squad, agents)
        found = _at_full_load(squad, [noop(n % agents) for n in range(scale.messages)], scale.messages)
        rate = found["messages_per_second"] / 2
        offered = {"half_offered_per_second": rate}
        sent = evenly(squad, rate, scale.seconds, lambda number, moment: ping(number % agents, moment))
        wait(squad)
        return {**found, **offered, "half_sent_per_second": sent, **latencies("half", squad.moments.new())}


def exchange(scale: Scale, folder: Path | None) -> Figures:
    """Agents that send to each other. At half load a client tells them when: half of all messages are its own."""
    agents = scale.exchange_agents
    with squad_of(agents, folder, scale.synchronous) as squad:
        warm_up(squad, agents)
        found = _at_full_load(squad, *chains(agents, scale.messages))
        rate = found["messages_per_second"] / 2
        offered = {"half_offered_per_second": rate}

        def told(number: int, _: float) -> Message:
            return relay(number % agents, (7 * number + 1) % agents)

        sent = evenly(squad, rate / 2, scale.seconds, told)
        wait(squad)
        return {**found, **offered, "half_sent_per_second": 2 * sent, **latencies("half", squad.moments.new())}


def chains(agents: int, messages: int) -> tuple[list[Message], int]:
    """The first messages of chains that make up so many messages in all, or a little more; and that number."""
    wide = max(1, min(_CHAINS * agents, messages // 2))
    hops = -(-messages // wide)
    return [hop(n % agents, hops - 1, 1 + n // agents % max(1, agents - 1)) for n in range(wide)], wide * hops


def _at_full_load(squad: ThrowAway, first: list[Message], total: int) -> Figures:
    with Sampler(squad.home.database, roles(squad)) as sampler:
        seconds = flood(squad, first)
    found = {"messages_per_second": total / seconds}
    found |= {f"full_{name}": value for name, value in sampler.figures().items()}
    each = {role: used / total * 1e6 for role, used in sampler.cpu.items()}
    found["cpu_us"] = sum(each.values())
    return found | {f"{role}_cpu_us": each[role] for role in _SHOWN if role in each}
