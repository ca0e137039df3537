"""The receiving half: a socket that listens, and what has arrived. See ``lanes`` for what travels."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thespian.system.utilis import thesplog

from squad.actors.transport.lanes import LENGTH, TAKEN, UNREADABLE

_BACKLOG = 4096  # connections which the kernel holds for a busy actor
_ACCEPTS = 100  # connections taken in one round
_CHUNK = 256 * 1024  # bytes; about what a Unix socket holds
_BREATH = 0.01  # seconds to wait when no descriptor is left for a connection
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid


@dataclass(slots=True, eq=False)
class _Incoming:
    connection: socket.socket
    data: bytearray
    size: int | None = None  # bytes of data, once they have been announced


class Inbox:
    """Never blocks. The owner polls ``descriptors``, calls ``read`` for those that are ready, and takes messages, as
    they were sent, from ``messages``. Only processes of the same user are listened to: bytes are unpickled."""

    def __init__(self, path: str) -> None:
        self.messages: deque[Any] = deque()
        self._path = path
        self._receiving: dict[int, _Incoming] = {}  # by descriptor
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(path)
        self._listener.listen(_BACKLOG)

    def descriptors(self) -> Iterator[int]:
        yield self._listener.fileno()
        yield from self._receiving

    def __contains__(self, descriptor: object) -> bool:
        return descriptor == self._listener.fileno() or descriptor in self._receiving

    def read(self, descriptor: int) -> None:
        if descriptor in self._receiving:
            self._receive(self._receiving[descriptor])
        else:
            self._accept()

    def knock(self) -> None:
        """Make the listening socket ready. Safe in a signal handler."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
            visitor.setblocking(False)
            visitor.connect(self._path)

    def close(self) -> None:
        """Close the sockets; those of a parent can be closed in its child without harm to the parent's."""
        for incoming in self._receiving.values():
            incoming.connection.close()
        self._receiving = {}
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # what waits in the backlog waits on
                thesplog("cannot accept: %s", error, level=logging.WARNING)
                time.sleep(_BREATH)
                return
            connection.setblocking(False)
            if is_same_user(connection):
                self._receive(_Incoming(connection, bytearray()))
            else:
                thesplog("refused a connection from another user", level=logging.WARNING)
                connection.close()

    def _receive(self, incoming: _Incoming) -> None:
        """Read what is there; take the message when all of it is."""
        connection, data = incoming.connection, incoming.data
        try:
            while incoming.size is None or len(data) < incoming.size:
                chunk = connection.recv(_CHUNK)
                if not chunk:
                    self._hang_up(incoming)
                    return
                data += chunk
                if incoming.size is None and len(data) >= LENGTH.size:
                    (incoming.size,) = LENGTH.unpack_from(data)
                    del data[: LENGTH.size]
        except BlockingIOError:
            self._receiving[connection.fileno()] = incoming
            return
        except OSError:
            self._hang_up(incoming)
            return
        answer = self._unpickle(data)
        with contextlib.suppress(OSError):  # its sender is gone
            connection.send(answer)
        self._hang_up(incoming)

    def _unpickle(self, data: bytearray) -> bytes:
        try:
            self.messages.append(pickle.loads(data))  # noqa: S301 - from the same user, who was checked
        except Exception as error:  # a class that is not there, or whatever its code raises
            thesplog("cannot read a message: %s: %s", type(error).__name__, error, level=logging.WARNING)
            return UNREADABLE
        return TAKEN

    def _hang_up(self, incoming: _Incoming) -> None:
        self._receiving.pop(incoming.connection.fileno(), None)
        incoming.connection.close()


def is_same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as this process's user. The kernel says so, not the peer."""
    _pid, uid, _gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return bool(uid == os.geteuid())
