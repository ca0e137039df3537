"""The two roots of an actor tree: Thespian's admin, our child, and the supervisor, the admin's."""

from __future__ import annotations

import os
import select
from typing import Any

from squad.actors import accepted
from squad.actors.protocol import Boot, Booting, StopSquad
from squad.actors.supervision.supervisor import Supervisor
from squad.actors.transport import open_system
from squad.errors import StartError
from squad.launcher.plan import Plan

_BOOTS = 15.0  # seconds for the supervisor to answer
_HEARS = 2.0  # seconds for it to take an order; a frozen one never does
_CLOSES = 5.0  # seconds for killed processes to be gone


class Roots:
    """A running tree. Making one starts it: raises StartError, and HomeError for a folder that cannot be used."""

    def __init__(self, plan: Plan, generation: int) -> None:
        self._names: dict[int, str] = {}  # by descriptor of the process
        self._system = open_system(plan.home / "run", plan.config.runtime.transport)
        try:
            self._supervisor: Any = self._system.create(Supervisor)
            config, recipients = accepted.kept(plan.home) or (plan.config, plan.recipients)
            boot = Boot(str(plan.home), config, generation, recipients, plan.only)
            self.supervisor_pid = _pid(self._system.ask(self._supervisor, boot, _BOOTS), plan)
            self._hold(self.supervisor_pid, "the supervisor")
            self._hold(self._system.admin_pid, "Thespian's admin")
        except BaseException:
            self.close()
            raise

    def _hold(self, pid: int, name: str) -> None:
        try:
            self._names[os.pidfd_open(pid)] = name
        except ProcessLookupError:
            raise StartError(f"{name} ended at once") from None

    @property
    def handles(self) -> tuple[int, ...]:
        """Descriptors that are readable when a root has ended."""
        return tuple(self._names)

    def ended(self) -> str:
        """The root that has ended, or an empty string while both live."""
        poll = select.poll()
        for handle in self._names:
            poll.register(handle, select.POLLIN)
        return " and ".join(self._names[handle] for handle, _ in poll.poll(0))

    def stop(self, grace: float) -> bool:
        """Tell the supervisor to end the squad within ``grace`` seconds. Whether it took the message."""
        return self._system.tell(self._supervisor, StopSquad(grace), _HEARS)

    def close(self) -> None:
        """Kill what is left of the tree. Raises StartError for a process that survives it."""
        for handle in self._names:
            os.close(handle)
        self._names = {}
        self._system.close(_CLOSES)


def _pid(answer: object, plan: Plan) -> int:
    if not isinstance(answer, Booting):
        raise StartError("the supervisor did not start", hint=f"its log is {plan.home}/logs/supervisor.jsonl")
    return answer.pid
