"""Between the gateway's two threads: the HTTP side asks, the actor side carries it out and answers.

Every attribute belongs to one thread, and what crosses is a queue, a posted call, or a future's result, so there are
no locks. The HTTP side waits in coroutines, each with a time limit; the actor side never waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

from squad.actors.protocol import Address, Submit, SubmitDone, Unwatch, Watch
from squad.errors import Exit, QueueFullError, SquadError, StoreError
from squad.ids import new_id
from squad.store.rows import NewTask, Submitted

SUBMIT_LIMIT = 20.0  # seconds for a commit, a restart of the storage included
REPEAT_AFTER = 5.0  # seconds without an answer before something is said to the storage again

_MOST_ROWS = 1000  # of requests that share a Submit; a larger one has a Submit to itself
_MOST_TEXT = 4_000_000  # likewise, characters of payloads


class SilenceError(SquadError):
    """A part of the squad did not answer in time."""

    exit = Exit.TIMED_OUT


class _Wanted(NamedTuple):
    """Rows that one request wants in the store, all or none."""

    request: str
    rows: tuple[NewTask, ...]


class _Sent(NamedTuple):
    submit: Submit
    wanted: tuple[_Wanted, ...]
    at: float


class _Asked(NamedTuple):
    message: Any
    again: bool  # whether it does no harm to say it twice


class Bridge:
    """See the module. ``post`` runs a call on the actor's thread soon; ``tell`` sends a message, from that thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None], tell: Callable[[Address, Any], None]) -> None:
        self._post = post
        self._tell = tell
        self._numbers = count(1)
        self._mark = new_id()[-12:]  # requests of an earlier gateway are not taken for ours
        # The HTTP side's.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answers: dict[str, asyncio.Future[Any]] = {}
        # Filled by the HTTP side, emptied by the actor side.
        self._outgoing: deque[_Wanted] = deque()
        # The actor side's.
        self._storage: Address | None = None
        self._unanswered: dict[str, _Sent] = {}
        self._asked: dict[str, _Asked] = {}
        self._watches: dict[str, tuple[Watch, float]] = {}

    # -- the HTTP side ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Called once, on the HTTP side's event loop, before anything is asked."""
        self._loop = asyncio.get_running_loop()

    async def submit(self, rows: Sequence[NewTask]) -> list[Submitted]:
        """What became of each row, once all are committed.

        Requests that come together share a packet and a commit. Raises QueueFullError if a mailbox has no room for
        them, StoreError if the store cannot take them, and SilenceError when it has not answered in time; the rows may
        then be stored all the same.
        """
        with self._question() as (request, future):
            self._outgoing.append(_Wanted(request, tuple(rows)))
            self._post(self._flush)
            try:
                async with asyncio.timeout(SUBMIT_LIMIT):
                    done: list[Submitted] = await future
            except TimeoutError:
                raise SilenceError(
                    f"the storage did not confirm within {SUBMIT_LIMIT:g} s: it is not known whether it was queued",
                    hint="send it again with the same id: it is queued once",
                ) from None
            return done

    async def ask_storage(self, message: Callable[[str], Any], *, again: bool) -> Any:
        """The storage's answer to ``message(request)``; with ``again`` it may be said twice.

        Raises SilenceError when it has not answered in time; it may be done all the same.
        """
        with self._question() as (request, future):
            self._post(lambda: self._put_to_storage(request, _Asked(message(request), again)))
            try:
                async with asyncio.timeout(SUBMIT_LIMIT):
                    return await future
            except TimeoutError:
                raise SilenceError(
                    f"the storage did not answer within {SUBMIT_LIMIT:g} s: it is not known whether it was done",
                    hint="look whether it was, and try again",
                ) from None
            finally:
                self._post(lambda: self._forget(request))

    async def ended(self, task_id: str, tree: bool, timeout: float, gone: Callable[[], Any]) -> bool:
        """Whether a message (with ``tree``: and all that came of it) has ended within ``timeout`` seconds.

        Also False as soon as ``gone()``, a coroutine, returns: nobody waits any more.
        """
        with self._question() as (request, future):
            self._post(lambda: self._watch(Watch(request, task_id, tree)))
            leaving = asyncio.ensure_future(gone())
            try:
                await asyncio.wait((future, leaving), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                self._post(lambda: self._unwatch(request))
            return future.done()

    async def ask(self, supervisor: Address, message: Callable[[str], Any], timeout: float) -> Any:
        """The supervisor's answer to ``message(request)``. Raises SilenceError after ``timeout`` seconds."""
        with self._question() as (request, future):
            self._post(lambda: self._tell(supervisor, message(request)))
            try:
                async with asyncio.timeout(timeout):
                    return await future
            except TimeoutError:
                raise SilenceError(
                    f"the supervisor did not answer within {timeout:g} s", hint="squad inspect shows its last news"
                ) from None

    def say(self, address: Address, message: Any) -> None:
        """Tell an actor something that has no answer."""
        self._post(lambda: self._tell(address, message))

    @contextlib.contextmanager
    def _question(self) -> Iterator[tuple[str, asyncio.Future[Any]]]:
        """A new request and the future of its answer. An answer that comes after the block is dropped."""
        request = self._new_request()
        future = self._answers[request] = asyncio.get_running_loop().create_future()
        try:
            yield request, future
        finally:
            del self._answers[request]

    def _new_request(self) -> str:
        return f"{self._mark}-{next(self._numbers)}"

    def _settle(self, request: str, answer: Any) -> None:
        future = self._answers.get(request)
        if future is None or future.done():
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    # -- the actor side ---------------------------------------------------------------------------------------------

    def storage_at(self, address: Address) -> None:
        """The storage lives here now: say again what it has not answered. Rows have ids, so none is stored twice."""
        self._storage = address
        self._repeat(older_than=0.0)
        self._flush()
        for request, asked in list(self._asked.items()):
            del self._asked[request]
            self._put_to_storage(request, asked)

    def repeat(self) -> None:
        """Called now and then: say again what has had no answer for long, for packets may be lost."""
        self._repeat(older_than=REPEAT_AFTER)
        self._flush()

    def submit_done(self, msg: SubmitDone) -> None:
        sent = self._unanswered.pop(msg.request, None)
        if sent is None:
            return  # said twice and answered twice
        refused = dict(msg.refused)
        begin = 0
        for number, wanted in enumerate(sent.wanted):
            # Each its own exception: they are raised in different requests.
            if (refusal := refused.get(number)) is not None:
                kind = QueueFullError if refusal.full else StoreError
                self.answer(wanted.request, kind(refusal.error, hint=refusal.hint))
            elif msg.error:
                self.answer(wanted.request, StoreError(msg.error))
            else:
                end = begin + len(wanted.rows)
                self.answer(wanted.request, list(msg.results[begin:end]))
                begin = end

    def watched(self, request: str) -> None:
        if self._watches.pop(request, None) is not None:
            self.answer(request, True)

    def answer(self, request: str, answer: Any) -> None:
        """Hand an answer to whoever waits for it on the HTTP side; an exception is raised there."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._settle, request, answer)

    def echo(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the actor's thread after a turn of the HTTP side's loop: proof that both are alive."""
        if self._loop is None:
            call()
        else:
            self._loop.call_soon_threadsafe(self._post, call)

    def soon(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the HTTP side's loop, once that is there."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(call)

    @property
    def quiet(self) -> bool:
        """Nothing is on its way to the store."""
        return not self._outgoing and not self._unanswered

    def _flush(self) -> None:
        if self._storage is None:
            return
        while self._outgoing:
            taken: list[_Wanted] = []
            rows = text = 0
            while self._outgoing:
                wanted = self._outgoing[0]
                size = sum(len(row.payload) for row in wanted.rows)
                if taken and (rows + len(wanted.rows) > _MOST_ROWS or text + size > _MOST_TEXT):
                    break
                self._outgoing.popleft()
                if wanted.request in self._answers:  # else its request has given up: better not stored at all
                    taken.append(wanted)
                    rows, text = rows + len(wanted.rows), text + size
            if taken:
                every = tuple(row for wanted in taken for row in wanted.rows)
                sizes = tuple(len(wanted.rows) for wanted in taken)
                self._send(Submit(self._new_request(), every, groups=sizes), tuple(taken))

    def _send(self, submit: Submit, wanted: tuple[_Wanted, ...]) -> None:
        self._unanswered[submit.request] = _Sent(submit, wanted, time.monotonic())
        self._tell(self._storage, submit)

    def _forget(self, request: str) -> None:
        self._asked.pop(request, None)

    def _put_to_storage(self, request: str, asked: _Asked) -> None:
        if self._storage is None or asked.again:
            self._asked[request] = asked
        if self._storage is not None:
            self._tell(self._storage, asked.message)

    def _repeat(self, older_than: float) -> None:
        if self._storage is None:
            return
        before = time.monotonic() - older_than
        for sent in [sent for sent in self._unanswered.values() if sent.at <= before]:
            if any(wanted.request in self._answers for wanted in sent.wanted):
                self._send(sent.submit, sent.wanted)
            else:
                del self._unanswered[sent.submit.request]
        for watch in [watch for watch, at in self._watches.values() if at <= before]:
            self._watch(watch)

    def _watch(self, watch: Watch) -> None:
        self._watches[watch.request] = (watch, time.monotonic())
        if self._storage is not None:
            self._tell(self._storage, watch)

    def _unwatch(self, request: str) -> None:
        if self._watches.pop(request, None) is not None and self._storage is not None:
            self._tell(self._storage, Unwatch(request))
