"""The supervisor's children and convoys: who is who, and who waits for whom."""

from __future__ import annotations

from squad.actors.supervision.children import Child, Convoy
from squad.actors.supervision.groups import Group, group_of, waits_for


class Table:
    """Children, convoys and groups by name."""

    def __init__(self) -> None:
        self.children: dict[str, Child] = {}
        self.convoys: dict[str, Convoy] = {}
        self.groups: dict[str, Group] = {}

    @property
    def storage(self) -> Child:
        return self.children["storage"]

    def by_worker(self, worker: str) -> Child | None:
        """The child that this very process is; None for one that is gone."""
        child = self.children.get(worker.rpartition(".")[0])
        return child if child is not None and child.worker == worker else None

    def named(self, name: str) -> list[Child]:
        """A child, or every worker of a convoy."""
        return [c for c in self.children.values() if name in (c.name, c.spec.recipient)]

    def workers(self, convoy: Convoy) -> list[Child]:
        return [c for c in self.children.values() if c.spec.kind == "worker" and c.spec.recipient == convoy.name]

    def obstacles(self, child: Child) -> list[str]:
        """What a child waits for before it starts, as names."""
        if not self.storage.ready:
            return [] if child is self.storage else ["storage"]
        if child.spec.core:
            return []
        name, settings = child.spec.recipient, child.spec.settings
        after = settings.after if settings is not None else []
        found = [other for other in waits_for(name, after, self.groups.values()) if not self._ready(other)]
        group = group_of(name, self.groups.values())
        if group is not None:  # members that are restarted together end together first
            found += [c.name for m in group.settings.members for c in self.named(m) if c.after_exit == "regroup"]
        return found

    def _ready(self, name: str) -> bool:
        """Whether what starts after ``name`` may start: it is ready, or it ended because its work is done."""
        if name in self.convoys:
            convoy = self.convoys[name]
            return sum(worker.ready for worker in self.workers(convoy)) >= convoy.size
        child = self.children.get(name)
        return child is not None and (child.ready or child.finished)
