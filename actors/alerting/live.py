"""The facts that the monitor knows by itself, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from squad.actors.alerting.facts import Down, Live, Memory
from squad.actors.protocol import Roster


def live(  # noqa: PLR0913, PLR0917 - all that it knows
    roster: Roster,
    owner: Callable[[str], str],
    resident: Mapping[str, int],
    allowed: Mapping[str, int],
    machine_percent: float,
    throttle: float,
) -> Live:
    """``owner`` gives the agent or convoy of a worker; ``resident``: bytes, by worker; ``allowed``: bytes, by agent."""
    return Live(
        down(roster), _memory(owner, resident, allowed), machine_percent, throttle, " ".join(roster.storage.split())
    )


def down(roster: Roster) -> dict[str, Down]:
    """Who has failed, by agent or convoy; of several workers the last one's reason."""
    sizes = {name: size for name, size, _pinned, _workers in roster.convoys}
    found: dict[str, Down] = {}
    for name, agent, quarantined, why in roster.failed:
        before = found.get(agent, Down((), False, sizes.get(agent, 1), ""))
        reason = why.strip().splitlines()[0] if why.strip() else "its process ended"
        found[agent] = Down((*before.names, name), before.quarantined or quarantined, before.of, reason)
    return found


def _memory(owner: Callable[[str], str], resident: Mapping[str, int], allowed: Mapping[str, int]) -> dict[str, Memory]:
    found: dict[str, Memory] = {}
    for worker, size in resident.items() if allowed else ():
        agent = owner(worker)
        most = allowed.get(agent)
        if most is not None and (agent not in found or size > found[agent].resident):
            found[agent] = Memory(worker.rpartition(".")[0], size, most)
    return found
