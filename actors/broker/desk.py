"""The broker's part in the desk for dead letters."""

from __future__ import annotations

from collections.abc import Sequence

from squad.actors.broker.rules import Rules
from squad.actors.protocol import Desk, DeskDone
from squad.errors import Problem, RefusedError, SquadError
from squad.store.backend import Backend
from squad.store.desk import Dead
from squad.store.settlement import Settlement

_MOST_NAMED = 20  # dead letters, in one error


def carry_out(writer: Backend, msg: Desk, rules: Rules, now: float) -> tuple[DeskDone, Settlement]:
    """In a transaction: do what is asked, or nothing of it."""
    settlement = Settlement()
    try:
        with writer.savepoint():
            dead = writer.dead(msg.which)
            if msg.dry_run:
                pass
            elif msg.action == "replay":
                _must_be_known(dead, rules)
                settlement = writer.replay(dead, rules.for_replays, now)
            elif msg.action == "edit":
                writer.edit(dead[0], msg.payload, now)
            else:
                writer.drop(dead, now)
    except SquadError as error:
        return DeskDone(msg.request, error=error), Settlement()
    return DeskDone(msg.request, tuple(letter.task_id for letter in dead)), settlement


def _must_be_known(dead: Sequence[Dead], rules: Rules) -> None:
    """Raises RefusedError for those whose recipients are not in the configuration any more."""
    problems = [
        Problem(letter.task_id, f"no agent or convoy is called {letter.recipient!r} any more")
        for letter in dead
        if not rules.knows(letter.recipient)
    ]
    if problems:
        of = "the dead letter is" if len(problems) == len(dead) == 1 else f"{len(problems):,} of the dead letters are"
        raise RefusedError(
            f"{of} for nobody; nothing is replayed",
            hint="squad dead drop deletes them; or declare the agent again and squad reload",
            problems=problems[:_MOST_NAMED],
        )
