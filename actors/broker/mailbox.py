"""The broker of all mailboxes: what storage's writer thread does with the messages that reach it.

Each round takes everything that has arrived, does it in one transaction, hands ready messages to workers with room,
and answers after the commit. A round waits up to a millisecond for company when the squad is busy and not at all when
it is idle, so that commits are shared under load and latency is low without it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from squad.actors import logs
from squad.actors.broker import arrivals, desk, records, recovery
from squad.actors.broker.agenda import LONGEST_SLEEP, Agenda
from squad.actors.broker.attending import attend
from squad.actors.broker.brake import Brake
from squad.actors.broker.cancels import Cancels
from squad.actors.broker.deliveries import Deliveries
from squad.actors.broker.gate import Gate
from squad.actors.broker.gathering import Gathering
from squad.actors.broker.gauges import Gauges
from squad.actors.broker.measuring import Measuring
from squad.actors.broker.rounds import Round
from squad.actors.broker.rules import Rules
from squad.actors.broker.trouble import Trouble
from squad.actors.broker.upkeep import Upkeep
from squad.actors.broker.watches import Watches
from squad.actors.broker.workers import Workers
from squad.actors.protocol import (
    Address,
    Attend,
    Cancel,
    CancelLease,
    Cancelled,
    Deliver,
    Desk,
    Hold,
    Maintain,
    Ready,
    Recall,
    Record,
    Released,
    ReleaseDone,
    Settle,
    State,
    Submit,
    Throttle,
    Unwatch,
    Watch,
)
from squad.clock import SYSTEM, Clock
from squad.errors import StoreError
from squad.store.backend import Backend
from squad.store.holds import KEY, Holds
from squad.store.rows import Running
from squad.store.settlement import Settlement
from squad.store.settling import Batch

_PAST_GRACE = "its handler went on with a cancelled message past its grace"

_STOP = object()


class Broker(threading.Thread):
    """Owns the Writer. ``put`` and ``stop`` are for the actor.

    On this thread ``send`` is called with answers, ``evict`` with a worker whose process must be ended, and why, and
    ``crashed`` when the thread itself ends by an error that should not be, ``told`` with how the storage is (a state,
    and an error for people) when its database fails, and when it works again.
    """

    longest_sleep = LONGEST_SLEEP

    def __init__(  # noqa: PLR0913 - all that it works with
        self,
        writer: Backend,
        rules: Rules,
        send: Callable[[Address, Any], None],
        *,
        evict: Callable[[str, str], None] = lambda worker, why: None,
        held: Callable[[Holds], None] = lambda holds: None,
        crashed: Callable[[], None] = lambda: None,
        told: Callable[[str, str], None] = lambda state, error: None,
        clock: Clock = SYSTEM,
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self._writer = writer
        self._rules = rules
        self._send = send
        self._evict = evict
        self._held = held
        self._crashed = crashed
        self._clock = clock
        self._gathering = Gathering(clock)
        self._workers = Workers()
        self._waiting: set[str] = set()  # recipients that may have ready messages
        self._watches = Watches(writer)
        self._cancels = Cancels()
        self._gate = Gate(clock)
        self._brake = Brake()
        self._gauges = Gauges(writer.depths, rules.bound)
        self._deliveries = Deliveries(self._workers, send)
        self._trouble = Trouble(send, told, clock)
        self._agenda = Agenda(clock)
        self._upkeep = Upkeep(writer, rules.terms, send, clock)
        self._measuring = Measuring(writer.metrics, rules.metrics, clock)

    def put(self, msg: Any, sender: Address) -> None:
        if isinstance(msg, Ready):
            msg = replace(msg, heard=self._clock.monotonic())
        self._gathering.put((msg, sender))

    def stop(self) -> None:
        """Do what has arrived, close the database and end the thread."""
        self._gathering.put(_STOP)
        self.join()

    # -- start ------------------------------------------------------------------------------------------------------

    def recover(self, alive: Iterable[str] | None, in_hand: Mapping[str, tuple[int, int]]) -> None:
        """Settle what a predecessor left running, as ``squad.actors.broker.recovery`` says. Call before ``start``."""
        now = self._clock.time()
        self._agenda.enter(recovery.settle(self._writer, self._workers, self._rules, alive, in_hand, now))
        for lease in self._writer.cancelling():
            self._must_end(lease)
        self._gate.recover(self._writer.get(KEY))
        self._agenda.enter_monotonic(self._gate.cut_at)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self._serve()
        except Exception:
            logs.logger("storage").exception("the writer's thread crashed")
            self._crashed()

    def _serve(self) -> None:
        stopping = False
        while not stopping:
            batch = self._gathering.batch(self._patience())
            if _STOP in batch:
                stopping = True
                batch.remove(_STOP)
                self._measuring.at_once()
            if self._trouble and self._trouble.pause != 0 and not stopping:
                self._trouble.put_off(batch)
                continue
            batch = self._trouble.with_kept(batch)
            try:
                self._round(batch)
                self._upkeep.turn(worked=bool(batch), waiting=stopping or self._gathering.waiting)
            except StoreError as error:  # nothing of this round was committed
                self._gate.roll_back()
                self._agenda.enter_all()  # what was due is so still
                self._trouble.met(batch, error)
        self._writer.close()

    def _patience(self) -> float | None:
        """Seconds until something is due though nothing arrives; None: for ever."""
        if self._trouble:
            return self._trouble.pause
        further = min(self._deliveries.due or math.inf, self._upkeep.due)
        return self._agenda.patience(further, self.longest_sleep)

    def _round(self, batch: list[Any]) -> None:
        now = self._clock.time()
        done = Round()
        overdue: dict[str, str] = {}
        with self._writer.transaction():
            if self._agenda.due(now):
                self._after(self._writer.due(now), done)
            if self._agenda.due_monotonic(steady := self._clock.monotonic()):
                overdue = self._overdue(steady)
            self._submit([(msg, sender) for msg, sender in batch if isinstance(msg, Submit)], now, done)
            self._settle([(msg, sender) for msg, sender in batch if isinstance(msg, Settle)], now, done)
            for msg, sender in batch:
                if not isinstance(msg, Submit | Settle):
                    self._handlers[type(msg)](self, msg, sender, now, done)
            self._hand_out(now, done)
            while self._drop_surplus(now, done):
                self._hand_out(now, done)
            if self._trouble:
                self._writer.record_events([self._trouble.ending()], now)
            self._measuring.turn(now)
            changed = dict(self._writer.changed)
        if batch:
            self._gathering.committed(self._clock.monotonic())
        self._agenda.enter_monotonic(self._measuring.over())
        if self._trouble:
            self._trouble.over()
        self._commit(done)
        for warning in self._gauges.warnings(changed, self._writer.depth, self._rules.bound):
            self.put(Record((warning,)), None)
        for worker, why in overdue.items():
            self._evict(worker, why)

    # -- inside the transaction -------------------------------------------------------------------------------------

    def _overdue(self, now: float) -> dict[str, str]:
        """Which workers must be ended by now (monotonic), and why: what they handle should have ended."""
        overdue = self._gate.overdue(now, self._workers.loaded())
        overdue |= dict.fromkeys(self._cancels.overdue(now), _PAST_GRACE)
        self._agenda.enter_monotonic(self._cancels.next_due)
        self._agenda.enter_monotonic(self._gate.cut_at)
        return overdue

    def _must_end(self, lease: Running) -> None:
        """Its message is cancelled: its handler has its grace from now on."""
        due = self._cancels.add(lease, self._rules.grace(lease.recipient), self._clock.monotonic())
        self._agenda.enter_monotonic(due)

    def _submit(self, submits: list[tuple[Submit, Address]], now: float, done: Round) -> None:
        if not submits:
            return
        for sender, answer, rows in arrivals.store(self._writer, submits, self._rules.bound, now):
            done.answers.append((sender, answer))
            for row in rows:
                until = row.delayed_until(now)
                if until is None:
                    self._waiting.add(row.recipient)
                for due in (until, row.expires_at, row.reply_due(now)):
                    self._agenda.enter(due)

    def _ready(self, msg: Ready, sender: Address, now: float, done: Round) -> None:
        if not self._workers.heard(msg, sender):
            return
        self._waiting.add(msg.recipient)
        done.settled[msg.worker] += ()  # it may be stopping, and wait for what is kept for it
        if msg.want_state:
            done.answers.append((sender, State(*self._writer.state(msg.recipient))))
        for lease in self._cancels.of(msg.worker) if self._cancels else ():
            done.answers.append((sender, CancelLease(lease.row, lease.fence)))
        if self._gate.shut and msg.held and self._gate.holds.hold(msg.recipient):
            done.answers.append((sender, Recall()))
        lost = self._workers.lost(msg)
        if lost:
            logs.logger("storage").warning("%d deliveries to %s were lost on the way", len(lost), msg.worker)
            self._after(self._writer.requeue(lost, now), done)
            for lease in lost:
                self._cancels.ended(lease.row, lease.fence)
                done.returned.append((msg.worker, lease.row))

    def _settle(self, settles: list[tuple[Settle, Address]], now: float, done: Round) -> None:
        """All that has ended, at once."""
        if not settles:
            return
        batches = [Batch(msg.worker, msg.recipient, msg.outcomes) for msg, _ in settles]
        settlement = self._writer.settle(batches, now, self._rules.retry, self._rules.for_handlers)
        accepted = iter(settlement.accepted)
        for msg, sender in settles:
            fates = [(row, fence, next(accepted)) for row, fence, *_ in msg.outcomes]
            if self._workers.get(msg.worker) is None:  # gone, or it has not introduced itself to this storage yet
                done.answers.append((sender, Deliver((), tuple(fates))))
                done.returned += [(msg.worker, row) for row, _, _ in fates if self._workers.recovered(msg.worker, row)]
            else:
                done.settled[msg.worker] += fates
            for row, fence, _ in fates if self._cancels else ():
                self._cancels.ended(row, fence)
        self._after(settlement, done)

    def _released(self, msg: Released, sender: Address, now: float, done: Round) -> None:
        ended = self._writer.release(msg.worker, msg.in_hand, msg.reason, msg.charge, now, self._rules.retry, msg.kind)
        done.gone.append(msg.worker)
        done.answers.append((sender, ReleaseDone(msg.worker)))
        self._after(ended, done)

    def _after(self, settlement: Settlement, done: Round) -> None:
        done.ended.extend(settlement.ended)
        self._waiting.update(settlement.woken)
        done.exhausted -= settlement.woken
        self._agenda.enter(settlement.next_due)

    def _watch(self, msg: Watch, sender: Address, now: float, done: Round) -> None:
        if (answer := self._watches.add(msg, sender)) is not None:
            done.answers.append((sender, answer))

    def _unwatch(self, msg: Unwatch, sender: Address, now: float, done: Round) -> None:
        self._watches.drop(msg.request)

    def _record(self, msg: Record, sender: Address, now: float, done: Round) -> None:
        answer = records.append(self._writer, msg, self._rules, now)
        if msg.metrics:
            self._measuring.at_once()
        self._waiting |= msg.recipients
        if answer is not None:
            done.answers.append((sender, answer))

    def _cancel(self, msg: Cancel, sender: Address, now: float, done: Round) -> None:
        settlement, running = self._writer.cancel(msg.task_id, msg.tree, now)
        self._after(settlement, done)
        for lease in running:
            self._must_end(lease)
        done.cancelled += running
        done.answers.append((sender, Cancelled(msg.request, len(settlement.ended), len(running))))

    def _desk(self, msg: Desk, sender: Address, now: float, done: Round) -> None:
        answer, settlement = desk.carry_out(self._writer, msg, self._rules, now)
        self._after(settlement, done)
        done.answers.append((sender, answer))

    def _hold(self, msg: Hold, sender: Address, now: float, done: Round) -> None:
        done.answers.append((sender, self._gate.carry_out(self._writer, msg, now)))
        self._agenda.enter_monotonic(self._gate.cut_at)

    def _attend(self, msg: Attend, sender: Address, now: float, done: Round) -> None:
        done.answers.append((sender, attend(self._writer, msg, now)))

    def _throttle(self, msg: Throttle, sender: Address, now: float, done: Round) -> None:
        self._brake.pause = msg.pause

    def _maintain(self, msg: Maintain, sender: Address, now: float, done: Round) -> None:
        done.maintenance.append((msg, sender))

    def _new_rules(self, rules: Rules, sender: Address, now: float, done: Round) -> None:
        self._rules = rules
        self._upkeep.configure(rules.terms)
        self._measuring.configure(rules.metrics)

    _handlers: Mapping[type, Callable[..., None]] = {
        Ready: _ready,
        Released: _released,
        Watch: _watch,
        Unwatch: _unwatch,
        Record: _record,
        Cancel: _cancel,
        Desk: _desk,
        Hold: _hold,
        Attend: _attend,
        Throttle: _throttle,
        Maintain: _maintain,
        Rules: _new_rules,
    }

    def _drop_surplus(self, now: float, done: Round) -> bool:
        """Keep the mailboxes to their bounds whose configuration says so. True: that brought new messages to others."""
        woken = False
        for recipient in list(self._writer.changed):
            bound = self._rules.bound(recipient)
            if bound is None or not bound.drop:
                continue
            surplus = self._writer.depth(recipient) - bound.limit
            if surplus > 0:
                why = f"dropped from a full mailbox: {bound.limit:,} newer messages wait for {recipient}"
                settlement = self._writer.drop_oldest(recipient, surplus, why, now)
                self._after(settlement, done)
                woken = woken or bool(settlement.woken)
        return woken

    def _hand_out(self, now: float, done: Round) -> None:
        """Claim ready messages for workers with room, the least loaded first."""
        if (later := self._brake.holds(self._clock.monotonic())) is not None:
            self._agenda.enter_monotonic(later)
            return
        wanted = {}
        for recipient in self._gate.free(self._waiting) if self._gate.shut else self._waiting:
            rooms = [(name, room) for room, name in self._workers.rooms(recipient, done) if room > 0]
            if rooms:
                wanted[recipient] = rooms
        claimed = self._writer.claim(wanted, now) if wanted else {}
        if claimed:
            self._brake.handed_out(self._clock.monotonic())
        for recipient, rooms in wanted.items():
            if any(len(claimed.get(name, ())) < room for name, room in rooms):
                done.exhausted.add(recipient)
        for name, leases in claimed.items():
            done.leases[name].extend(leases)

    # -- after the commit -------------------------------------------------------------------------------------------

    def _commit(self, done: Round) -> None:
        self._waiting -= done.exhausted
        now = self._clock.monotonic()
        self._workers.commit(done, now)
        self._deliveries.send(done, now, busy=self._gathering.busy)
        for name in done.gone:
            self._deliveries.gone(name)
            self._cancels.gone(name)
            self._workers.ended(name)
        for lease in done.cancelled:
            if (worker := self._workers.get(lease.worker)) is not None:
                self._send(worker.address, CancelLease(lease.row, lease.fence))
        for address, answer in done.answers:
            self._send(address, answer)
        for order, sender in done.maintenance:
            self._upkeep.order(order, sender)
        if done.ended and self._watches:
            with suppress(StoreError):  # the next round meets it as well, and who waits asks again
                for address, watched in self._watches.after(done.ended):
                    self._send(address, watched)
        if self._gate.shut and (holds := self._gate.commit()) is not None:
            self._held(holds)
            for name in self._workers.loaded():
                if (worker := self._workers.get(name)) is not None and holds.hold(worker.recipient):
                    self._send(worker.address, Recall())
