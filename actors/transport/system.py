"""A running actor system, as the launcher holds it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squad.actors.transport.folder import SocketFolder, open_folder
from squad.actors.transport.handing import hand
from squad.actors.transport.version import require_thespian
from squad.errors import StartError

if TYPE_CHECKING:
    from squad.actors.transport.insecure_tcp import InsecureTcpSystem

Address = Any

_CREATE = 30.0  # seconds for an actor to be there
_TELL = 5.0  # seconds for a message to be taken


def open_system(run_dir: Path, transport: str = "unix") -> System | InsecureTcpSystem:
    """Start Thespian's admin as a child of this process. The one place where the system base is chosen: ``transport``
    is "unix", or "insecure-tcp", which has fewer guarantees (see ``insecure_tcp``).

    ``run_dir`` (the home's ``run``) is made 0700 and rid of old sockets; Thespian's log is ``logs/thespian.log``
    beside it. Call it from the main thread: when the thread that called it ends, so does the whole tree.
    Raises StartError, or HomeError if ``run_dir`` cannot be used.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("open_system() must be called from the main thread, whose end is the tree's end")
    require_thespian()
    if transport not in ("unix", "insecure-tcp"):
        raise StartError(f"there is no transport {transport!r}", hint="there are 'unix' and 'insecure-tcp'")
    from thespian.actors import ActorSystem

    from squad.actors.transport.system_base import FOLDER, register

    folder = open_folder(Path(run_dir))
    try:
        _log_to(folder.path.parent / "logs" / "thespian.log")
        folder.sweep()
        if transport == "insecure-tcp":
            from squad.actors.transport.insecure_tcp import InsecureTcpSystem

            folder.close()
            return InsecureTcpSystem()
        return System(ActorSystem(register(), capabilities={FOLDER: folder}, transientUnique=True), folder)
    except BaseException:
        folder.close()
        raise


def _log_to(path: Path) -> None:
    """Thespian reads THESPLOG_FILE once in a process, and would stay with the log of the first system."""
    from thespian.system import utilis

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    utilis._thesplog_file, utilis._thesplog_old_file = str(path), f"{path}.old"


class System:
    """Made by ``open_system``. Every exchange has an endpoint of its own: a late answer finds nobody."""

    def __init__(self, thespian: Any, folder: SocketFolder) -> None:
        self._base = thespian._systemBase
        self._folder = folder
        self._created = 0
        self._closed = self._gone = False

    @property
    def admin_pid(self) -> int:
        pid: int = self._base.admin.pid
        return pid

    def alive(self) -> bool:
        """Whether the admin lives. When it does not, neither does any actor, or not for long."""
        alive: bool = self._base.admin.is_alive()
        return alive

    def create(self, actor_class: type[Any]) -> Address:
        """The address of a new actor, a child of the admin, once it runs.

        The class must be at the top level of a module. Raises StartError if the actor, or the admin, does not run.
        """
        from thespian.system.messages.admin import PendingActor, PendingActorResponse

        self._created += 1
        name = f"{actor_class.__module__}.{actor_class.__qualname__}"
        request = PendingActor(name, None, self._created, None, globalName=None)
        answer = self._exchange(
            self._base.adminAddr, request, _CREATE, lambda message: isinstance(message, PendingActorResponse)
        )
        if answer is None:
            raise StartError(
                f"{actor_class.__name__} did not start", hint="the actor system is down or does not answer"
            )
        if answer.errorCode or not answer.actualAddress:
            raise StartError(f"{actor_class.__name__} did not start: {answer.errorStr or 'no reason given'}")
        return answer.actualAddress

    def tell(self, address: Address, message: object, timeout: float = _TELL) -> bool:
        """Send. True once the process at ``address`` has the message. False if it is dead, or has not taken it within
        ``timeout`` seconds: a stopped process may do so later."""
        return hand(address.addressDetails.path, self._folder.fresh(), message, timeout)

    def ask(self, address: Address, message: object, timeout: float) -> Any:
        """The first message that comes back within ``timeout`` seconds; None if none does, or at once if it is dead."""
        from thespian.system import isInternalActorSystemMessage

        return self._exchange(address, message, timeout, lambda reply: not isInternalActorSystemMessage(reply))

    def _exchange(self, address: Address, message: object, timeout: float, wanted: Callable[[Any], bool]) -> Any:
        """The first answer that is ``wanted``."""
        from thespian.system.transport import ReceiveEnvelope

        from squad.actors.transport.unix import Letter

        deadline = time.monotonic() + timeout
        lost: list[object] = []
        with closing(self._base.transport.external_transport_clone()) as transport:

            def is_lost(status: object, _letter: Letter) -> None:
                lost.append(status)
                transport.abort_run()

            transport.post(address.addressDetails.path, message, Letter(address, message, is_lost))
            while not lost and (left := deadline - time.monotonic()) > 0:
                received = transport.run(None, left)
                if isinstance(received, ReceiveEnvelope) and wanted(received.message):
                    return received.message
        return None

    def close(self, timeout: float = 5.0) -> bool:
        """Kill the admin, every actor and what they have forked, whatever state they are in, and remove what they left.

        Actors which should end in order are told so before. True: every process is gone. False: the kernel still has
        one after ``timeout`` seconds. Idempotent.
        """
        if not self._closed:
            self._closed = True
            self._gone = self._base.close(timeout)
            self._folder.sweep()
            self._folder.close()
        return self._gone
