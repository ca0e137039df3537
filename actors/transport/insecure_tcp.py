"""Thespian's multiprocTCPBase as it is, for comparison: open to the network, and slow.

It listens on every interface and unpickles whatever comes in. Of what ``mends`` and ``processes`` do, only this works
here: actors die with their parent, a child's pid is known, ``leave`` sends what was told, and nothing of the tree
survives ``close``. Several children that die at once may still be reported as one, their exits twice, a message that
cannot be handled twice; what waits for a stopped actor holds up others, and descriptors are inherited.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psutil
from thespian.actors import ActorSystem, ActorSystemException
from thespian.system import multiprocCommon
from thespian.system.multiprocCommon import MultiProcManager
from thespian.system.systemBase import ExternalOpsToActors
from thespian.system.transport import TransmitOnly

from squad.actors.transport.ending import Lifeline, end_tree
from squad.actors.transport.processes import die_with, settle_in
from squad.errors import StartError

Address = Any
_root, _manager = logging.root, logging.Logger.manager
_TELL = 5.0  # seconds for a message to be taken


class Manager(MultiProcManager):  # type: ignore[misc]
    """What Squad's actors need of whoever runs them, on Thespian's own base."""

    newest_child_pid: int | None = None

    def __init__(self, *args: Any) -> None:
        die_with(os.getppid())
        settle_in()
        super().__init__(*args)

    def run(self) -> None:
        """Make the actor, and let it begin before its first message."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Thespian has put a logger in their place which sends every record to a process.
        logging.root, logging.Logger.root, logging.Logger.manager = _root, _root, _manager
        self._createInstance()
        if hasattr(self.actorInst, "begin"):
            self.actorInst.begin()
        super().run()

    def _startChildActor(self, *args: Any, **kwargs: Any) -> None:  # noqa: N802 - Thespian's name
        super()._startChildActor(*args, **kwargs)
        self.newest_child_pid = self._child_procs[-1].childProc.pid

    def leave(self, status: int, farewell: float) -> None:
        """Send what waits, for ``farewell`` seconds at most, and end this process."""
        deadline = time.monotonic() + farewell
        try:
            while (left := deadline - time.monotonic()) > 0:
                if not self.transport.run(TransmitOnly, timedelta(seconds=left)):
                    break
        finally:
            os._exit(status)


class InsecureTcpSystem:
    """As ``System`` over Unix sockets, with the weaknesses of the base."""

    def __init__(self) -> None:
        multiprocCommon.MultiProcManager = Manager  # inherited by every process of the tree
        self._port = _free_port()
        self._lifeline = Lifeline(self._start)
        self._closed = self._gone = False
        self.admin_pid = self._find_admin()

    def _start(self) -> None:
        capabilities = {"Admin Port": self._port}
        wakeup = signal.set_wakeup_fd(-1)  # this process's own, not the admin's
        try:
            self._thespian = ActorSystem("multiprocTCPBase", capabilities=capabilities, transientUnique=True)
        except ActorSystemException as error:
            raise StartError(f"Thespian's admin did not start: {error}") from error
        finally:
            signal.set_wakeup_fd(wakeup)

    def _find_admin(self) -> int:
        """The process that listens at the admin's port; its logger has inherited the socket."""
        holders = set(self._lifeline.holders())
        for pid in sorted(holders):
            process = psutil.Process(pid)
            listens = any(each.laddr.port == self._port for each in process.net_connections("tcp4"))
            if listens and process.ppid() not in holders:
                return pid
        raise StartError("Thespian's admin did not start")

    def alive(self) -> bool:
        return psutil.pid_exists(self.admin_pid) and psutil.Process(self.admin_pid).status() != psutil.STATUS_ZOMBIE

    def create(self, actor_class: type[Any]) -> Address:
        """As ``System.create``."""
        try:
            return self._thespian.createActor(actor_class)
        except ActorSystemException as error:
            raise StartError(f"{actor_class.__name__} did not start: {error}") from error

    def tell(self, address: Address, message: object, timeout: float = _TELL) -> bool:
        """True once the message was sent; Thespian decides how long it tries."""
        try:
            with self._context() as context:
                context.tell(address, message)
        except ActorSystemException:
            return False
        return True

    def ask(self, address: Address, message: object, timeout: float) -> Any:
        """As ``System.ask``."""
        with self._context() as context:
            return context.ask(address, message, timedelta(seconds=timeout))

    @contextmanager
    def _context(self) -> Iterator[Any]:
        """An endpoint of its own for each exchange: a late answer finds nobody."""
        transport = self._thespian._systemBase.transport.external_transport_clone()
        context = ExternalOpsToActors(self._thespian._systemBase.adminAddr, transport)
        try:
            yield context
        finally:
            transport.close()

    def close(self, timeout: float = 5.0) -> bool:
        """Kill every process of the tree. True: all are gone. Idempotent."""
        if not self._closed:
            self._closed = True
            self._gone = end_tree(self.admin_pid if self.alive() else None, self._lifeline, timeout)
            self._lifeline.close()
            self._thespian._systemBase.transport.close()
        return self._gone


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
