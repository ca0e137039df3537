"""Actors and messages for the tests of the transport. The classes must be importable: actors are made by name."""

from __future__ import annotations

import gc
import os
import signal
import threading
from dataclasses import dataclass

from thespian.actors import ActorExitRequest

from squad.actors.base import Actor, Address, receives


@dataclass(frozen=True, slots=True)
class Say:
    """Answered with Said."""

    number: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Said:
    number: int
    data: bytes
    pid: int


@dataclass(frozen=True, slots=True)
class Count:
    """Not answered; the actor remembers its number."""

    number: int


@dataclass(frozen=True, slots=True)
class WhatCame:
    """Answered with Came."""


@dataclass(frozen=True, slots=True)
class Came:
    numbers: tuple[int, ...]
    unrecognised: int


@dataclass(frozen=True, slots=True)
class Stray:
    """Nobody has a handler for it."""


@dataclass(frozen=True, slots=True)
class Crash:
    pass


@dataclass(frozen=True, slots=True)
class Raise:
    """Have a family spawn ``number`` children of this class and answer with Children once it has heard of all."""

    kind: type[Actor]
    number: int


@dataclass(frozen=True, slots=True)
class Children:
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kill:
    """Have a family kill all its children and answer with News once their ends were told."""


@dataclass(frozen=True, slots=True)
class EndChildren:
    """The same in Thespian's own way."""


@dataclass(frozen=True, slots=True)
class News:
    """What a family has heard, in order: ("hello"|"last words"|"exited", index of the child)."""

    items: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Memories:
    """Asks a family how many children it keeps anything about; answered with the same."""

    entries: int = 0


@dataclass(frozen=True, slots=True)
class Hello:
    pid: int


@dataclass(frozen=True, slots=True)
class LastWords:
    number: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Have an actor say this many last words to whoever told it, and leave."""

    words: int = 1


@dataclass(frozen=True, slots=True)
class LeaveTelling:
    """Have an actor tell somebody else a last word, and leave."""

    address: Address


@dataclass(frozen=True, slots=True)
class TellUnpicklable:
    """Have an actor tell what cannot be told, and then answer with Said."""


@dataclass(frozen=True, slots=True)
class Flood:
    """Have a family send ``number`` Count to its first child, then WhatCame, and answer with Flooded."""

    number: int


@dataclass(frozen=True, slots=True)
class Flooded:
    came: Came


class Echo(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    @receives(Say)
    def on_say(self, msg: Say, sender: Address) -> None:
        self.tell(sender, Said(msg.number, msg.data, os.getpid()))

    @receives(Count)
    def on_count(self, msg: Count, sender: Address) -> None:
        self.numbers.append(msg.number)

    @receives(WhatCame)
    def on_what_came(self, msg: WhatCame, sender: Address) -> None:
        self.tell(sender, Came(tuple(self.numbers), self.unrecognised))

    @receives(Crash)
    def on_crash(self, msg: Crash, sender: Address) -> None:
        raise RuntimeError("on purpose")

    @receives(Hello)
    def on_hello(self, msg: Hello, sender: Address) -> None:
        self.tell(sender, Hello(os.getpid()))

    @receives(Leave)
    def on_leave(self, msg: Leave, sender: Address) -> None:
        for number in range(msg.words):
            self.tell(sender, LastWords(number))
        self.leave(3)

    @receives(LeaveTelling)
    def on_leave_telling(self, msg: LeaveTelling, sender: Address) -> None:
        self.tell(msg.address, LastWords(0))
        self.leave()

    @receives(TellUnpicklable)
    def on_tell_unpicklable(self, msg: TellUnpicklable, sender: Address) -> None:
        self.tell(sender, Unpicklable("a secret"))
        self.tell(sender, Said(0, b"", os.getpid()))


class Unpicklable:
    def __init__(self, text: str) -> None:
        self.text, self.lock = text, threading.Lock()

    def __str__(self) -> str:
        return self.text


class Stillborn(Actor):
    def __init__(self) -> None:
        super().__init__()
        raise RuntimeError("on purpose")


class Vanishing(Actor):
    """Gone before its parent has heard of it."""

    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Forking(Echo):
    """Has a child that it made by itself, as a library might."""

    def started(self) -> None:
        self.forked = os.fork()
        if self.forked == 0:
            signal.pause()
            os._exit(0)

    @receives(Say)
    def on_say(self, msg: Say, sender: Address) -> None:
        self.tell(sender, Said(0, b"", self.forked))


class Family(Echo):
    def __init__(self) -> None:
        super().__init__()
        self.children: list[Address] = []
        self.pids: dict[int, int] = {}  # by index of the child
        self.news: list[tuple[str, int]] = []
        self.client: Address = None
        self.expected = 0

    def index(self, address: Address) -> int:
        return next(i for i, child in enumerate(self.children) if child == address)

    @receives(Raise)
    def on_raise(self, msg: Raise, sender: Address) -> None:
        self.client, self.expected = sender, msg.number
        self.children, self.pids, self.news = [], {}, []
        for _ in range(msg.number):
            spawned = self.spawn(msg.kind)
            self.children.append(spawned.address)
            self.pids[len(self.children) - 1] = spawned.pid or 0
            self.tell(spawned.address, Hello(os.getpid()))

    @receives(Hello)
    def on_hello(self, msg: Hello, sender: Address) -> None:
        if self.pids[self.index(sender)] != msg.pid:
            raise AssertionError("spawn gave another pid")
        self.hear("hello", sender)
        if sum(what == "hello" for what, _ in self.news) == self.expected:
            self.tell(self.client, Children(tuple(self.pids.values())))
            self.news = []

    @receives(Kill)
    def on_kill(self, msg: Kill, sender: Address) -> None:
        self.client = sender
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)

    @receives(EndChildren)
    def on_end_children(self, msg: EndChildren, sender: Address) -> None:
        self.client = sender
        for child in self.children:
            self.tell(child, ActorExitRequest())

    @receives(Leave)
    def on_leave(self, msg: Leave, sender: Address) -> None:
        self.client = sender
        for child in self.children:
            self.tell(child, msg)

    @receives(LastWords)
    def on_last_words(self, msg: LastWords, sender: Address) -> None:
        self.hear("last words", sender)

    @receives(News)
    def on_news(self, msg: News, sender: Address) -> None:
        self.tell(sender, News(tuple(self.news)))

    def on_child_exited(self, address: Address, pid: int | None) -> None:
        self.hear("exited", address)
        if sum(what == "exited" for what, _ in self.news) == self.expected:
            self.tell(self.client, News(tuple(self.news)))

    def hear(self, what: str, sender: Address) -> None:
        self.news.append((what, self.index(sender)))

    @receives(Memories)
    def on_memories(self, msg: Memories, sender: Address) -> None:
        manager = self._myRef
        gc.collect()  # the addresses of Thespian refer to themselves
        kept = (manager._addrManager._managed.kept, len(manager._children), len(manager._by_pid))
        self.tell(sender, Memories(max(*kept, len(manager._by_number))))

    @receives(Flood)
    def on_flood(self, msg: Flood, sender: Address) -> None:
        self.client = sender
        self.numbers.append(msg.number)
        for number in range(msg.number):
            self.tell(self.children[0], Count(number))
        self.tell(self.children[0], WhatCame())

    @receives(Came)
    def on_came(self, msg: Came, sender: Address) -> None:
        self.tell(self.client, Flooded(msg))
