"""Agents that do what the tests of the runtime need."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from squad import Agent, Context, Refuse, RetryAfter, handles, message


@message("echo")
class Echo:
    text: str = ""


@message("count")
class Count:
    by: int = 1


@message("fan_out")
class FanOut:
    to: str
    number: int
    priority: int = 5


@message("misbehave")
class Misbehave:
    how: str
    seconds: float = 0.0
    path: str = ""


class Worker(Agent):
    """Handles everything that a test wants handled."""

    @handles(Echo)
    async def echo(self, msg: Echo, ctx: Context) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"text": msg.text, "pid": os.getpid(), "attempt": ctx.attempt, "at": time.time()}

    @handles(Count)
    def count(self, msg: Count, ctx: Context) -> int:
        ctx.state["n"] = ctx.state.get("n", 0) + msg.by
        total: int = ctx.state["n"]
        return total

    @handles(FanOut)
    def fan_out(self, msg: FanOut, ctx: Context) -> list[str]:
        return [ctx.send(msg.to, Echo(str(n)), priority=msg.priority) for n in range(msg.number)]

    @handles(Misbehave)
    def misbehave(self, msg: Misbehave, ctx: Context) -> Any:  # noqa: PLR0912 - one branch for each way
        match msg.how:
            case "raise":
                raise ValueError("as asked")
            case "raise-once":
                if ctx.attempt == 1:
                    raise ValueError("the first time")
            case "refuse":
                raise Refuse("not for me")
            case "not-yet":
                if not Path(msg.path).exists():
                    raise RetryAfter(0.05, "the file is not there yet")
            case "exit":
                os._exit(3)
            case "exit-once":
                if ctx.attempt == 1:
                    os._exit(3)
            case "sleep":
                Path(msg.path).touch()
                time.sleep(msg.seconds)
            case "wait":
                Path(msg.path).touch()
                while not Path(f"{msg.path}.end").exists():
                    time.sleep(0.01)
            case "leave-a-child":
                child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
                Path(msg.path).write_text(str(child.pid))
            case "hold-the-interpreter":
                Path(msg.path).touch()
                pow(7, 3**16)  # minutes, and no other thread runs meanwhile
            case "finish":
                ctx.finish()
                return "done"
            case "sleep-unless-cancelled":
                Path(msg.path).touch()
                until = time.monotonic() + msg.seconds
                while time.monotonic() < until and not ctx.cancelled:
                    time.sleep(0.01)
                return "cancelled" if ctx.cancelled else "slept"
        return {"attempt": ctx.attempt}


class Pool(Agent):
    """For convoys, which have no state."""

    @handles(Echo)
    def echo(self, msg: Echo, ctx: Context) -> int:
        return os.getpid()

    @handles(Misbehave)
    def misbehave(self, msg: Misbehave, ctx: Context) -> int:
        time.sleep(msg.seconds)
        if msg.path:  # say that this process is at work, and be so until the file is there
            Path(f"{msg.path}.{os.getpid()}").touch()
            while not Path(msg.path).exists():
                time.sleep(0.01)
        return os.getpid()
