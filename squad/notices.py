"""The built-in message type ``squad.quarantined``: what the agent that ``supervision.notify`` names is told.

@handles(Quarantined)
def quarantined(self, msg: Quarantined, ctx: Context) -> None:
    mail("squad", f"{msg.agent} is quarantined: {msg.reason}")
"""

from __future__ import annotations

from squad.messages import message

QUARANTINED = "squad.quarantined"


@message(QUARANTINED)
class Quarantined:
    """An agent, or a worker of a convoy, crashed too often and is not started again until ``squad restart NAME``.

    ``reason`` is how it ended the last time.
    """

    agent: str
    reason: str
