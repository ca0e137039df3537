"""Agents for the tests of ``squad.testing``."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from squad import Agent, Context, Refuse, Reply, RetryAfter, handles, message


@message("do")
class Do:
    what: str
    n: int = 0


@message("note")
class Note:
    text: str


class Worker(Agent):
    gate = threading.Event()

    @handles(Do)
    def do(self, msg: Do, ctx: Context) -> Any:
        match msg.what:
            case "count":
                ctx.state["n"] = ctx.state.get("n", 0) + 1
                return ctx.state["n"]
            case "fan out":
                return [ctx.send("notes", Note(str(number))) for number in range(msg.n)]
            case "fail":
                raise ValueError(f"attempt {ctx.attempt}")
            case "refuse":
                raise Refuse("not me")
            case "later" if ctx.attempt == 1 and not ctx.state.setdefault("asked", False):
                raise RetryAfter(90)
            case "send wrongly":
                ctx.send("notes", Do("count"))
            case "hang":
                self.gate.wait(30)
        return ctx.attempt


class Notes(Agent):
    def start(self) -> None:
        self.seen: list[str] = []

    @handles(Note)
    async def note(self, msg: Note, ctx: Context) -> list[str]:
        await asyncio.sleep(0)
        self.seen.append(msg.text)
        return self.seen


class Asker(Agent):
    """Asks another agent, and keeps what it hears."""

    @handles(Do)
    def ask(self, msg: Do, ctx: Context) -> str:
        return ctx.send(self.options["of"], msg, reply_to=True, reply_timeout="30s", ttl=self.options.get("ttl"))

    @handles(Reply)
    def hear(self, msg: Reply, ctx: Context) -> None:
        ctx.state.setdefault("heard", []).append([msg.status, msg.result])


class Broken(Worker):
    def start(self) -> None:
        raise RuntimeError("no such luck")


class Leaver(Agent):
    """Ends after each message; what it did last is in its home."""

    @handles(Note)
    def note(self, msg: Note, ctx: Context) -> str:
        Path(self.options["file"]).write_text("stopped? no")
        ctx.finish()
        return msg.text

    def stop(self) -> None:
        Path(self.options["file"]).write_text("stopped")
