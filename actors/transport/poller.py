"""Waiting for descriptors: each is registered once, with the call that it makes."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable

Call = Callable[[int], object]  # is given the events, as of epoll

_EVENTS = 64  # taken in one round: the others come next, so nobody starves


class Poller:
    """``wait`` is for one thread; ``wake`` for any, and for handlers of signals. Other threads may add, change and
    remove descriptors that the waiting one leaves to them.

    A call may come without cause, when a descriptor was closed and its number used again in the same round.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Call] = {}
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.add(self._alarm, select.EPOLLIN, self._hear)

    def add(self, descriptor: int, events: int, call: Call) -> None:
        """Errors and the end of a connection are events in any case. Raises OSError for what cannot be polled."""
        self._epoll.register(descriptor, events)
        self._calls[descriptor] = call

    def change(self, descriptor: int, events: int) -> None:
        self._epoll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Call it before the descriptor is closed; one that was closed already is forgotten."""
        if self._calls.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)

    def wait(self, patience: float | None) -> None:
        """Wait for ``patience`` seconds at most (None: for ever), and make the calls of what is ready."""
        for descriptor, events in self._epoll.poll(patience, _EVENTS):
            call = self._calls.get(descriptor)
            if call is not None:
                call(events)

    def wake(self) -> None:
        """End the wait, or the next one."""
        with contextlib.suppress(OSError):  # closed: nobody waits
            os.eventfd_write(self._alarm, 1)

    def close(self) -> None:
        """Idempotent."""
        self.abandon()
        self._calls = {}

    def abandon(self) -> None:
        """Close what a forked child has of its parent's, and leave the parent's registrations alone."""
        if not self._epoll.closed:
            self._epoll.close()
            os.close(self._alarm)
            self._alarm = -1

    def _hear(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._alarm)
