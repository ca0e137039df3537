"""What one transaction of the broker leads to once it is committed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from squad.actors.protocol import Address, Maintain
from squad.store.rows import Lease, Running


@dataclass(slots=True)
class Round:
    """See the module. Workers are named; ``answers`` go out after the deliveries, in order."""

    answers: list[tuple[Address, Any]] = field(default_factory=list)
    settled: dict[str, list[tuple[int, int, bool]]] = field(default_factory=lambda: defaultdict(list))
    leases: dict[str, list[Lease]] = field(default_factory=lambda: defaultdict(list))
    returned: list[tuple[str, int]] = field(default_factory=list)  # worker, row
    ended: list[tuple[str, str, str]] = field(default_factory=list)  # task_id, root_id, status
    gone: list[str] = field(default_factory=list)
    exhausted: set[str] = field(default_factory=set)  # recipients with nothing more to hand out
    cancelled: list[Running] = field(default_factory=list)  # whose handlers must be told
    maintenance: list[tuple[Maintain, Address]] = field(default_factory=list)  # that is wanted
