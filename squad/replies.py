"""The built-in message type ``squad.reply``: how a message ended that was sent with ``reply_to``.

@handles(Order)
def order(self, msg: Order, ctx: Context) -> None:
    ctx.send("stock", Reserve(msg.item), reply_to=True, reply_timeout=60)

@handles(Reply)
def reserved(self, msg: Reply, ctx: Context) -> None:
    if msg.status == "completed":
        ...
"""

from __future__ import annotations

from typing import Any, Literal

from squad.messages import message

REPLY = "squad.reply"

ReplyStatus = Literal["completed", "failed", "cancelled", "expired", "timed_out"]


@message(REPLY)
class Reply:
    """How the message with the id ``of``, of the type ``type``, ended.

    ``result`` is what its handler returned when it is ``completed``; ``error`` says why when it is not. ``timed_out``:
    it has not ended within ``reply_timeout``; whatever it comes to after that is not told.
    """

    of: str
    type: str
    status: ReplyStatus
    result: Any = None
    error: str = ""
