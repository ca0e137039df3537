"""Mends that no actor can show in a reasonable time. The others are in ``test_deaths`` and ``test_system``."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from thespian.actors import ActorAddress, ChildActorExited
from thespian.system.ratelimit import RateThrottle

from squad.actors.transport.address import UnixAddress
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.mends import MendedParent
from squad.actors.transport.poller import Poller
from squad.actors.transport.wire import frame, greeting


def test_sending_is_not_throttled() -> None:
    """From 4,480 messages in a second, Thespian sleeps for a tenth of a second in each send."""
    parent = MendedParent()
    parent._adminAddr = None
    parent._governer = RateThrottle(4480)

    parent.init_replicator(SimpleNamespace(myAddress="here"), None)  # type: ignore[arg-type]

    assert not isinstance(parent._governer, RateThrottle)


def test_what_a_dead_child_has_written_is_taken_before_its_exit_is_told(tmp_path: Path) -> None:
    """The child may write and die after the parent has looked for messages and before it looks for dead children."""
    poller = Poller()
    box = Inbox(str(tmp_path / "box"), poller)
    children = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    others = [socket.socket(socket.AF_UNIX) for _ in range(150)]  # more than are accepted in one round
    for child in children:  # the first is accepted while it lives, the second when it is dead, after the others
        child.connect(str(tmp_path / "box"))
        child.sendall(greeting("/child"))
        if child is children[0]:
            poller.wait(0)
            for other in others:
                other.connect(str(tmp_path / "box"))
        for _ in range(3):
            child.sendall(frame(pickle.dumps(b"x" * 50_000)))
        child.close()
    told: list[object] = []
    parent = MendedParent()
    parent.transport = SimpleNamespace(  # type: ignore[assignment]
        read_the_last_of=box.read_the_last_of, deliver=lambda message: told.append((message, len(box.messages)))
    )
    info = SimpleNamespace(
        childProc=SimpleNamespace(is_alive=lambda: False, pid=1),
        childNum=0,
        path="/child",
        childRealAddr=ActorAddress(UnixAddress("/child")),
    )
    parent._by_pid, parent._by_number = {1: info}, {0: info}
    with subprocess.Popen([sys.executable, "-c", ""]) as program:  # dead as well, and not collected: it hides nobody
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        parent.childDied()

    assert [(type(message), before) for message, before in told] == [(ChildActorExited, 6)]
    for other in others:
        other.close()
    box.close()
    poller.close()
