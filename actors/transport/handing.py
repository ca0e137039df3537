"""One message from outside, answered by who took it."""

from __future__ import annotations

import pickle
import socket
import time

from squad.actors.transport.wire import ANSWER, TAKEN, frame, greeting

_AGAIN = 0.005  # seconds until a full backlog is tried again


def hand(path: str, sender: str, message: object, timeout: float) -> bool:
    """Give ``message`` to the process that listens at ``path``, as from one that listens at ``sender``.

    True once that process has read it. False if it is dead, cannot read it, or has not done so within ``timeout``
    seconds. Raises what pickle raises.
    """
    data = greeting(sender, ANSWER) + frame(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))
    deadline = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            while (left := deadline - time.monotonic()) > 0:
                connection.settimeout(left)
                try:
                    connection.connect(path)
                except BlockingIOError:  # its backlog is full
                    time.sleep(min(_AGAIN, left))
                    continue
                connection.sendall(data)
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                return connection.recv(len(TAKEN)) == TAKEN
    except OSError:  # refused, broken, or too late
        pass
    return False
