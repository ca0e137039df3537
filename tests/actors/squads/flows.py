"""Agents that wait, obey a cancel or do not, ask one another, and fail."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from squad import Agent, Context, Reply, handles, message


@message("work")
class Work:
    how: str = "return"
    begun: str = ""
    seconds: float = 600.0
    to: str = ""


@message("ask")
class Ask:
    how: str
    timeout: float | None = None
    delay: float = 0.0
    ttl: float | None = None


@message("told")
class Told:
    pass


class Worker(Agent):
    @handles(Work)
    def work(self, msg: Work, ctx: Context) -> Any:
        if msg.to:
            ctx.send(msg.to, Work("return"))
        if msg.begun:
            Path(msg.begun).write_text(str(os.getpid()))
        match msg.how:
            case "fail":
                raise ValueError("as asked")
            case "deaf":
                pow(7, 3**16)  # minutes, and no other thread runs meanwhile
            case "stubborn":
                time.sleep(msg.seconds)
            case "obey" | "obey-and-raise":
                until = time.monotonic() + msg.seconds
                while time.monotonic() < until and not ctx.cancelled:
                    time.sleep(0.01)
                if msg.how == "obey-and-raise":
                    raise RuntimeError("interrupted")
                return "stopped" if ctx.cancelled else "slept"
        return {"did": msg.how}


class Asker(Agent):
    """Keeps in its state every reply that it gets."""

    @handles(Ask)
    def ask(self, msg: Ask, ctx: Context) -> str:
        work = Work(msg.how)
        return ctx.send("worker", work, delay=msg.delay, ttl=msg.ttl, reply_to=True, reply_timeout=msg.timeout)

    @handles(Reply)
    def reply(self, msg: Reply, ctx: Context) -> None:
        ctx.state.setdefault(msg.of, []).append([msg.type, msg.status, msg.result, msg.error.splitlines()[:1]])

    @handles(Told)
    def told(self, msg: Told, ctx: Context) -> dict[str, Any]:
        return ctx.state
