"""A squad as a test sees it: the same whether it runs on a stage in this process or in processes of its own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from squad.actors.agents.kinds import Vocabulary
from squad.client import Client
from squad.config.schema import SquadConfig
from squad.messages import type_of
from squad.store import metrics, queries
from squad.store.database import Pool
from squad.store.metrics import Summary
from squad.store.models import AgentState, Attempt, Task
from squad.store.queries import Detail
from squad.store.rows import ENDED
from squad.testing.failures import HandlerError, UnfinishedError

_EVER = 1e11  # seconds since the epoch
_RAISED = ("error", "timeout", *ENDED)  # outcomes of attempts that no handler means to have


class Squad(ABC):
    """A squad for a test; ``squad_of`` and ``squad_from`` make one. Use it in a ``with`` block, which ends it.

    ``client`` is a ``squad.Client`` for it, with all that one can do.
    """

    __test__: ClassVar[bool] = False  # pytest: this is no test

    client: Client
    _pool: Pool
    _cleanup: ExitStack

    def __init__(self, config: SquadConfig, *, raise_errors: bool) -> None:
        self.config = config
        self._raise_errors = raise_errors
        self._seen = 0  # the last failed attempt that was looked at
        self._vocabulary = Vocabulary(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and forget all that it kept."""
        self._cleanup.close()

    def afterwards(self, cleanup: AbstractContextManager[Any]) -> None:
        """Have this left once the squad has ended."""
        ended = self._cleanup
        self._cleanup = ExitStack()
        self._cleanup.enter_context(cleanup)
        self._cleanup.enter_context(ended)

    # -- doing ------------------------------------------------------------------------------------------------------

    def send(self, recipient: str, message: Any, payload: dict[str, Any] | None = None, **options: Any) -> str:
        """Send a message from outside; returns its id. Takes and raises what ``squad.Client.send`` does."""
        return self.client.send(recipient, message, payload, **options)

    def run(self) -> None:
        """Let the agents work until nothing is left that can be done now: what is delayed waits for ``advance``.

        With ``raise_errors`` an exception in a handler is raised here, as a HandlerError with its traceback's text.
        """
        self._run()
        self._look_for_errors()

    @abstractmethod
    def advance(self, time: float | str) -> None:
        """Let time pass, in seconds or as text such as ``"10m"``, and do on the way whatever becomes due.

        The clock that this moves is Squad's: delays, retries, time-outs, schedules, rates. A real squad waits instead.
        """

    @abstractmethod
    def set_clock(self, by: float | str) -> None:
        """Set the machine's clock ahead, or back with a minus, by seconds or text such as ``"-1h"``; no time passes.

        What waits for a moment meets it sooner or later by as much, as docs/reliability.md says: delays, waits between
        attempts, times to live, schedules. Time-outs, rates and graces do not notice. Only in process.
        """

    @abstractmethod
    def crash(self, name: str) -> None:
        """Kill an agent, or every worker of a convoy, as ``kill -9`` does. It is started again."""

    @property
    @abstractmethod
    def now(self) -> datetime:
        """The squad's time, in UTC."""

    @abstractmethod
    def _run(self) -> None: ...

    # -- seeing -----------------------------------------------------------------------------------------------------

    def message(self, message_id: str) -> Detail:
        """All that is known of a message: its row, payload, failed attempts, and what caused it and it caused."""
        with self._pool.connection() as database:
            return queries.message(database, message_id)

    def status(self, message_id: str) -> str:
        """queued, running, completed, failed, cancelled or expired."""
        return str(self._row(message_id)[0])

    def error(self, message_id: str) -> str:
        """What went wrong with it last: of an exception its kind, its text, and where. Empty when nothing has."""
        return self._row(message_id)[1] or ""

    def result(self, message_id: str) -> Any:
        """What its handler returned, as JSON carries it. Raises UnfinishedError when it is not completed."""
        status, error, result, kind, recipient, attempts = self._row(message_id)
        if status != "completed":
            said = f": {error}" if error else ""
            raise UnfinishedError(f"the {kind} to {recipient} is {status}, attempts: {attempts}{said}")
        return json.loads(result or "null")

    def _row(self, message_id: str) -> tuple[Any, ...]:
        columns = (Task.status, Task.error_message, Task.result, Task.type, Task.recipient, Task.attempts)
        with self._pool.connection() as database:
            found = list(Task.select(*columns).where(Task.task_id == message_id).tuples().execute(database))
        if not found:
            raise KeyError(f"there is no message {message_id!r}")
        return tuple(found[0])

    def sent(self, recipient: str, kind: type[Any] | str | None = None) -> list[Any]:
        """Every message to ``recipient`` (of one type), in order: instances of their classes.

        Those of types which are declared in YAML are dicts.
        """
        name = kind if kind is None or isinstance(kind, str) else type_of(kind).name
        query = Task.select(Task.type, Task.payload).where(Task.recipient == recipient).order_by(Task.id)
        if name is not None:
            query = query.where(Task.type == name)
        with self._pool.connection() as database:
            rows = list(query.tuples().execute(database))
        return [self._decoder(recipient, type_name)(payload) for type_name, payload in rows]

    def _decoder(self, recipient: str, type_name: str) -> Callable[[str], Any]:
        found = self._vocabulary.find(recipient, type_name)
        return json.loads if found is None else found.decode

    def state(self, agent: str) -> dict[str, Any]:
        """The agent's own state, as it was committed last."""
        query = AgentState.select(AgentState.state).where(AgentState.agent == agent)
        with self._pool.connection() as database:
            found = list(query.tuples().execute(database))
        return dict(json.loads(found[0][0])) if found else {}

    def metric(self, name: str, agent: str | None = None, type: str | None = None) -> Summary:  # noqa: A002
        """All that was recorded of a metric, with its ``count``, ``sum``, ``least``, ``most`` and ``percentile``.

        It may be an agent's own or one of Squad's. A real squad writes what it has measured some seconds later: let it
        ``advance("10s")`` before.
        """
        self._write_metrics()
        with self._pool.connection() as database:
            found = metrics.window(database, name, 0, _EVER, agent=agent, type=type)
        return found.get("", Summary())

    def _write_metrics(self) -> None:  # noqa: B027 - a real squad does it by itself
        """Write what is measured, where it can be asked to."""

    def _look_for_errors(self) -> None:
        if not self._raise_errors:
            return
        columns = (Attempt.id, Task.recipient, Task.type, Task.task_id, Attempt.outcome, Attempt.error)
        query = Attempt.select(*columns).join(Task).where(Attempt.id > self._seen).order_by(Attempt.id)
        with self._pool.connection() as database:
            rows = list(query.tuples().execute(database))
        for row, recipient, kind, task_id, outcome, error in rows:
            self._seen = row
            if outcome in _RAISED:
                raise HandlerError(f"{recipient} failed at {kind} {task_id}: {error or outcome}")


def as_datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
