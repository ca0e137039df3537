"""What a handler is given beside its message."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from squad import trace
from squad.actors.agents import sending, tracing
from squad.actors.agents.sendrate import SendRate
from squad.clock import SYSTEM, Clock
from squad.errors import ConfigError, Problem, RefusedError
from squad.ids import new_id
from squad.jsontext import compact
from squad.messages import MessageType, type_of
from squad.metrics import MOST_VALUES, Kind, Own
from squad.store.rows import Lease, NewTask

FindType = Callable[[str, str], MessageType | None]
"""(recipient, name of a type) -> the type, if the recipient handles it. Raises ConfigError when it cannot be known."""


def nowhere(recipient: str, name: str) -> MessageType | None:
    """A FindType that finds nothing: messages are then sent as instances of their classes."""
    return None


class StateCell:
    """The agent's durable state between handlers: its committed text and the version that storage knows it by."""

    def __init__(self, version: int, text: str) -> None:
        self.version = version
        self.text = text


class Context:
    """One message's handling: what is known about it, and what the handler may do.

    Whatever ``send`` sends, ``metric`` records and is changed in ``state`` takes effect together with the message's
    completion, in one transaction, or not at all.
    """

    def __init__(  # noqa: PLR0913 - one object gathers what a handler may use
        self,
        *,
        agent: str,
        lease: Lease,
        home: Path,
        log: logging.Logger,
        recipients: Mapping[str, frozenset[str]],
        rate: SendRate | None,
        state: StateCell | None,
        cancelled: threading.Event,
        max_payload: int,
        clock: Clock = SYSTEM,
        find_type: FindType = nowhere,
        traced: bool = False,
        own: Own | None = None,
    ) -> None:
        self.agent = agent
        self.home = home
        self.log = log
        self.sends: list[NewTask] = []
        self.metrics: list[tuple[str, Kind, float]] = []
        self._own = own or Own()
        self.finished = False
        self._lease = lease
        self._recipients = recipients
        self._rate = rate
        self._cell = state
        self._state: dict[str, Any] | None = None
        self._cancelled = cancelled
        self._max_payload = max_payload
        self._clock = clock
        self._find_type = find_type
        self.traced = traced  # whether this message's trace is sent somewhere
        self.tracing = tracing.begin(self._place) if traced else None

    @property
    def type(self) -> str:
        """The name of the message's type."""
        return self._lease.type

    @property
    def message_id(self) -> str:
        return self._lease.task_id

    @property
    def sender(self) -> str:
        return self._lease.sender

    @property
    def priority(self) -> int:
        return self._lease.priority

    @property
    def attempt(self) -> int:
        """1 for the first. Crashes, errors and time-outs count; being given back does not."""
        return self._lease.attempt

    @property
    def traceparent(self) -> str:
        """This message's place in its trace, as W3C Trace Context writes it: what the handler calls elsewhere can be
        given it, and then belongs to the same trace."""
        return self._place().text()

    def _place(self) -> trace.Parent:
        return trace.context_of(self._lease.task_id, self._lease.root_id, self._lease.traceparent)

    @property
    def cancelled(self) -> bool:
        """True once the handler is wanted to end early: because the agent is being stopped (finish, or give back with
        RetryAfter), or because its message is cancelled (just return, or raise)."""
        return self._cancelled.is_set()

    @property
    def state(self) -> dict[str, Any]:
        """The agent's own small JSON document. Change it in place. Workers of a convoy have none."""
        if self._cell is None:
            raise RuntimeError(f"{self.agent} is a convoy: its workers share no state, so ctx.state is not for them")
        if self._state is None:
            self._state = json.loads(self._cell.text)
        return self._state

    def send(  # noqa: PLR0913 - each says one thing about the message
        self,
        recipient: str,
        message: Any,
        payload: Mapping[str, Any] | None = None,
        *,
        priority: int = 5,
        delay: float | str | None = None,
        at: float | str | datetime | None = None,
        ttl: float | str | None = None,
        key: str | None = None,
        reply_to: str | bool | None = None,
        reply_timeout: float | str | None = None,
    ) -> str:
        """Send a message when this handler ends well; returns its id.

        ``message`` is an instance of a class that was declared with ``@message``, or the name of a type: its fields are
        then in ``payload``.
        ``priority`` is 1 (highest) to 10; a second send to the same recipient with the same ``key`` is the first one.
        It is handled after ``delay`` (seconds, or text such as ``"10m"``), or from the time ``at`` on (ISO 8601 text
        with its zone, an aware ``datetime``, or seconds since the epoch), and no more once it has waited for ``ttl``
        after that: it is then ``expired``.
        However it ends, the agent ``reply_to`` (True: this one) is told by a ``squad.Reply``; after ``reply_timeout``
        without an end, that it has timed out.
        Charges the agent's send rate. Raises RefusedError when the recipient does not exist or does not handle the
        type, or a field is wrong; RateLimitError by configuration.
        """
        named = isinstance(message, str)
        if not named and payload is not None:
            raise TypeError("a message that is an instance has its fields in itself: no payload goes with it")
        name = message if named else type_of(message).name
        problems = sending.problems(recipient, name, priority, key, self._recipients)
        text = ""
        if not named:
            text = type_of(message).encode(message)
        elif not any(problem.where in ("recipient", "type") for problem in problems):
            text = self._encoded(recipient, name, payload or {}, problems)
        if len(text.encode()) > self._max_payload:
            problems.append(Problem("payload", f"is larger than the limit of {self._max_payload} bytes"))
        not_before, expires_at = sending.times(delay, at, ttl, self._clock.time(), problems)
        asked = self.agent if reply_to is True else reply_to or None
        patience = sending.patience(asked, reply_timeout, self._recipients, problems)
        if problems:
            raise RefusedError(f"a {name!r} to {recipient!r} is refused: {problems[0]}", problems=problems)
        if self._rate is not None:
            self._rate.charge(self._cancelled, self.message_id, len(self.sends))
        task = NewTask(
            new_id(),
            self.agent,
            sending.plain(recipient),
            sending.plain(name),
            text,
            int(priority),
            parent_id=self._lease.task_id,
            root_id=self._lease.root_id,
            not_before=not_before,
            key=None if key is None else sending.plain(key),
            expires_at=expires_at,
            reply_to=None if asked is None else sending.plain(asked),
            reply_timeout=patience,
            traceparent=self._passed_on(),
        )
        self.sends.append(task)
        return task.task_id

    def _passed_on(self) -> str | None:
        """What a message that is sent now carries of the trace."""
        if self.tracing is not None and (inner := self.tracing.inner()) is not None:
            return inner
        return None if self._lease.traceparent is None else trace.inherited(self.message_id, self._lease.traceparent)

    def _encoded(self, recipient: str, name: str, payload: Mapping[str, Any], problems: list[Problem]) -> str:
        """JSON text of the payload; what is wrong with it goes to ``problems``."""
        try:
            kind = self._find_type(recipient, name)
            text = compact(payload)
            text.encode()  # half a character cannot be stored
            if kind is None:
                problems.append(Problem("type", f"nothing is known of {name!r}"))
            else:
                kind.decode(text)
        except RefusedError as error:
            problems += error.problems or [Problem("payload", error.message)]
        except ConfigError as error:
            problems.append(Problem("recipient", f"{recipient} cannot take messages: {error.message}"))
        except (TypeError, ValueError) as error:
            problems.append(Problem("payload", f"cannot be sent: {error}"))
        else:
            return text
        return ""

    def metric(self, name: str, value: float, kind: Kind = "histogram") -> None:
        """Record a metric of the agent's own when this handler ends well.

        ``kind``: ``histogram`` for values of which percentiles are wanted, ``counter`` for what adds up (``value`` is
        how much more), ``gauge`` for a reading. Names are lower-case letters, digits and ``_``, at most 100 for an
        agent, each of one kind. Raises ValueError for a bad name, value or kind, and for more than 1000 values in one
        message.
        """
        number = self._own.check(name, value, kind)
        if len(self.metrics) >= MOST_VALUES:
            raise ValueError(f"one message records at most {MOST_VALUES} values of metrics: add them up before")
        self.metrics.append((sending.plain(name), cast(Kind, sending.plain(kind)), number))

    def finish(self) -> None:
        """End the agent in good order once this message is settled: its work is done.

        Its restart type says what follows: a ``permanent`` agent is started again, others stay stopped until they are
        restarted by name.
        """
        self.finished = True

    def changed_state(self) -> str | None:
        """The new state as JSON text, None if the handler left it alone. Raises TypeError for what JSON cannot say."""
        if self._state is None or self._cell is None:
            return None
        text = compact(self._state)
        return None if text == self._cell.text else text
