"""The sending half: messages wait in a lane for each target, in order, and one of a lane is on its way.

A connection carries one frame, its length (8 bytes, big-endian) and its data, and one byte of answer. So a target that
is stopped holds up nobody else, there is no descriptor for each pair of actors, and the sender learns what became of
each message. Names of sockets are never used again: a target that refuses is dead for good, with all that waits for it.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

LENGTH = struct.Struct("!Q")
TAKEN, UNREADABLE = b"+", b"-"  # the answers

_TRIES = 20  # for a message whose connection breaks before the answer
_AGAIN = 0.02  # seconds until the second try; twice that until the third, and so on
_BUSY = 0.01  # seconds until a full backlog is tried again
_LIFE = 300.0  # seconds of a message that its target, alive, does not take
_SWEEP = 1.0  # seconds between looks for messages past their life
_DEAD = (errno.ENOENT, errno.ECONNREFUSED)


class Fate(Enum):
    TAKEN = "taken"  # the target's process has read it
    DEAD = "its target is dead"
    UNREADABLE = "its target cannot read it"
    BROKEN = "the connection broke each time"
    EXPIRED = "its target did not take it in time"


@dataclass(slots=True, eq=False)
class _Outgoing:
    target: str
    frame: memoryview
    parcel: Any  # what the owner of the lanes knows the message by
    expires: float  # monotonic seconds, like all times here
    connection: socket.socket | None = None
    sent: int = 0
    tries: int = 1
    not_before: float = 0.0


class Lanes:
    """Never blocks. The owner polls ``descriptors``, calls ``advance`` for those that are ready and ``attend`` once a
    round, waits no longer than ``patience``, and takes (parcel, fate) from ``finished``."""

    def __init__(self) -> None:
        self.finished: deque[tuple[Any, Fate]] = deque()
        self._lanes: dict[str, deque[_Outgoing]] = {}
        self._sending: dict[int, _Outgoing] = {}  # by descriptor
        self._waiting: list[_Outgoing] = []  # heads of lanes, until their ``not_before``
        self._next_sweep = 0.0

    def __bool__(self) -> bool:
        """Whether anything waits to be sent or answered."""
        return bool(self._lanes)

    def add(self, target: str, data: bytes, parcel: Any) -> None:
        """Send ``data`` to the socket at the path ``target``."""
        frame = memoryview(LENGTH.pack(len(data)) + data)
        outgoing = _Outgoing(target, frame, parcel, time.monotonic() + _LIFE)
        lane = self._lanes.setdefault(target, deque())
        lane.append(outgoing)
        if len(lane) == 1:
            self._connect(outgoing)

    def bury(self, target: str) -> None:
        """This target is known to be dead."""
        if target in self._lanes:
            self._finish(self._lanes[target][0], Fate.DEAD)

    def descriptors(self) -> Iterator[tuple[int, int]]:
        """Each with the events of ``poll`` to wait for."""
        for descriptor, outgoing in self._sending.items():
            yield descriptor, select.POLLIN if outgoing.sent == len(outgoing.frame) else select.POLLOUT

    def __contains__(self, descriptor: object) -> bool:
        return descriptor in self._sending

    def advance(self, descriptor: int) -> None:
        """Send what the socket takes, or read the answer."""
        outgoing = self._sending[descriptor]
        connection = outgoing.connection
        if connection is None:
            return
        try:
            while outgoing.sent < len(outgoing.frame):
                outgoing.sent += connection.send(outgoing.frame[outgoing.sent :])
            answer = connection.recv(1)
        except BlockingIOError:
            return
        except OSError:
            answer = b""
        if answer == TAKEN:
            self._finish(outgoing, Fate.TAKEN)
        elif answer == UNREADABLE:
            self._finish(outgoing, Fate.UNREADABLE)
        elif outgoing.tries >= _TRIES:
            self._finish(outgoing, Fate.BROKEN)
        else:
            self._disconnect(outgoing)
            self._try_again(outgoing, _AGAIN * outgoing.tries)
            outgoing.tries += 1

    def attend(self) -> None:
        """Try again what is due, and end what has waited for too long."""
        now = time.monotonic()
        if self._waiting:
            due = [each for each in self._waiting if each.not_before <= now]
            self._waiting = [each for each in self._waiting if each.not_before > now]
            for each in due:
                self._connect(each)
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP
            for lane in list(self._lanes.values()):
                while lane and lane[0].expires <= now:
                    self._finish(lane[0], Fate.EXPIRED)

    def patience(self) -> float | None:
        """Seconds until ``attend`` has something to do; None: nothing waits."""
        if self._waiting:
            return max(0.0, min(each.not_before for each in self._waiting) - time.monotonic())
        return _SWEEP if self._lanes else None

    def close(self) -> None:
        """Close the connections and forget everything. What is on its way may have been read, or not."""
        for outgoing in self._sending.values():
            if outgoing.connection is not None:
                outgoing.connection.close()
        self._sending, self._lanes, self._waiting = {}, {}, []

    def _connect(self, outgoing: _Outgoing) -> None:
        """A Unix socket is connected at once or not at all."""
        connection = None
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.setblocking(False)
            connection.connect(outgoing.target)
        except OSError as error:
            if connection is not None:
                connection.close()
            if error.errno in _DEAD:
                self._finish(outgoing, Fate.DEAD)
            else:  # its backlog is full, or no descriptor is left here: for as long as the message lives
                self._try_again(outgoing, _BUSY)
            return
        outgoing.connection, outgoing.sent = connection, 0
        self._sending[connection.fileno()] = outgoing
        self.advance(connection.fileno())

    def _try_again(self, outgoing: _Outgoing, delay: float) -> None:
        outgoing.not_before = time.monotonic() + delay
        self._waiting.append(outgoing)

    def _disconnect(self, outgoing: _Outgoing) -> None:
        if outgoing.connection is not None:
            del self._sending[outgoing.connection.fileno()]
            outgoing.connection.close()
            outgoing.connection = None

    def _finish(self, outgoing: _Outgoing, fate: Fate) -> None:
        """Take the head off its lane, and begin with the next."""
        self._disconnect(outgoing)
        if self._waiting:
            self._waiting = [other for other in self._waiting if other is not outgoing]
        lane = self._lanes[outgoing.target]
        if fate is Fate.DEAD:
            self.finished.extend((each.parcel, fate) for each in lane)
            lane.clear()
        else:
            self.finished.append((outgoing.parcel, fate))
            lane.popleft()
        if lane:
            self._connect(lane[0])
        else:
            del self._lanes[outgoing.target]
