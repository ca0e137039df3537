"""Who waits for which message, or for which tree of messages, to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from squad.actors.protocol import Address, Watch, Watched
from squad.store.backend import Backend


class Watches:
    """See the module."""

    def __init__(self, writer: Backend) -> None:
        self._writer = writer
        self._watches: dict[str, tuple[str, bool, Address]] = {}  # request -> task_id, tree, who

    def add(self, msg: Watch, sender: Address) -> Watched | None:
        """The answer, when it has ended already."""
        ended = self._writer.tree_ended(msg.task_id) if msg.tree else self._writer.ended(msg.task_id)
        if ended:
            return Watched(msg.request)
        self._watches[msg.request] = (msg.task_id, msg.tree, sender)
        return None

    def drop(self, request: str) -> None:
        self._watches.pop(request, None)

    def after(self, ended: Sequence[tuple[str, str, str]]) -> Iterator[tuple[Address, Watched]]:
        """Whom to answer now that these (task_id, root_id, status) have ended. After the commit."""
        tasks = {task_id for task_id, _, _ in ended}
        for request, (task_id, tree, address) in list(self._watches.items()):
            if self._writer.tree_ended(task_id) if tree else task_id in tasks:
                del self._watches[request]
                yield address, Watched(request)

    def __bool__(self) -> bool:
        return bool(self._watches)
