"""The one actor class. Thespian's names end here.

    class Greeter(Actor):
        def started(self) -> None:
            self.set_title("greeter")

        @receives(Hello)
        def on_hello(self, msg: Hello, sender: Address) -> None:
            self.tell(sender, Welcome(msg.name))

An actor is a process with one thread that handles one message at a time; no handler may block. What takes time runs
in a thread of its own and comes back with ``post``. An exception that escapes a handler ends the process: whoever
supervises it starts another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, TypeVar

import thespian.actors as thespian
from setproctitle import setproctitle

from squad.actors import logs
from squad.actors.transport.processes import CRASHED, belongs_to_parent
from squad.clock import SYSTEM, Clock

if TYPE_CHECKING:
    from squad.config.schema import LoggingConfig

Address = Any  # of an actor: can be compared with ==, sent in messages, and printed; cannot be a key of a dict

log = logging.getLogger("squad.actors")

Method = TypeVar("Method", bound=Callable[..., None])
_RECEIVES = "__squad_receives__"
_CRASH_FAREWELL = 0.2  # seconds for what a crashing actor has told others to reach them


def receives(*classes: type[Any]) -> Callable[[Method], Method]:
    """Declare a method to be the handler of messages of exactly these classes: ``(self, msg, sender)``."""

    def declare(method: Method) -> Method:
        setattr(method, _RECEIVES, classes)
        return method

    return declare


class Spawned(NamedTuple):
    """A new child: where to tell it something, and its process; None when it could not be forked."""

    address: Address
    pid: int | None


class Actor(thespian.Actor):  # type: ignore[misc]
    """Made without arguments, in its own process; ``__init__`` cannot tell, spawn or set timers, ``started`` can."""

    clock: Clock = SYSTEM
    _handlers: ClassVar[dict[type[Any], str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the handlers. Raises TypeError if two methods of one class receive the same messages."""
        super().__init_subclass__(**kwargs)
        own: dict[type[Any], str] = {}
        for name, method in vars(cls).items():
            for message_class in getattr(method, _RECEIVES, ()):
                if message_class in own:
                    raise TypeError(f"{cls.__qualname__}: {own[message_class]} and {name} both receive {message_class}")
                own[message_class] = name
        cls._handlers = {**cls._handlers, **own}

    def __init__(self) -> None:
        super().__init__()
        self.unrecognised = 0  # messages that came and had no handler
        self._unrecognised_classes: set[type[Any]] = set()
        self._thread = threading.get_ident()

    # -- for subclasses to override ---------------------------------------------------------------------------------

    def started(self) -> None:
        """Called once, on the actor's loop, before its first message."""

    def on_timer(self, token: Any) -> None:
        """The time of an ``after`` has come."""

    def on_child_exited(self, address: Address, pid: int | None) -> None:
        """A spawned actor's process is gone, for whatever reason. Said once for each. ``pid``: None if not known."""

    # -- for subclasses to use --------------------------------------------------------------------------------------

    @property
    def address(self) -> Address:
        """This actor's own."""
        return self.myAddress

    def tell(self, address: Address, msg: object) -> None:
        """Send, without ever waiting. What is sent to a dead actor is lost; messages of one pair keep their order.

        For any thread; what one thread tells keeps its order. To an actor that was spawned here and has sent nothing
        yet only the actor's own thread may tell something.
        """
        if threading.get_ident() == self._thread or getattr(self._myRef, "threads_may_send", False):
            self.send(address, msg)
        else:
            self.post(lambda: self.send(address, msg))

    def spawn(self, actor_class: type[Actor], first: object = None) -> Spawned:
        """Fork a child. The class must be at the top level of a module. Its address can be told to at once.

        ``first`` is the first message that it gets. It has that from the fork, not pickled, so however much hangs on it
        costs nothing, neither time nor memory of its own. If the child does not come up, ``on_child_exited`` says so.
        """
        self._myRef.newest_child_pid = None
        self._myRef.first_message = first
        address = self.createActor(actor_class)
        if self._myRef.first_message is not None:  # another base than ours did not take it
            self._myRef.first_message = None
            self.tell(address, first)
        return Spawned(address, self._myRef.newest_child_pid)

    def spawn_all(self, births: Sequence[tuple[type[Actor], object]]) -> list[Spawned]:
        """As ``spawn`` for each (class, first message); they are forked one right after the other.

        Whatever this process writes to between two forks it has from then on for itself, and so has the earlier child.
        """
        myself = self._myRef
        if not hasattr(myself, "hold_births"):  # another base than ours
            return [self.spawn(*birth) for birth in births]
        myself.hold_births()
        addresses = [self.spawn(*birth).address for birth in births]
        pids = myself.fork_held()
        return [Spawned(address, pids.get(address.addressDetails.addressInstanceNum)) for address in addresses]

    def after(self, seconds: float, token: Any) -> None:
        """Have ``on_timer(token)`` called in so many seconds."""
        self.wakeupAfter(timedelta(seconds=seconds), payload=token)

    def post(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the actor's loop soon. For any thread; never waits; calls of one thread keep their order."""
        self._posts.add(call)

    def set_title(self, title: str) -> None:
        """This process's name in ``ps``: ``squad: <title>``."""
        setproctitle(f"squad: {title}")

    def log_to(self, home: Path, name: str, settings: LoggingConfig) -> None:
        """Have this process log to ``logs/<name>.jsonl`` in ``home``; again when the settings have changed."""
        logs.configure(home, name, settings)

    def leave(self, status: int = 0, farewell: float = 2.0) -> NoReturn:
        """Send what was told, for ``farewell`` seconds at most, and end this process with ``status``.

        On another thread than the actor's own nothing more is sent.
        """
        self._myRef.leave(status, farewell if threading.get_ident() == self._thread else 0)
        raise AssertionError("unreachable")  # the process is gone

    # -- called by the transport ------------------------------------------------------------------------------------

    def begin(self) -> None:
        self._posts = _Posts()
        self._watch = thespian.ThespianWatch([self._posts.fileno()])
        self._myRef.transport.set_watch(self._watch.filenos)
        self._guarded(self.started)

    def close(self) -> None:
        """Close what ``begin`` has opened; for an actor that does not end with its process."""
        self._posts.abandon()

    def receiveMessage(self, msg: Any, sender: Address) -> Any:  # noqa: N802 - Thespian's name
        """Thespian's entry. Nothing escapes, or it would handle the message again; the watch is always kept."""
        handler = self._handlers.get(type(msg))
        if handler is not None:
            self._guarded(getattr(self, handler), msg, sender)
        elif isinstance(msg, thespian.WatchMessage):
            self._guarded(self._posts.run)
        elif isinstance(msg, thespian.WakeupMessage):
            self._guarded(self.on_timer, msg.payload)
        elif isinstance(msg, thespian.ChildActorExited):
            self._guarded(self.on_child_exited, msg.childAddress, getattr(msg, "pid", None))
        elif isinstance(msg, thespian.ActorExitRequest):
            self.leave()
        elif isinstance(msg, thespian.PoisonMessage):
            log.warning("a %s could not be sent: %s", type(msg.poisonMessage).__name__, msg.details)
        else:
            self._count_unrecognised(msg)
        return self._watch

    def _guarded(self, call: Callable[..., None], *args: Any) -> None:
        try:
            call(*args)
        except Exception:
            log.exception("%s crashed", type(self).__name__)
            self.leave(CRASHED, _CRASH_FAREWELL)

    def _count_unrecognised(self, msg: Any) -> None:
        self.unrecognised += 1
        if type(msg) not in self._unrecognised_classes:
            self._unrecognised_classes.add(type(msg))
            log.warning("%s has no handler for %s; counting them", type(self).__name__, type(msg).__qualname__)


class _Posts:
    """Calls from other threads, and a pipe that wakes the loop: one byte for many calls."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None]] = deque()
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._signalled = False
        belongs_to_parent(self)

    def fileno(self) -> int:
        return self._reader

    def add(self, call: Callable[[], None]) -> None:
        # In this order: whoever sees the signal set knows that run() has not begun, so it will find the call.
        self._calls.append(call)
        if not self._signalled:
            self._signalled = True
            with contextlib.suppress(BlockingIOError):  # full: the loop will wake
                os.write(self._writer, b"\0")

    def run(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        self._signalled = False
        for _ in range(len(self._calls)):
            self._calls.popleft()()

    def abandon(self) -> None:
        os.close(self._reader)
        os.close(self._writer)
