"""Senders as users write them: they go on through every failure, and know for certain what was acknowledged.

Each has a journal, a file of JSON lines. What is to be sent is written there first, what was acknowledged afterwards,
and each is on the disk before the producer goes on. So what the squad has promised is known without asking it.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from squad.client import Client
from squad.errors import QueueFullError, RefusedError, SquadError
from squad.home import Home
from squad.verify.workload import Order, orders

_AGAIN = 0.05  # seconds before what was not acknowledged is sent again
_PACE = 0.04  # seconds between two sends, on average, unless it is told another pace
_LONGEST = 40  # messages in one batch
_ANSWER = 5.0  # seconds for an answer before the message is sent again


class Journal:
    """See the module. For one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def intend(self, batch: list[Order]) -> None:
        self._write([{"send": order.message()} for order in batch])

    def acknowledge(self, pairs: list[tuple[str, str]]) -> None:
        """(the id that was sent, the id under which it is stored)."""
        self._write([{"acknowledged": sent, "as": stored} for sent, stored in pairs])

    def _write(self, lines: list[dict[str, Any]]) -> None:
        os.write(self._descriptor, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(slots=True)
class Sent:
    """What journals say: messages by the ids that they were sent under, and under which id each is stored."""

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        for line in path.read_text(encoding="ascii").splitlines():
            content = json.loads(line)
            if "send" in content:
                self.messages[content["send"]["id"]] = content["send"]
            else:
                self.acknowledged[content["acknowledged"]] = content["as"]


class Producer(threading.Thread):
    """Sends until it is told to stop, and then until the last of its messages is acknowledged, or ``abandon``.

    ``share``: its number and how many there are. While it is ``crowded`` it sends nothing.
    """

    def __init__(
        self, home: Home, journal: Path, seed: str, share: tuple[int, int], crowded: Callable[[], bool]
    ) -> None:
        number, of = share
        super().__init__(name=f"producer-{number}", daemon=True)
        self.pace = _PACE
        self.acknowledged = 0
        self.resent = 0  # requests that were made again because their answer did not come
        self.error: str = ""  # what should never come back
        self._home = home
        self._journal = Journal(journal)
        self._orders = orders(f"{seed}/orders/{number}", number, of)
        self._chance = random.Random(f"{seed}/pace/{number}")  # noqa: S311 - to be repeatable
        self._crowded = crowded
        self._ending = threading.Event()
        self._abandon = threading.Event()

    def stop(self) -> None:
        """Begin nothing new."""
        self._ending.set()

    def abandon(self) -> None:
        """Leave what is not acknowledged."""
        self._ending.set()
        self._abandon.set()

    def run(self) -> None:
        try:
            with Client(self._home, timeout=_ANSWER) as client:
                while not self._ending.wait(self._chance.expovariate(1 / self.pace)) and not self.error:
                    if not self._crowded():
                        self._send(client, self._next())
        except Exception as error:
            self.error = f"{self.name} crashed: {type(error).__name__}: {error}"
        finally:
            self._journal.close()

    def _next(self) -> list[Order]:
        many = self._chance.random() < 0.15
        return list(islice(self._orders, self._chance.randrange(2, _LONGEST) if many else 1))

    def _send(self, client: Client, batch: list[Order]) -> None:
        self._journal.intend(batch)
        messages = [order.message() for order in batch]
        while not self._abandon.is_set():
            try:
                stored = [client.submit(messages[0]).id] if len(batch) == 1 else client.send_many(messages)
            except QueueFullError:
                self._abandon.wait(_AGAIN)
            except RefusedError as error:
                self.error = f"a message was refused: {error}; {'; '.join(map(str, error.problems))}"
                return
            except SquadError:
                self.resent += 1
                self._abandon.wait(_AGAIN)
            else:
                self._journal.acknowledge(list(zip((order.id for order in batch), stored, strict=True)))
                self.acknowledged += len(batch)
                return
