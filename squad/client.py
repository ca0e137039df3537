"""Talking to a running squad from Python, over the gateway's Unix socket.

    with Client() as squad:
        message_id = squad.send("scanner", "scan", {"path": "/srv/code"})
        squad.wait(message_id, tree=True, timeout=600)

A Client may be shared by threads. It keeps its connections open, makes new ones when the gateway was restarted, and
repeats a request whose answer was lost: message ids are made here, so that a message sent twice is queued once.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from squad.attending import Attending
from squad.batches import Sending, chunks, with_id
from squad.durations import parse_duration
from squad.errors import (
    NotRunningError,
    Problem,
    UsageError,
    WaitTimeoutError,
)
from squad.home import Home, find
from squad.ids import new_id
from squad.steering import Steering
from squad.wire import Connection, Request, answer, encode

_HOLD = 20.0  # seconds that one waiting request is held open by the gateway
_WAIT_PATIENCE = 60.0  # seconds that the gateway may be away during a wait: more than a restart's longest backoff
_RELOAD_TIMEOUT = 90.0  # seconds; every agent's class is imported
_BATCH = 500  # messages in one request and one transaction
MOST_IN_BATCH = 100_000  # likewise; the gateway takes no more


class Sent(NamedTuple):
    """A message that is stored. ``duplicate``: its key was used before, and ``id`` is that first message's."""

    id: str
    duplicate: bool


class Client(Steering, Attending):
    """A connection to the squad whose home is ``home`` (None: found as the commands find it).

    ``timeout`` is how many seconds an answer may take; ``patience`` how many seconds the gateway may be away while the
    squad is up (it is being restarted) before a call gives up.

    Every call raises NotRunningError when no squad runs there, WaitTimeoutError when no answer comes in time, and what
    the gateway says otherwise: RefusedError and its kinds, UsageError, SquadError.
    """

    _sending = Sending

    def __init__(
        self, home: str | os.PathLike[str] | Home | None = None, *, timeout: float = 30.0, patience: float = 5.0
    ) -> None:
        self.home = home if isinstance(home, Home) else find(home)
        self._timeout = timeout
        self._patience = patience
        self._idle: list[Connection] = []  # append and pop are atomic, so threads share it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. The client can still be used: it opens new ones."""
        while self._idle:
            self._idle.pop().close()

    # -- sending ----------------------------------------------------------------------------------------------------

    def send(  # noqa: PLR0913 - all but the first three by name
        self,
        recipient: str,
        message: Any,
        payload: Mapping[str, Any] | None = None,
        *,
        priority: int | None = None,
        sender: str | None = None,
        delay: float | str | None = None,
        at: float | str | datetime | None = None,
        ttl: float | str | None = None,
        key: str | None = None,
        traceparent: str | None = None,
    ) -> str:
        """Send a message and return its id once it is stored.

        ``message`` is the name of a type, with its fields in ``payload``, or an instance of a class declared with
        ``@message``. ``priority`` is 1 (highest) to 10, 5 unless given. It is handled after ``delay`` (seconds, or text
        such as ``"10s"``), or from the time ``at`` on (ISO 8601 text with its zone, an aware ``datetime``, or seconds
        since the epoch), and no more once it has waited for ``ttl`` after that. With a ``key`` that was used before for
        this recipient nothing is queued, and the first message's id is returned. With a ``traceparent`` (W3C Trace
        Context) it belongs to that trace, and so does all that comes of it. Raises RefusedError, with every field that
        is wrong in ``problems``; it is a QueueFullError when too many messages wait for the recipient. UsageError: what
        is given cannot be meant.
        """
        if isinstance(message, str):
            type_name, fields = message, {} if payload is None else _mapping(payload, "payload")
        else:
            type_name, fields = _from_instance(message, payload)
        optional = {
            "priority": priority,
            "sender": sender,
            "delay": None if delay is None else _seconds(delay),
            "at": None if at is None else _moment(at),
            "ttl": None if ttl is None else _seconds(ttl),
            "key": key,
            "traceparent": traceparent,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return self.submit({"recipient": recipient, "type": type_name, "payload": fields, **given}).id

    def submit(self, message: Mapping[str, Any]) -> Sent:
        """Send one message in the gateway's own form: ``recipient``, ``type``, ``payload`` and the optional fields."""
        body = {"id": new_id(), **_mapping(message, "message")}
        stored = self._call("POST", "/v1/messages", encode(body))
        # An id of our own that is there already is the echo of a lost answer, not a duplicate.
        return Sent(stored["id"], bool(stored["duplicate"]) and stored["id"] != body["id"])

    def send_many(self, messages: Iterable[Mapping[str, Any]], *, batch: int = _BATCH) -> list[str]:
        """Send many messages, in the form that ``submit`` takes; returns their ids in order.

        They go in batches of ``batch``, each stored whole or not at all. If one is refused, the batches before it stay
        queued: the RefusedError names its wrong messages as ``line N``, counted from 1 over all messages.
        """
        return self._send_batches(
            (encode({"id": new_id(), **_mapping(message, "message")}) for message in messages), batch
        )

    def send_lines(
        self, lines: Iterable[bytes], *, batch: int = MOST_IN_BATCH, traceparent: str | None = None
    ) -> list[str]:
        """The same for messages that are JSON text already, one on each line; blank lines count, and are skipped.

        A line without an ``id`` is given one, and one without a ``traceparent`` of its own belongs to that trace. What
        is wrong with a line is left for the gateway to say.
        """
        return self._send_batches((with_id(line) for line in lines), batch, traceparent)

    def _send_batches(self, lines: Iterable[bytes], most: int, traceparent: str | None = None) -> list[str]:
        """One batch after the other. While one is being stored, the next is made and checked."""
        ids: list[str] = []
        before = 0
        sending: Sending | None = None
        following: Sending | None = None
        try:
            for chunk in chunks(lines, most):
                if any(line.strip() for line in chunk):
                    following = self._sending(partial(self._send_batch, traceparent), chunk, before, sending)
                    if sending is not None:
                        ids += sending.done(ids)
                    sending = following
                before += len(chunk)
        except BaseException:
            for begun in (following, sending):
                if begun is not None and begun is not sending:
                    begun.abandon()
                if begun is not None:
                    begun.join()
            raise
        return ids if sending is None else ids + sending.done(ids)

    def _send_batch(self, traceparent: str | None, lines: Sequence[bytes], gate: Callable[[], None]) -> list[str]:
        body = b"\n".join(lines)
        if b'"ttl"' in body or b'"delay"' in body:  # these count from when the gateway begins to read
            gate()
        headers = {} if traceparent is None else {"traceparent": traceparent}
        request = Request("POST", "/v1/messages/batch", body, "application/x-ndjson", gate, headers)
        ids: list[str] = self._ask(request)["ids"]
        return ids

    def wait(self, message_id: str, *, tree: bool = False, timeout: float | None = None) -> bool:
        """Wait until a message has ended (completed, failed, …); with ``tree``, it and all that came of it.

        Returns False when ``timeout`` seconds (None: no limit) have passed and it has not. A gateway that is restarted
        meanwhile does not disturb this.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            hold = _HOLD if remaining is None else min(_HOLD, remaining)
            path = f"/v1/messages/{_segment(message_id)}/wait?tree={int(tree)}&timeout={hold:.3f}"
            patience = _WAIT_PATIENCE if remaining is None else min(_WAIT_PATIENCE, remaining)
            if self._patiently(Request("GET", path), hold + self._timeout, patience)["done"]:
                return True
            if remaining is not None and remaining <= hold:
                return False

    def cancel(self, message_id: str, *, tree: bool = False) -> dict[str, int]:
        """Cancel a message (full id); with ``tree`` also all that came of it.

        ``{"cancelled": n, "running": n}``: so many waited and have ended, so many run and are told to end.
        """
        done = self._call("POST", f"/v1/messages/{_segment(message_id)}/cancel", encode({"tree": tree}))
        return {"cancelled": done["cancelled"], "running": done["running"]}

    # -- dead letters -----------------------------------------------------------------------------------------------

    def retry_dead(
        self, ids: Sequence[str] | None = None, *, dry_run: bool = False, **which: float | str | datetime
    ) -> list[str]:
        """Put dead letters back into their queues, all or none; their ids. With ``dry_run`` only say which they are.

        They are named by their (full) ids, or chosen by ``agent``, ``type``, ``since`` (when they died, as ``at`` in
        ``send``; 0 chooses all) and ``error`` (a part of its text). Raises RefusedError when one is no dead letter, and
        QueueFullError when they do not fit their mailboxes.
        """
        return self._desk("retry", ids, dry_run, which)

    def drop_dead(
        self, ids: Sequence[str] | None = None, *, dry_run: bool = False, **which: float | str | datetime
    ) -> list[str]:
        """Likewise delete them."""
        return self._desk("drop", ids, dry_run, which)

    def edit_dead(self, message_id: str, payload: Mapping[str, Any]) -> None:
        """Give a dead letter another payload, which must fit its type: RefusedError says how it does not."""
        self._call("PUT", f"/v1/dead/{_segment(message_id)}", encode({"payload": payload}))

    def _desk(
        self, action: str, ids: Sequence[str] | None, dry_run: bool, which: Mapping[str, float | str | datetime]
    ) -> list[str]:
        if (ids is not None) == bool(which):
            raise UsageError("name dead letters by their ids, or choose them by agent, type, since or error")
        chosen = {key: _moment(value) if key == "since" else value for key, value in which.items()}
        body: dict[str, Any] = {"filter": chosen} if ids is None else {"ids": list(ids)}
        if dry_run:
            body["dry_run"] = True
        found: list[str] = self._call("POST", f"/v1/dead/{action}", encode(body))["ids"]
        return found

    # -- seeing and steering ----------------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """``{"squad", "pid", "ready", "frozen", "waiting_for": [names], "failed": [{"name", "error"}]}``"""
        return self._call("GET", "/v1/health")

    def tree(self) -> dict[str, Any]:
        """The actor tree now: ``{"squad", "taken_at", "actors": [...]}``, as ``squad inspect -o json`` prints it."""
        return self._call("GET", "/v1/tree")

    def types(self) -> list[dict[str, Any]]:
        """The message types that this squad handles: ``{"name", "schema", "handled_by"}`` each."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/types")["types"]
        return found

    def store(self) -> dict[str, Any]:
        """``{"pool": {...}}``: how the gateway uses its connections to the database (see ``squad status -o json``)."""
        return self._call("GET", "/v1/store")

    def convoys(self) -> list[dict[str, Any]]:
        """Its convoys, as ``squad convoy list -o json`` prints them."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/convoys")["convoys"]
        return found

    def restart(self, name: str) -> None:
        """Restart an agent, or all workers of a convoy, and end its quarantine."""
        self._call("POST", f"/v1/agents/{_segment(name)}/restart", b"{}")

    def resize(self, convoy: str, size: int | None) -> dict[str, Any]:
        """Pin a convoy to ``size`` workers, or give it back to the monitor (None): ``{"convoy", "size", "pinned"}``."""
        return self._call(
            "POST", f"/v1/convoys/{_segment(convoy)}/resize", encode({"size": "auto" if size is None else size})
        )

    def reload(self, path: Path | None = None, *, dry_run: bool = False) -> dict[str, Any]:
        """Have the squad take up its configuration as it is in the file now; with ``dry_run`` only say what that means.

        ``{"start", "stop", "restart", "resize", "change", "done"}``. ``path`` None: the file it was started from.
        Raises ConfigError naming every mistake; the squad goes on as it was.
        """
        body: dict[str, Any] = {"dry_run": dry_run}
        if path is not None:
            body["path"] = str(path.resolve())
        request = Request("POST", "/v1/reload", encode(body), "application/json")
        return self._patiently(request, _RELOAD_TIMEOUT, self._patience)

    def schedules(self) -> list[dict[str, Any]]:
        """Its schedules, as ``squad schedule list -o json`` prints them."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/schedules")["schedules"]
        return found

    def run_schedule(self, name: str) -> str:
        """Send a schedule's message now, whatever its time; returns its id. The planned runs stay as they are."""
        return str(self._call("POST", f"/v1/schedules/{_segment(name)}/run", encode({"id": new_id()}))["id"])

    # -- requests ---------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        return self._ask(Request(method, path, body))

    def _ask(self, request: Request) -> dict[str, Any]:
        return self._patiently(request, self._timeout, self._patience)

    def _patiently(self, request: Request, timeout: float, patience: float) -> dict[str, Any]:
        """One request, repeated while the gateway is away and the squad is up. Raises as the class says."""
        give_up: float | None = None
        pause = 0.0
        while True:
            try:
                status, content = self._exchange(request, timeout)
            except TimeoutError:
                raise WaitTimeoutError(
                    f"the squad in {self.home.path} did not answer within {timeout:g} s", hint="squad inspect"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                self.close()
                give_up = give_up or time.monotonic() + patience  # from the first failure on
                if self.home.launcher() is None:
                    raise NotRunningError(f"no squad is running in {self.home.path}", hint="squad start") from None
                if time.monotonic() + pause > give_up:
                    reason = str(error) or type(error).__name__
                    raise NotRunningError(
                        f"the squad in {self.home.path} is up, but its gateway does not answer: {reason}",
                        hint="squad inspect shows its state; squad stop --force ends it",
                    ) from None
                time.sleep(pause)
                pause = min(0.25, pause * 2 or 0.01)
            else:
                return answer(status, content)

    def _exchange(self, request: Request, timeout: float) -> tuple[int, bytes]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self.home)
        connection.limit(timeout)
        try:
            try:
                connection.say(request)
            except (BrokenPipeError, ConnectionResetError):
                if connection.sock is None:
                    raise
                # A refusal may be waiting there: a body over the limit is not read to its end.
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return response.status, content


def _mapping(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Raises UsageError when it is none: nothing checks a caller's types when it runs."""
    if not isinstance(value, Mapping):
        problem = Problem(what, f"must be a mapping with its fields, not {type(value).__name__}")  # type: ignore[unreachable]
        raise UsageError(f"the {what} is no JSON object", problems=[problem])
    return dict(value)


def _from_instance(message: Any, payload: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    from squad.messages import type_of

    if payload is not None:
        raise UsageError("a message object carries its own fields: give it without a payload")
    try:
        declared = type_of(message)
    except TypeError as error:
        raise UsageError(str(error)) from None
    fields: dict[str, Any] = json.loads(declared.encode(message))
    return declared.name, fields


def _seconds(delay: float | str) -> float:
    try:
        return parse_duration(delay)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _moment(at: float | str | datetime) -> float:
    from squad.moments import parse_moment

    try:
        return parse_moment(at)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _segment(name: str) -> str:
    return quote(name, safe="", errors="replace")
