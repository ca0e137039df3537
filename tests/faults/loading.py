"""Agents for the tests of load: one that can do little, and one that can do much."""

from __future__ import annotations

import time

from squad import Agent, Context, handles, message


@message("take")
class Take:
    text: str = ""


class Slow(Agent):
    """About a hundred a second."""

    @handles(Take)
    def take(self, msg: Take, ctx: Context) -> None:
        time.sleep(0.01)


class Quick(Agent):
    @handles(Take)
    def take(self, msg: Take, ctx: Context) -> int:
        return len(msg.text)
