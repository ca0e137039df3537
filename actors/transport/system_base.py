"""The system base that ``thespian.actors.ActorSystem`` is given by name."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from thespian.actors import ActorAddress, ThespianGeneration
from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.systemBase import ExternalOpsToActors, systemBase
from thespian.system.transport import ReceiveEnvelope

from squad.actors.transport.address import UnixAddress
from squad.actors.transport.ending import Lifeline, end_tree
from squad.actors.transport.mends import quieten, run_admin
from squad.actors.transport.processes import ChildProcess
from squad.actors.transport.unix import Endpoint, UnixTransport
from squad.errors import StartError

NAME = "squadUnixBase"
FOLDER = "Squad Socket Folder"  # the capability that carries the SocketFolder
_ADMIN_STARTS = timedelta(seconds=15)
_KILL = 5.0  # seconds for a killed process to be gone


class ActorSystemBase(systemBase):  # type: ignore[misc]
    """Always starts an admin of its own; ``admin`` is its process. Raises StartError if it does not come up.

    What users of Thespian know (createActor, tell, ask, shutdown) works. ``System`` does without: there a stopped actor
    holds up its caller for a minute, and an answer that came too late is given to the next question.
    """

    def __init__(self, system: Any, logDefs: object = None) -> None:  # noqa: N803 - Thespian's name
        quieten()
        folder = system.capabilities[FOLDER]
        address = ActorAddress(UnixAddress(folder.fresh()))
        ExternalOpsToActors.__init__(self, address)  # systemBase's own would look for an admin that runs already
        system.capabilities |= _about_this_process()
        self.transport = UnixTransport(Endpoint(None, folder.fresh(), address, folder))
        logs = logDefs if isinstance(logDefs, Mapping) else None
        endpoint = Endpoint(None, address.addressDetails.path, address, folder, logs)
        self.admin = ChildProcess(run_admin, (endpoint, self.transport.myAddress, system.capabilities))
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

    def shutdown(self) -> None:
        self.close(_KILL)

    def close(self, timeout: float) -> bool:
        """Kill the admin and everything below it. Whether all of it was gone within ``timeout`` seconds."""
        gone = end_tree(self.admin.pid if self.admin.is_alive() else None, self.lifeline, timeout)
        self.admin.is_alive()  # collects it
        self.lifeline.close()
        self.transport.close()
        return gone


def _about_this_process() -> dict[str, Any]:
    """The capabilities that every system of processes has."""
    return {
        "Thespian ActorSystem Name": NAME,
        "Thespian ActorSystem Version": 1,
        "Python Version": tuple(sys.version_info),
        "Thespian Generation": ThespianGeneration,
        "Thespian Version": str(int(time.time() * 1000)),
    }


def register() -> str:
    """Make this base known to Thespian, which looks for it under ``thespian.system.``. Returns its name."""
    sys.modules[f"thespian.system.{NAME}"] = sys.modules[__name__]
    return NAME
