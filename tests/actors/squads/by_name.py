"""Agents that handle and send types which only the configuration declares."""

from __future__ import annotations

from typing import Any

from squad import Agent, Context, handles, message


@message("ask")
class Ask:
    to: str
    type: str
    payload: dict[str, Any]


class Keeper(Agent):
    """Takes notes, which are dicts, and sends what it is asked to send."""

    @handles("note")
    def note(self, msg: dict[str, Any], ctx: Context) -> list[Any]:
        ctx.state.setdefault("notes", []).append([msg["text"], msg["times"]])
        notes: list[Any] = ctx.state["notes"]
        return notes

    @handles(Ask)
    def ask(self, msg: Ask, ctx: Context) -> str:
        return ctx.send(msg.to, msg.type, msg.payload, priority=3)
