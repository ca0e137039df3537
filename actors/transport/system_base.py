"""The system base that ``thespian.actors.ActorSystem`` is given by name."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.systemBase import ExternalOpsToActors
from thespian.system.transport import ExternalInterfaceTransportInit, ReceiveEnvelope

from squad.actors.transport.ending import Lifeline, end_tree
from squad.actors.transport.mends import quieten, run_admin
from squad.actors.transport.processes import ChildProcess
from squad.actors.transport.unix import UnixTransport
from squad.errors import StartError

NAME = "squadUnixBase"
_ADMIN_STARTS = timedelta(seconds=15)
_KILL = 5.0  # seconds for a killed process to be gone


class ActorSystemBase(ExternalOpsToActors):  # type: ignore[misc]
    """Always starts an admin of its own; ``admin`` is its process. Raises StartError if it does not come up."""

    def __init__(self, system: Any, logDefs: object = None) -> None:  # noqa: N803 - Thespian's name
        quieten()
        system.capabilities["Thespian ActorSystem Name"] = NAME
        self.transport = UnixTransport(ExternalInterfaceTransportInit(), system.capabilities)
        address = self.transport.getAdminAddr(system.capabilities)
        super().__init__(address)
        endpoint = self.transport.prepEndpoint(address, system.capabilities)
        arguments = (endpoint, self.transport.myAddress, address, system.capabilities)
        self.admin = ChildProcess(run_admin, arguments)
        try:
            self.lifeline = Lifeline(self.admin.start)
        except OSError as error:
            self.transport.close()
            raise StartError(f"no process can be started: {error.strerror}") from error
        answer = self.transport.run(None, _ADMIN_STARTS)
        if not (isinstance(answer, ReceiveEnvelope) and isinstance(answer.message, EndpointConnected)):
            self.close(_KILL)
            raise StartError(
                "Thespian's admin did not start", hint="its own words are in logs/thespian.log of the home"
            )

    def close(self, timeout: float) -> bool:
        """Kill the admin and everything below it. Whether all of it was gone within ``timeout`` seconds."""
        gone = end_tree(self.admin.pid if self.admin.is_alive() else None, self.lifeline, timeout)
        self.admin.is_alive()  # collects it
        self.lifeline.close()
        self.transport.close()
        return gone


def register() -> str:
    """Make this base known to Thespian, which looks for it under ``thespian.system.``. Returns its name."""
    sys.modules[f"thespian.system.{NAME}"] = sys.modules[__name__]
    return NAME
