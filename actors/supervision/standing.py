"""How it stands with the squad's processes: what the supervisor tells the monitor for its alerts."""

from __future__ import annotations

from squad.actors.broker.trouble import DAMAGED, FAILING
from squad.actors.supervision.lifecycle import Lifecycle

Standing = tuple[tuple[tuple[str, str, bool, str], ...], str, bool]
"""Who has failed and is not ready again (name, agent or convoy, whether it is quarantined, why); why the storage cannot
write; whether the squad stops. The last fields of a Roster."""


def standing(life: Lifecycle) -> Standing:
    """What was stopped, restarted or reloaded on purpose has not failed."""
    failed = tuple(
        (child.name, child.spec.recipient or child.name, child.state == "quarantined", child.last_error)
        for child in life.children.values()
        if child.failed or child.state == "quarantined"
    )
    storage = life.storage
    return failed, storage.last_error if storage.state in (FAILING, DAMAGED) else "", life.stopping
