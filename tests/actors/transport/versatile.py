"""An actor that uses everything its class offers, and what it is told and tells."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from squad.actors.base import Address, receives
from tests.actors.transport.cast import Echo


@dataclass(frozen=True, slots=True)
class SetTimers:
    """Answered with Rang once they have all rung. The handler is ``busy`` for so many seconds."""

    seconds: tuple[float, ...]
    busy: float = 0.0


@dataclass(frozen=True, slots=True)
class Rang:
    tokens: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PostFrom:
    """Have ``threads`` threads post ``calls`` calls each; answered with Posted."""

    threads: int
    calls: int


@dataclass(frozen=True, slots=True)
class Posted:
    in_order: bool
    on_loop: bool
    calls: int


@dataclass(frozen=True, slots=True)
class TellFromThreads:
    """Have ``threads`` threads, and the loop, say ``words`` words each to ``target``."""

    target: Address
    threads: int
    words: int


@dataclass(frozen=True, slots=True)
class Word:
    speaker: int
    number: int


@dataclass(frozen=True, slots=True)
class WhatWasHeard:
    """Answered with Heard."""


@dataclass(frozen=True, slots=True)
class Heard:
    words: int
    in_order: bool  # those of each speaker


@dataclass(frozen=True, slots=True)
class LookAround:
    """Answered with Seen."""


@dataclass(frozen=True, slots=True)
class Seen:
    root: str
    handlers: tuple[str, ...]
    umask: int
    stdin: str
    threads: int


class Versatile(Echo):
    def __init__(self) -> None:
        super().__init__()
        self.rang: list[float] = []
        self.posted: dict[int, list[int]] = {}
        self.idents: set[int] = set()
        self.heard: dict[int, list[int]] = {}

    def started(self) -> None:
        self.set_title("versatile")

    @receives(SetTimers)
    def on_set_timers(self, msg: SetTimers, sender: Address) -> None:
        self.client, self.timers = sender, len(msg.seconds)
        for seconds in msg.seconds:
            self.after(seconds, seconds)
        until = time.monotonic() + msg.busy
        while time.monotonic() < until:
            pass

    def on_timer(self, token: float) -> None:
        self.rang.append(token)
        if len(self.rang) == self.timers:
            self.tell(self.client, Rang(tuple(self.rang)))

    @receives(PostFrom)
    def on_post_from(self, msg: PostFrom, sender: Address) -> None:
        self.client, self.expected = sender, msg.threads * msg.calls

        def poster(name: int) -> None:
            for number in range(msg.calls):
                self.post(lambda number=number: self.arrived(name, number))  # type: ignore[misc]

        for name in range(msg.threads):
            threading.Thread(target=poster, args=(name,)).start()

    def arrived(self, name: int, number: int) -> None:
        self.posted.setdefault(name, []).append(number)
        self.idents.add(threading.get_ident())
        if sum(map(len, self.posted.values())) == self.expected:
            in_order = all(numbers == sorted(numbers) for numbers in self.posted.values())
            self.tell(self.client, Posted(in_order, self.idents == {threading.get_ident()}, self.expected))

    @receives(TellFromThreads)
    def on_tell_from_threads(self, msg: TellFromThreads, sender: Address) -> None:
        def speak(speaker: int) -> None:
            for number in range(msg.words):
                self.tell(msg.target, Word(speaker, number))

        for speaker in range(1, msg.threads + 1):
            threading.Thread(target=speak, args=(speaker,)).start()
        speak(0)

    @receives(Word)
    def on_word(self, msg: Word, sender: Address) -> None:
        self.heard.setdefault(msg.speaker, []).append(msg.number)

    @receives(WhatWasHeard)
    def on_what_was_heard(self, msg: WhatWasHeard, sender: Address) -> None:
        in_order = all(numbers == sorted(numbers) for numbers in self.heard.values())
        self.tell(sender, Heard(sum(map(len, self.heard.values())), in_order))

    @receives(LookAround)
    def on_look_around(self, msg: LookAround, sender: Address) -> None:
        umask = os.umask(0)
        os.umask(umask)
        self.tell(
            sender,
            Seen(
                type(logging.getLogger()).__name__,
                tuple(type(handler).__name__ for handler in logging.getLogger().handlers),
                umask,
                str(Path("/proc/self/fd/0").readlink()),
                threading.active_count(),
            ),
        )
