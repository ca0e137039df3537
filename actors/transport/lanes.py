"""The sending half: a lane for each target, with one lasting connection, and the frames that wait to be written.

A message is sent when the kernel has it. What its reader had not read when it died is lost, and said to be so: the
kernel tells that there was something, and the lane knows what it has written since all was read. Only this end closes
a connection: when it was idle, and the other end has read all of it, so that a later connection cannot overtake it. A
connection that ends from the other side says that the target is dead. Names of sockets are never used again: what is
dead is dead for good.

Threads beside the loop's write for themselves: to wake the loop so that it writes costs more than the writing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import termios
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from squad.actors.transport.poller import Poller

IDLE = 75.0  # seconds until a connection that nobody uses is closed: two health checks use the same one

_FULL = 64 * 1024  # bytes in a lane that are written without waiting for more
_WRITE = 256 * 1024  # bytes in one write, about what a Unix socket takes; a longer frame is written by itself
_BUSY = 0.01  # seconds until a full backlog is tried again
_LIFE = 300.0  # seconds for which a living target may take nothing
_MOST = 1024 * 1024 * 1024  # bytes that may wait for one target
_SWEEP = 1.0  # seconds between looks for lanes past their life
_DEAD = (errno.ENOENT, errno.ECONNREFUSED)
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_GONE = select.EPOLLHUP | select.EPOLLERR


class Fate(Enum):
    SENT = "sent"
    DEAD = "its target is dead"
    UNREAD = "its target died, probably before it had read it"  # after SENT, for the last ones that were sent
    EXPIRED = "its target did not take it in time"
    REFUSED = "its target takes nothing, and too much waits for it"


@dataclass(slots=True, eq=False)
class _Lane:
    target: str
    waiting: deque[tuple[bytes, Any]] = field(default_factory=deque)  # frames, and what their owner knows them by
    size: int = 0  # bytes that wait, about
    written: int = 0  # bytes of the first frame that are written already
    unread: deque[tuple[int, Any]] = field(default_factory=deque)  # what was sent lately: sizes and parcels
    unread_size: int = 0
    capacity: int = 0  # bytes: what was sent before the last so many was read
    connection: socket.socket | None = None
    blocked: bool = False  # the connection takes no more at present, or there is none until ``not_before``
    not_before: float | None = None  # monotonic, like all times here
    round: int = -1  # in which it was last written at once
    progress: float = 0.0  # when something was last written, or began to wait


class Lanes:
    """Never blocks. The owner calls ``flush`` when what was added shall go, waits with the poller, for no longer than
    ``patience``, calls ``attend`` once a round, and takes (parcel, fate) from ``finished``. ``send`` is for any thread,
    all else for the owner's."""

    def __init__(self, greeting: bytes, poller: Poller) -> None:
        """``greeting``: the first frame of each connection."""
        self.finished: deque[tuple[Any, Fate]] = deque()
        self._greeting = greeting
        self._poller = poller
        self._lanes: dict[str, _Lane] = {}
        self._fresh: dict[str, _Lane] = {}  # those with something to write that was not tried yet
        self._busy: dict[str, _Lane] = {}  # those with something to write
        self._next_sweep = 0.0
        self._round = 0
        self._lock = threading.RLock()

    def __bool__(self) -> bool:
        """Whether anything waits to be written."""
        return bool(self._busy)

    @property
    def connections(self) -> int:
        return sum(lane.connection is not None for lane in self._lanes.values())

    @property
    def unflushed(self) -> bool:
        return bool(self._fresh)

    def add(self, target: str, data: bytes, parcel: Any) -> None:
        """Send the frame ``data`` to the socket at the path ``target``."""
        with self._lock:
            lane = self._put(target, data, parcel)
            if (lane.round != self._round or lane.size >= _FULL) and not lane.blocked:
                lane.round = self._round
                self._fresh.pop(target, None)
                self._write_fresh()  # whoever reads this one may ask somebody who was told something before it
                self._write(lane)

    def send(self, target: str, data: bytes, parcel: Any) -> bool:
        """The same, written now. True: the owner should look up, for it has something to wait for, or to tell."""
        with self._lock:
            lane = self._put(target, data, parcel)
            self._fresh.pop(target, None)
            if not lane.blocked:
                self._write(lane)
            return bool(lane.waiting) or lane.connection is None

    def _put(self, target: str, data: bytes, parcel: Any) -> _Lane:
        lane = self._lanes.get(target)
        if lane is None:
            lane = self._lanes[target] = _Lane(target)
        if lane.waiting and lane.size + len(data) > _MOST:  # a message by itself may be of any size
            self.finished.append((parcel, Fate.REFUSED))
            return lane
        if not lane.waiting:
            lane.progress = time.monotonic()
            self._busy[target] = lane
            if not lane.blocked:
                self._fresh[target] = lane
        lane.waiting.append((data, parcel))
        lane.size += len(data)
        return lane

    def flush(self) -> None:
        """Write what the connections take."""
        self._round += 1
        if not self._fresh:
            return
        with self._lock:
            self._write_fresh()

    def _write_fresh(self) -> None:
        while self._fresh:
            _target, lane = self._fresh.popitem()
            if not lane.blocked:
                self._write(lane)

    def bury(self, target: str) -> None:
        """This target is known to be dead."""
        with self._lock:
            lane = self._lanes.get(target)
            if lane is not None:
                self._end(lane)

    def attend(self) -> None:
        """Try again what is due, end what has waited for too long, and close what is idle."""
        if self._lanes:
            with self._lock:
                self._attend(time.monotonic())

    def _attend(self, now: float) -> None:
        for lane in [lane for lane in self._busy.values() if lane.not_before is not None and lane.not_before <= now]:
            lane.blocked, lane.not_before = False, None
            self._write(lane)
        if now >= self._next_sweep:
            self._next_sweep = now + min(_SWEEP if self._busy else IDLE, IDLE)
            for lane in list(self._busy.values()):
                if now - lane.progress >= _LIFE:
                    self._expire(lane)
            self._close_idle(now - IDLE)

    def patience(self) -> float | None:
        """Seconds until ``attend`` has something to do; None: nothing waits, and nothing is open."""
        if not self._lanes:
            return None
        with self._lock:
            now = time.monotonic()
            times = [lane.not_before for lane in self._busy.values() if lane.not_before is not None]
            sweep = min(self._next_sweep, now + _SWEEP) if self._busy else self._next_sweep
        return max(0.0, min([sweep, *times]) - now)

    def close(self) -> None:
        """Close the connections and forget everything that waits. What was written can still be read. Idempotent."""
        for lane in self._lanes.values():
            if lane.connection is not None:
                lane.connection.close()
        self._lanes, self._fresh, self._busy = {}, {}, {}

    def abandon(self) -> None:
        """As ``close``, for a parent's in its child: nothing is freed, since that would write to memory they share."""
        for lane in self._lanes.values():
            if lane.connection is not None:
                os.close(lane.connection.fileno())

    def _write(self, lane: _Lane) -> None:
        """Write until all is written, or the connection takes no more."""
        connection = lane.connection or self._connect(lane)
        if connection is None:
            return
        waiting = lane.waiting
        if lane.unread and _all_is_read(connection):
            lane.unread.clear()
            lane.unread_size = 0
        try:
            while waiting:
                self._count(lane, connection.send(self._next_bytes(lane)))
        except BlockingIOError:
            if not lane.blocked:
                lane.blocked = True
                self._poller.change(connection.fileno(), select.EPOLLOUT)
            return
        except OSError as error:  # EPIPE, ECONNRESET
            self._end(lane, reset=error.errno == errno.ECONNRESET)
            return
        if lane.blocked:
            lane.blocked = False
            self._poller.change(connection.fileno(), 0)
        self._busy.pop(lane.target, None)

    @staticmethod
    def _next_bytes(lane: _Lane) -> bytes | memoryview:
        first = lane.waiting[0][0]
        if len(lane.waiting) == 1 or len(first) > _WRITE:
            return memoryview(first)[lane.written :] if lane.written else first
        frames: list[bytes] = []
        size = 0
        for data, _parcel in lane.waiting:
            size += len(data)
            if size > _WRITE and frames:
                break
            frames.append(data)
        joined = b"".join(frames)
        return memoryview(joined)[lane.written :] if lane.written else joined

    def _count(self, lane: _Lane, count: int) -> None:
        """So many bytes were written: take off the frames which are done with."""
        lane.progress = time.monotonic()
        lane.size -= count
        count += lane.written
        waiting, finished = lane.waiting, self.finished
        while waiting and count >= len(waiting[0][0]):
            data, parcel = waiting.popleft()
            count -= len(data)
            if parcel is not None:
                finished.append((parcel, Fate.SENT))
                lane.unread.append((len(data), parcel))
                lane.unread_size += len(data)
        while lane.unread and lane.unread_size - lane.unread[0][0] > lane.capacity:
            lane.unread_size -= lane.unread.popleft()[0]
        lane.written = count

    def _connect(self, lane: _Lane) -> socket.socket | None:
        """A Unix socket is connected at once or not at all."""
        connection = None
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.setblocking(False)
            connection.connect(lane.target)
        except OSError as error:
            if connection is not None:
                connection.close()
            if error.errno in _DEAD:
                self._end(lane)
            else:  # its backlog is full, or no descriptor is left here
                lane.blocked, lane.not_before = True, time.monotonic() + _BUSY
                if error.errno in _NO_DESCRIPTOR:
                    self._close_idle(time.monotonic())
            return None
        lane.connection, lane.written = connection, 0
        lane.capacity = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        lane.waiting.appendleft((self._greeting, None))
        lane.size += len(self._greeting)
        self._poller.add(connection.fileno(), 0, partial(self._stir, lane))
        return connection

    def _stir(self, lane: _Lane, events: int) -> None:
        """Something has happened to the lane's connection: or to one that had its descriptor before, which another
        thread has closed since the event was taken."""
        with self._lock:
            if lane.connection is None:
                return
            if events & _GONE:
                if _is_gone(lane.connection):
                    self._end(lane)
            elif events & select.EPOLLOUT:
                self._write(lane)

    def _expire(self, lane: _Lane) -> None:
        """What is partly written goes on: its reader is in the middle of it."""
        begun = lane.waiting.popleft() if lane.written else None
        self.finished.extend((parcel, Fate.EXPIRED) for _data, parcel in lane.waiting if parcel is not None)
        greeting = next((each for each in lane.waiting if each[1] is None), None)
        lane.waiting.clear()
        lane.waiting.extend(each for each in (begun, greeting) if each is not None)
        lane.size = sum(len(data) for data, _parcel in lane.waiting) - lane.written
        if not lane.waiting:
            del self._busy[lane.target]
            if lane.connection is None:
                del self._lanes[lane.target]

    def _close_idle(self, since: float) -> None:
        for lane in [lane for lane in self._lanes.values() if not lane.waiting and lane.progress <= since]:
            if lane.connection is not None and _all_is_read(lane.connection):
                self._disconnect(lane)

    def _end(self, lane: _Lane, *, reset: bool = False) -> None:
        """The target is dead. ``reset``: the kernel has said already that it left something unread."""
        if lane.unread and (reset or (lane.connection is not None and _was_reset(lane.connection))):
            self.finished.extend((parcel, Fate.UNREAD) for _size, parcel in lane.unread)
        self._disconnect(lane)
        self.finished.extend((parcel, Fate.DEAD) for _data, parcel in lane.waiting if parcel is not None)
        lane.waiting.clear()
        self._fresh.pop(lane.target, None)
        self._busy.pop(lane.target, None)

    def _disconnect(self, lane: _Lane) -> None:
        self._lanes.pop(lane.target, None)
        if lane.connection is not None:
            self._poller.remove(lane.connection.fileno())
            lane.connection.close()
            lane.connection = None


def _is_gone(connection: socket.socket) -> bool:
    """Whether its other end was closed."""
    look = select.poll()
    look.register(connection, 0)
    return bool(look.poll(0))


def _all_is_read(connection: socket.socket) -> bool:
    """Whether its other end has read everything that was written."""
    (unread,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return not unread


def _was_reset(connection: socket.socket) -> bool:
    """Whether its other end was closed while something in it had not been read."""
    try:
        connection.recv(1)
    except ConnectionResetError:
        return True
    except BlockingIOError:  # it is not closed
        return False
    return False
