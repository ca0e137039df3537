"""The broker of all mailboxes: what storage's writer thread does with the messages that reach it.

Each round takes everything that has arrived, does it in one transaction, hands ready messages to workers with room,
and answers after the commit. A round waits up to a millisecond for company when the squad is busy and not at all when
it is idle, so that commits are shared under load and latency is low without it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from squad.actors import logs
from squad.actors.protocol import (
    Address,
    Deliver,
    Ready,
    Record,
    Released,
    ReleaseDone,
    Settle,
    State,
    Submit,
    SubmitDone,
    Unwatch,
    Watch,
    Watched,
)
from squad.clock import SYSTEM, Clock
from squad.errors import StoreError
from squad.store.rows import Lease, NewTask, Running
from squad.store.writer import Policy, Settlement, Writer

_GATHER = 0.001  # seconds that a busy round waits for company
_BUSY = 0.002  # seconds since the last commit within which the squad counts as busy
_IN_FLIGHT = 2.0  # seconds within which a delivery may still be on its way to its worker
_AFTER_FAILURE = 0.5  # seconds before a failed transaction is tried again
_REMEMBERED = 10_000  # workers whose end is remembered, so that a late Ready of theirs is not believed
_KILLED = "the squad was killed while it was handled"

_STOP = object()


@dataclass(slots=True)
class _Worker:
    recipient: str = ""
    address: Address = None
    window: int = 0
    held: dict[int, tuple[int, float]] = field(default_factory=dict)  # row -> fence, when delivered (monotonic)

    @property
    def room(self) -> int:
        return self.window - len(self.held) if self.address is not None else 0


@dataclass(slots=True)
class _Round:
    """What a transaction leads to once it is committed."""

    answers: list[tuple[Address, Any]] = field(default_factory=list)
    settled: dict[str, list[tuple[int, int, bool]]] = field(default_factory=lambda: defaultdict(list))
    leases: dict[str, list[Lease]] = field(default_factory=lambda: defaultdict(list))
    returned: list[tuple[str, int]] = field(default_factory=list)  # worker, row
    ended: list[tuple[str, str, str]] = field(default_factory=list)  # task_id, root_id, status
    gone: list[str] = field(default_factory=list)
    exhausted: set[str] = field(default_factory=set)  # recipients with nothing more to hand out


class Broker(threading.Thread):
    """Owns the Writer. ``put`` and ``stop`` are for the actor; ``send`` is called on this thread with answers."""

    def __init__(
        self,
        writer: Writer,
        retry_delay: Policy,
        send: Callable[[Address, Any], None],
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self._writer = writer
        self._retry_delay = retry_delay
        self._send = send
        self._clock = clock
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: dict[str, _Worker] = {}
        self._by_recipient: dict[str, set[str]] = defaultdict(set)
        self._gone: deque[str] = deque(maxlen=_REMEMBERED)
        self._waiting: set[str] = set()  # recipients that may have ready messages
        self._watches: dict[str, tuple[str, bool, Address]] = {}  # request -> task_id, tree, who
        self._next_due: float | None = None  # seconds since the epoch
        self._committed_at = 0.0

    def put(self, msg: Any, sender: Address) -> None:
        self._inbox.put((msg, sender))

    def stop(self) -> None:
        """Do what has arrived, close the database and end the thread."""
        self._inbox.put(_STOP)
        self.join()

    # -- start ------------------------------------------------------------------------------------------------------

    def recover(self, alive: Iterable[str] | None, in_hand: Mapping[str, tuple[int, int]]) -> None:
        """Settle what a predecessor left running. Call before ``start``.

        ``alive`` are the workers that still live and will say what they hold; None: the whole squad was down. Messages
        of all others go back to the queue; what one of those had ``in_hand`` is charged an attempt.
        """
        living = set(alive or ())
        dead = set()
        for row, fence, worker, _ in self._writer.open_leases():
            if worker in living:
                self._workers.setdefault(worker, _Worker()).held[row] = (fence, 0.0)
            else:
                dead.add(worker)
        with self._writer.transaction():
            now = self._clock.time()
            for worker in dead:
                self._writer.release(worker, in_hand.get(worker), _KILLED, True, now, self._retry_delay)
            self._next_due = self._writer.due(now).next_due

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        stopping = False
        while not stopping:
            batch = self._gather()
            if _STOP in batch:
                stopping = True
                batch.remove(_STOP)
            try:
                self._round(batch)
            except StoreError as error:
                self._failed(batch, error)
                stopping = False
        self._writer.close()

    def _gather(self) -> list[Any]:
        batch: list[Any] = []
        wait = None if self._next_due is None else max(0.0, self._next_due - self._clock.time())
        try:
            batch.append(self._inbox.get(timeout=wait))
        except queue.Empty:
            return batch
        if self._clock.monotonic() - self._committed_at < _BUSY:
            until = self._clock.monotonic() + _GATHER
            while (left := until - self._clock.monotonic()) > 0:
                try:
                    batch.append(self._inbox.get(timeout=left))
                except queue.Empty:
                    break
        while not self._inbox.empty():
            batch.append(self._inbox.get())
        return batch

    def _failed(self, batch: list[Any], error: StoreError) -> None:
        """Nothing of this round was committed. Senders from outside are told; the rest is tried again."""
        logs.logger("storage").error("a transaction failed, trying again: %s", error)
        for item in batch:
            msg, sender = item
            if isinstance(msg, Submit):
                self._send(sender, SubmitDone(msg.request, (), str(error)))
            else:
                self._inbox.put(item)
        time.sleep(_AFTER_FAILURE)  # on the writer's own thread, which has nothing else to do

    def _round(self, batch: list[Any]) -> None:
        now = self._clock.time()
        done = _Round()
        with self._writer.transaction():
            if self._next_due is not None and now >= self._next_due:
                settlement = self._writer.due(now)
                self._next_due = settlement.next_due
                self._after(settlement, done)
            self._submit([(msg, sender) for msg, sender in batch if isinstance(msg, Submit)], now, done)
            for msg, sender in batch:
                if not isinstance(msg, Submit):
                    self._handlers[type(msg)](self, msg, sender, now, done)
            self._hand_out(now, done)
        self._committed_at = self._clock.monotonic()
        self._commit(done)

    # -- inside the transaction -------------------------------------------------------------------------------------

    def _submit(self, submits: list[tuple[Submit, Address]], now: float, done: _Round) -> None:
        if not submits:
            return
        rows = [row for msg, _ in submits for row in msg.rows]
        try:
            results = self._writer.submit(rows, now)
        except StoreError as error:
            if len(submits) == 1:
                done.answers.append((submits[0][1], SubmitDone(submits[0][0].request, (), str(error))))
                return
            for submit in submits:  # only the one at fault is refused
                self._submit([submit], now, done)
            return
        self._new_work(rows, now)
        start = 0
        for msg, sender in submits:
            end = start + len(msg.rows)
            done.answers.append((sender, SubmitDone(msg.request, tuple(results[start:end]))))
            if msg.put:
                self._writer.put(msg.put, now)
            start = end

    def _new_work(self, rows: Iterable[NewTask], now: float) -> None:
        for row in rows:
            if row.not_before is None or row.not_before <= now:
                self._waiting.add(row.recipient)
            else:
                self._due(row.not_before)

    def _due(self, at: float | None) -> None:
        if at is not None and (self._next_due is None or at < self._next_due):
            self._next_due = at

    def _ready(self, msg: Ready, sender: Address, now: float, done: _Round) -> None:
        if msg.worker in self._gone:
            return
        worker = self._workers.setdefault(msg.worker, _Worker())
        worker.recipient, worker.address, worker.window = msg.recipient, sender, msg.window
        self._by_recipient[msg.recipient].add(msg.worker)
        self._waiting.add(msg.recipient)
        if msg.want_state:
            done.answers.append((sender, State(*self._writer.state(msg.recipient))))
        known = {row for row, _ in msg.held}
        lost = [
            Running(row, fence, msg.worker, msg.recipient)
            for row, (fence, delivered) in worker.held.items()
            if row not in known and self._clock.monotonic() - delivered > _IN_FLIGHT
        ]
        if lost:
            logs.logger("storage").warning("%d deliveries to %s were lost on the way", len(lost), msg.worker)
            self._after(self._writer.requeue(lost, now), done)
            done.returned.extend((msg.worker, lease.row) for lease in lost)

    def _settle(self, msg: Settle, sender: Address, now: float, done: _Round) -> None:
        settlement = self._writer.settle(msg.worker, msg.recipient, msg.outcomes, now, self._retry_delay)
        for outcome, accepted in zip(msg.outcomes, settlement.accepted, strict=True):
            done.settled[msg.worker].append((outcome.row, outcome.fence, accepted))
        known = self._workers.get(msg.worker)
        if known is None or known.address is None:  # gone, or it has not introduced itself to this storage yet
            done.answers.append((sender, Deliver((), tuple(done.settled.pop(msg.worker)))))
        self._after(settlement, done)

    def _released(self, msg: Released, sender: Address, now: float, done: _Round) -> None:
        settlement = self._writer.release(msg.worker, msg.in_hand, msg.reason, msg.charge, now, self._retry_delay)
        done.gone.append(msg.worker)
        done.answers.append((sender, ReleaseDone(msg.worker)))
        self._after(settlement, done)

    def _after(self, settlement: Settlement, done: _Round) -> None:
        done.ended.extend(settlement.ended)
        self._waiting.update(settlement.woken)
        self._due(settlement.next_due)

    def _watch(self, msg: Watch, sender: Address, now: float, done: _Round) -> None:
        ended = self._writer.tree_ended(msg.task_id) if msg.tree else self._writer.ended(msg.task_id)
        if ended:
            done.answers.append((sender, Watched(msg.request)))
        else:
            self._watches[msg.request] = (msg.task_id, msg.tree, sender)

    def _unwatch(self, msg: Unwatch, sender: Address, now: float, done: _Round) -> None:
        self._watches.pop(msg.request, None)

    def _record(self, msg: Record, sender: Address, now: float, done: _Round) -> None:
        if msg.events:
            self._writer.record_events(msg.events, now)
        if msg.resizes:
            self._writer.record_resizes(msg.resizes, now)
        if msg.put:
            self._writer.put(msg.put, now)

    _handlers: Mapping[type, Callable[..., None]] = {
        Ready: _ready,
        Settle: _settle,
        Released: _released,
        Watch: _watch,
        Unwatch: _unwatch,
        Record: _record,
    }

    def _hand_out(self, now: float, done: _Round) -> None:
        """Claim ready messages for workers with room, the least loaded first."""
        freed: dict[str, int] = defaultdict(int)
        for name, settled in done.settled.items():
            freed[name] += len(settled)
        for name, _ in done.returned:
            freed[name] += 1
        for recipient in self._waiting:
            rooms = [
                (self._workers[name].room + freed[name], name)
                for name in self._by_recipient[recipient]
                if name not in done.gone
            ]
            for room, name in sorted(rooms, reverse=True):
                if room <= 0:
                    break
                leases = self._writer.claim(recipient, name, room, now)
                if leases:
                    done.leases[name].extend(leases)
                if len(leases) < room:
                    done.exhausted.add(recipient)
                    break

    # -- after the commit -------------------------------------------------------------------------------------------

    def _commit(self, done: _Round) -> None:
        self._waiting -= done.exhausted
        for name, row in done.returned:
            self._workers[name].held.pop(row, None)
        for name in {*done.settled, *done.leases}:
            worker = self._workers[name]
            for row, _, _ in done.settled.get(name, ()):
                worker.held.pop(row, None)
            leases = done.leases.get(name, [])
            worker.held.update({lease.row: (lease.fence, self._clock.monotonic()) for lease in leases})
            self._send(worker.address, Deliver(tuple(leases), tuple(done.settled.get(name, ()))))
        for name in done.gone:
            self._gone.append(name)
            worker_gone = self._workers.pop(name, None)
            if worker_gone is not None:
                self._by_recipient[worker_gone.recipient].discard(name)
        for address, answer in done.answers:
            self._send(address, answer)
        if done.ended and self._watches:
            self._tell_watchers(done.ended)

    def _tell_watchers(self, ended: list[tuple[str, str, str]]) -> None:
        tasks = {task_id for task_id, _, _ in ended}
        for request, (task_id, tree, address) in list(self._watches.items()):
            if self._writer.tree_ended(task_id) if tree else task_id in tasks:
                del self._watches[request]
                self._send(address, Watched(request))
