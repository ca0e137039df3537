"""The broker's part in the desk for dead letters."""

from __future__ import annotations

from squad.actors.protocol import Desk, DeskDone
from squad.errors import SquadError
from squad.store.backend import Backend
from squad.store.settlement import Settlement
from squad.store.settling import Ceiling


def carry_out(writer: Backend, msg: Desk, ceiling: Ceiling, now: float) -> tuple[DeskDone, Settlement]:
    """In a transaction: do what is asked, or nothing of it. ``ceiling``: how many messages a replay may make wait."""
    settlement = Settlement()
    try:
        with writer.savepoint():
            dead = writer.dead(msg.which)
            if msg.dry_run:
                pass
            elif msg.action == "replay":
                settlement = writer.replay(dead, ceiling, now)
            elif msg.action == "edit":
                writer.edit(dead[0], msg.payload, now)
            else:
                writer.drop(dead, now)
    except SquadError as error:
        return DeskDone(msg.request, error=error), Settlement()
    return DeskDone(msg.request, tuple(letter.task_id for letter in dead)), settlement
