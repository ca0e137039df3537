"""The agents of the ledger: what each does is known beforehand to the last message, so that it can be checked.

``teller`` gets transfers from outside. For each it sends so many ``post`` to the convoy ``clerk`` and so many ``stamp``
to the command agent ``printer``; each of those sends one ``booked`` to ``book``. ``teller`` and ``book`` keep sums in
their durable state. Some transfers go wrong on purpose (``how``).
"""

from __future__ import annotations

import os
import time
from typing import Any

from squad import Agent, Context, Refuse, Reply, handles, message
from squad.verify import runs

MODULUS = 2**61 - 1


@message("transfer")
class Transfer:
    """``asks`` of the posts are sent with ``reply_to``; ``pause`` is how long each handler takes, in seconds."""

    entry: int
    amount: int
    posts: int = 0
    asks: int = 0
    stamps: int = 0
    how: str = ""
    pause: float = 0.0


@message("post")
class Post:
    entry: int
    number: int
    amount: int
    pause: float = 0.0


@message("booked")
class Booked:
    entry: int
    number: int
    amount: int
    by: str


@message("tick")
class Tick:
    """From the schedule."""


def fingerprint(entry: int, number: int = 0) -> int:
    """A number for each entry whose sum says which entries were added, and how often."""
    return pow(entry * 1_000_003 + number + 7, 5, MODULUS)


class _Ledger(Agent):
    """Keeps ``{"count", "sum", "prints"}`` in its state."""

    def _add(self, ctx: Context, amount: int, print_: int) -> None:
        state = ctx.state
        state["count"] = state.get("count", 0) + 1
        state["sum"] = state.get("sum", 0) + amount
        state["prints"] = (state.get("prints", 0) + print_) % MODULUS

    def _note(self, mark: str, ctx: Context) -> None:
        runs.note(self.options["folder"], mark, ctx.agent, ctx.message_id, ctx.attempt)


class Teller(_Ledger):
    @handles(Transfer)
    def transfer(self, msg: Transfer, ctx: Context) -> dict[str, int]:
        self._note("b", ctx)
        go_wrong(msg.how, ctx.attempt)
        self._add(ctx, msg.amount, fingerprint(msg.entry))
        for number in range(msg.posts):
            reply_to = True if number < msg.asks else None
            ctx.send("clerk", Post(msg.entry, number, msg.amount, msg.pause), reply_to=reply_to)
        for number in range(msg.stamps):
            payload = {"entry": msg.entry, "number": number, "amount": msg.amount, "pause": msg.pause}
            ctx.send("printer", "stamp", payload)
        time.sleep(msg.pause)
        self._note("e", ctx)
        return {"entry": msg.entry}

    @handles(Reply)
    def told(self, msg: Reply, ctx: Context) -> None:
        self._note("b", ctx)
        ctx.state["replies"] = ctx.state.get("replies", 0) + 1
        self._note("e", ctx)


class Clerk(_Ledger):
    """For a convoy."""

    @handles(Post)
    def post(self, msg: Post, ctx: Context) -> None:
        self._note("b", ctx)
        ctx.send("book", Booked(msg.entry, msg.number, msg.amount, "clerk"))
        time.sleep(msg.pause)
        self._note("e", ctx)


class Book(_Ledger):
    @handles(Booked)
    def booked(self, msg: Booked, ctx: Context) -> None:
        self._note("b", ctx)
        self._add(ctx, msg.amount, fingerprint(msg.entry, msg.number))
        self._note("e", ctx)

    @handles(Tick)
    def tick(self, msg: Tick, ctx: Context) -> None:
        self._note("b", ctx)
        ctx.state["ticks"] = ctx.state.get("ticks", 0) + 1
        self._note("e", ctx)


def go_wrong(how: str, attempt: int) -> Any:
    """What a transfer does on purpose; nothing for an empty ``how``."""
    match how:
        case "raise-once":
            if attempt == 1:
                raise ValueError("the first attempt fails, as planned")
        case "exit-once":
            if attempt == 1:
                os._exit(3)
        case "raise":
            raise ValueError("every attempt fails, as planned")
        case "refuse":
            raise Refuse("refused, as planned")
