"""An agent that fails in every way that there is."""

from __future__ import annotations

import os
import time
from pathlib import Path

from squad import Agent, Context, Refuse, RetryAfter, handles, message


@message("fail")
class Fail:
    how: str


class Failing(Agent):
    """Option ``unless``: a file; once it exists no process of this agent can start."""

    def start(self) -> None:
        if "unless" in self.options and Path(self.options["unless"]).exists():
            raise RuntimeError("no licence")

    @handles(Fail)
    def fail(self, msg: Fail, ctx: Context) -> None:
        match msg.how:
            case "error":
                raise ValueError("as asked")
            case "refused":
                raise Refuse("not for me")
            case "retry-at":
                raise RetryAfter(600, "not yet")
            case "rate-limited":
                for _ in range(2):
                    ctx.send("error", Fail("no way"))
            case "timeout":
                time.sleep(600)
            case "crash":
                os._exit(3)
            case "ceiling":
                data = bytearray(300_000_000)
                data[::4096] = b"x" * len(data[::4096])
                time.sleep(600)
            case "hung":
                pow(7, 3**16)  # minutes, and no other thread runs meanwhile
