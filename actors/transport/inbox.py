"""The receiving half: a socket that listens, connections, and what has arrived. See ``wire`` for what travels."""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import pickle
import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from thespian.actors import ActorAddress
from thespian.system.utilis import thesplog

from squad.actors.transport.address import UnixAddress
from squad.actors.transport.poller import Poller
from squad.actors.transport.wire import ANSWER, LENGTH, TAKEN, UNREADABLE, is_same_user

_BACKLOG = 4096  # connections which the kernel holds for a busy actor
_ACCEPTS = 100  # connections taken in one round
_CHUNK = 256 * 1024  # bytes; about what a Unix socket holds
_BREATH = 0.05  # seconds not to accept when that has failed, as when no descriptor is left for a connection
# By edges, epoll tells of connections in the order in which something came. Otherwise one that was read lately keeps
# its place in front, and what was sent because of a message may be read before that message.
_READABLE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


@dataclass(slots=True, eq=False)
class _Incoming:
    connection: socket.socket
    sender: Any = None  # ActorAddress, once it has greeted; the same object for all its messages
    answers: bool = False
    data: bytearray = field(default_factory=bytearray)  # the beginning of a frame


class Inbox:
    """Never blocks, and never ends a connection whose other end lives: what is written into it is read.

    The owner waits with the poller, for no longer than ``patience``, calls ``attend`` once a round, and takes (sender's
    address, message) from ``messages``. Only processes of the same user are listened to: bytes are unpickled.
    """

    def __init__(self, path: str, poller: Poller) -> None:
        self.messages: deque[tuple[Any, Any]] = deque()
        self._poller = poller
        self._receiving: dict[int, _Incoming] = {}  # by descriptor
        # Not a bytearray, which would write zeros to all of it: of this the process has what was read into it so far.
        self._buffer = memoryview(mmap.mmap(-1, _CHUNK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        self._accept_again: float | None = None  # monotonic, after a failure
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(path)
        self._listener.listen(_BACKLOG)
        self._number = self._listener.fileno()
        poller.add(self._number, _READABLE, self._accept)

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._receiving)

    def patience(self) -> float | None:
        return None if self._accept_again is None else max(0.0, self._accept_again - time.monotonic())

    def attend(self) -> None:
        if self._accept_again is not None and self._accept_again <= time.monotonic():
            self._accept_again = None
            self._poller.change(self._number, _READABLE)

    def read_the_last_of(self, path: str) -> None:
        """Read all that the process which listened at ``path`` has written. It is dead, so this comes to an end."""
        while self._accept(0):
            pass
        for incoming in list(self._receiving.values()):
            if incoming.sender is None or incoming.sender.addressDetails.path == path:
                while self._receive(incoming):
                    pass

    def close(self) -> None:
        """Close the sockets. Idempotent."""
        for incoming in self._receiving.values():
            incoming.connection.close()
        self._receiving = {}
        self._listener.close()

    def abandon(self) -> None:
        """As ``close``, for a parent's in its child: nothing is freed, since that would write to memory they share."""
        for descriptor in self._receiving:
            os.close(descriptor)
        if self._listener.fileno() >= 0:
            os.close(self._number)

    def stop(self) -> None:
        """Take nothing more: whoever writes learns it at once."""
        self._poller.remove(self._number)
        for descriptor in self._receiving:
            self._poller.remove(descriptor)
        self.close()

    def _accept(self, _events: int) -> bool:
        """Whether there may be more."""
        for _ in range(_ACCEPTS):
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:
                return False
            except OSError as error:  # what waits in the backlog waits on
                thesplog("cannot accept: %s", error, level=logging.WARNING)
                self._accept_again = time.monotonic() + _BREATH
                self._poller.change(self._number, 0)
                return False
            if not is_same_user(connection):
                thesplog("refused a connection from another user", level=logging.WARNING)
                connection.close()
                continue
            connection.setblocking(False)
            incoming = _Incoming(connection)
            self._receiving[connection.fileno()] = incoming
            self._receive(incoming)
            if connection.fileno() >= 0:  # not before it was read: it would have a place in front
                self._poller.add(connection.fileno(), _READABLE, partial(self._arrive, incoming))
        self._poller.change(self._number, _READABLE)  # for those who wait still
        return True

    def _arrive(self, incoming: _Incoming, events: int) -> None:
        count = self._receive(incoming)
        if count == _CHUNK or (count and events & _ENDED):  # there is more, if only the end
            self._poller.change(incoming.connection.fileno(), _READABLE)

    def _receive(self, incoming: _Incoming) -> int:
        """Read once, and take the messages which are complete. How many bytes were there."""
        try:
            count = incoming.connection.recv_into(self._buffer)
        except BlockingIOError:
            return 0
        except OSError:
            count = 0
        if not count:
            self._hang_up(incoming)
            return 0
        data = incoming.data
        if data:
            data += self._buffer[:count]
            with memoryview(data) as view:
                used = self._take_frames(incoming, view)
            del data[:used]
        else:
            used = self._take_frames(incoming, self._buffer[:count])
            data += self._buffer[used:count]
        return count

    def _take_frames(self, incoming: _Incoming, view: memoryview) -> int:
        """How many bytes of ``view`` are done with."""
        begin, length = 0, len(view)
        while length - begin >= LENGTH.size:
            (size,) = LENGTH.unpack_from(view, begin)
            end = begin + LENGTH.size + size
            if end > length:
                break
            if incoming.sender is None:
                self._greet(incoming, bytes(view[begin + LENGTH.size : end]))
            else:
                self._unpickle(incoming, view[begin + LENGTH.size : end])
            begin = end
        return begin

    @staticmethod
    def _greet(incoming: _Incoming, data: bytes) -> None:
        incoming.answers = data.startswith(ANSWER)
        incoming.sender = ActorAddress(UnixAddress(os.fsdecode(data[len(ANSWER) :])))

    def _unpickle(self, incoming: _Incoming, data: memoryview) -> None:
        answer = TAKEN
        try:
            self.messages.append((incoming.sender, pickle.loads(data)))  # noqa: S301 - from the same user, who was checked
        except Exception as error:  # a class that is not there, or whatever its code raises
            thesplog("cannot read a message: %s: %s", type(error).__name__, error, level=logging.WARNING)
            answer = UNREADABLE
        if incoming.answers:
            with contextlib.suppress(OSError):  # its sender is gone
                incoming.connection.send(answer)

    def _hang_up(self, incoming: _Incoming) -> None:
        descriptor = incoming.connection.fileno()
        if descriptor >= 0:
            self._receiving.pop(descriptor, None)
            self._poller.remove(descriptor)
            incoming.connection.close()
