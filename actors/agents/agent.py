"""The actor around a user's agent: it takes leases from storage, has them handled, and settles them.

Its loop never runs user code, so pings, drains and storage's answers are met at once while a handler works.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from squad.actors import logs
from squad.actors.accepted import latest
from squad.actors.agents import readiness
from squad.actors.agents.asked import Asked
from squad.actors.agents.blackbox import BlackBox
from squad.actors.agents.command import CANCELLED, STOPPED, CommandAgent
from squad.actors.agents.context import StateCell
from squad.actors.agents.handlers import Agent
from squad.actors.agents.kinds import Vocabulary, agent_class
from squad.actors.agents.nursery import PATIENCE, SPARE, Nursery
from squad.actors.agents.outbox import Outbox
from squad.actors.agents.reporting import Reports
from squad.actors.agents.runner import InHand, Runner, Workbench
from squad.actors.agents.sendrate import SendRate
from squad.actors.agents.window import Window
from squad.actors.base import receives
from squad.actors.bucket import TokenBucket
from squad.actors.protocol import (
    Address,
    Begin,
    CancelLease,
    Deliver,
    Drain,
    Drained,
    Leaving,
    Ping,
    Pong,
    Ready,
    Settle,
    Started,
    StartFailed,
    State,
    StorageAt,
)
from squad.store.rows import Lease, Outcome

_TICK = 0.5  # seconds between looks at a busy handler
_HOARDING = 0.05  # seconds after which leases that wait behind a slow handler go back to be handled elsewhere
_ASK, _LATE = "ask", "late"


class AgentActor(Asked):
    """One process of an agent or a convoy."""

    def __init__(self) -> None:
        super().__init__()
        self._window = Window()
        self._asked = -1  # the window that storage knows
        self._storage: Address = None
        self._held: dict[tuple[int, int], Lease] = {}  # delivered and without an outcome yet
        self._tick_due: float | None = None  # monotonic
        self._draining = False
        self._stuck = False  # the handler in hand turned out slow: nothing should wait behind it
        self._leaving = ""  # why its process ends by itself once all is settled
        self._timed_out = False  # because a handler ran for too long
        self._runner: Runner | None = None
        self._nursery: Nursery | None = None  # where a command agent's commands run
        self._through = self._ready = False  # its start is through; and so is what it waits for after that
        self._state = StateCell(0, "{}")
        self._send_rate: SendRate | None = None
        self._handle_rate: TokenBucket | None = None

    # -- start ------------------------------------------------------------------------------------------------------

    @receives(Begin)
    def on_begin(self, msg: Begin, sender: Address) -> None:
        self._supervisor, self._storage, self._worker = sender, msg.storage, msg.worker
        self._outbox = Outbox(self._tell_storage, self.clock)
        self._reports = Reports(msg.worker, lambda report: self.tell(self._supervisor, report))
        self._spec = msg.spec
        self._home = Path(msg.home)
        self._config = msg.config
        self._recipients: dict[str, frozenset[str]] = msg.extra["recipients"]
        self._vocabulary = Vocabulary(msg.config, partial(latest, self._home, msg.config))
        self.set_title(msg.spec.name)
        self.log_to(self._home, msg.spec.name, msg.config.logging)
        self.tell(sender, Started(self._worker))
        self._set_rates(msg.extra.get("share", 1))
        if msg.spec.stateful:
            self._ask_for_state()
        else:
            self._launch()

    def _ask_for_state(self) -> None:
        self.tell(self._storage, Ready(self._spec.recipient, self._worker, 0, want_state=True))

    @receives(State)
    def on_state(self, msg: State, sender: Address) -> None:
        if self._runner is None:
            self._state = StateCell(msg.version, msg.text)
            self._launch()

    def _launch(self) -> None:
        if self._spec.settings.command is not None:
            self._nursery = Nursery(self._spec.name)  # a fork: before the runner's thread
        bench = Workbench(
            name=self._spec.recipient,
            home=self._home,
            recipients=self._recipients,
            rate=self._send_rate,
            state=self._state if self._spec.stateful else None,
            black_box=BlackBox(self._home / "run" / "hand", self._worker),
            max_payload=self._config.limits.max_payload,
            log=logs.logger(self._spec.name),
            clock=self.clock,
            find_type=self._vocabulary.find,
            traced=bool(self._config.exporters),
        )
        self._runner = Runner(
            self._make_agent,
            bench,
            ready=self._become_ready,
            failed=lambda text: self.post(lambda: self._cannot_start(text)),
            finished=self._finished,
        )
        self._runner.start()
        self.after(self._spec.settings.start_timeout, _LATE)

    def _make_agent(self) -> Agent:
        agent = agent_class(self._config, self._spec.recipient)()
        agent.options = dict(self._spec.settings.options)
        if isinstance(agent, CommandAgent) and self._nursery is not None:
            agent.settle(self._nursery, self._worker, self._home)
        return agent

    def _become_ready(self) -> None:
        """On the runner's thread."""
        self._through = True
        rules = self._spec.settings.ready_when
        if rules is not None and self._runner is not None:
            readiness.wait(rules, self._config.base_dir, self._runner.cancelled)
        self.post(self._begin_work)

    def _cannot_start(self, text: str) -> None:
        logs.logger(self._spec.name).error("cannot start: %s", text)
        self.tell(self._supervisor, StartFailed(self._worker, text))

    def _begin_work(self) -> None:
        self._ready = True
        logs.logger(self._spec.name).debug("ready")  # the supervisor says it aloud: a first line costs 300 KB
        self._ask_for_work()
        self._report()

    # -- taking messages --------------------------------------------------------------------------------------------

    def _allowed(self) -> int:
        """How many messages this worker may hold now."""
        if self._draining or not self._ready:
            return 0
        if self._stuck:
            return len(self._held)
        if self._handle_rate is None:
            return self._window.size
        tokens = self._handle_rate.level(self.clock.monotonic())
        if tokens < 1:
            self.after((1 - tokens) * 60 / self._handle_rate.per_minute + 0.001, _ASK)
        return min(self._window.size, len(self._held) + int(tokens))

    def _ask_for_work(self, *, again: bool = False) -> None:
        allowed = self._allowed()
        if again or allowed != self._asked:
            self._asked = allowed
            held = (*self._held, *self._outbox.claims)
            self.tell(self._storage, Ready(self._spec.recipient, self._worker, allowed, held))

    @receives(Deliver)
    def on_deliver(self, msg: Deliver, sender: Address) -> None:
        self._enter()
        for row, fence, accepted in msg.settled:
            outcome = self._outbox.acknowledged((row, fence))
            if outcome is not None and not accepted:
                self._refused(outcome)
        held, outbox = self._held, self._outbox
        fresh = {claim: lease for lease in msg.leases if (claim := lease[:2]) not in held and claim not in outbox}
        if fresh and self._runner is not None:
            if self._handle_rate is not None:
                self._handle_rate.take(self.clock.monotonic(), len(fresh))
            held.update(fresh)
            self._start_ticking()
        self._ask_for_work()
        if fresh and self._runner is not None:
            # Last of all: its thread wakes at once, and needs the interpreter.
            self._runner.tray.put(fresh.values())
        if self._draining:
            if fresh:
                self._give_back()
            self._drained_if_done()

    def _refused(self, outcome: Outcome) -> None:
        log = logs.logger(self._spec.name)
        log.warning("the outcome of row %d has no effect: its lease was lost, or its tree was cancelled", outcome.row)
        if outcome.state is not None:
            # Our copy of the state is ahead of the committed one: start again from the truth.
            self._leave("its state was not the committed one any more")

    # -- giving outcomes --------------------------------------------------------------------------------------------

    def _finished(self, outcome: Outcome) -> None:
        """On the runner's thread."""
        assert self._runner is not None  # noqa: S101 - it is the runner that calls
        if self._outbox.ended(outcome, more=bool(self._runner.tray)):
            if self._handle_rate is None:
                self._outbox.tell()
            if self._handle_rate is not None or self._draining or self._runner.finishing:
                self.post(self._settle)

    def _enter(self) -> None:
        """What the runner has done since."""
        for outcome in self._outbox.enter(lambda claim: self._held.pop(claim, None) is not None):
            self._stuck = False
            self._reports.count(outcome)
            self._window.ended(outcome.duration_ms / 1000, self.clock.monotonic())

    def _settle(self) -> None:
        """Enter what the runner has done, and tell what it has kept back."""
        self._enter()
        self._ask_for_work()  # before the outcomes free places for which there may be no token
        self._outbox.tell()
        if self._runner is not None and self._runner.finishing and not self._draining:
            self._draining, self._leaving = True, "its work is done"
            self._give_back()
            self._ask_for_work()
            self._drained_if_done()  # its last outcome may be acknowledged already

    def _tell_storage(self, outcomes: Sequence[Outcome]) -> None:
        self.tell(self._storage, Settle(self._spec.recipient, self._worker, tuple(outcomes)))

    def _send(self, outcomes: list[Outcome]) -> None:
        """Outcomes that are not the runner's."""
        self._outbox.send(outcomes)
        self._start_ticking()

    def _give_back(self) -> None:
        """Return what was not begun: not an attempt."""
        assert self._runner is not None  # noqa: S101 - leases come only to a running runner
        leases = self._runner.tray.withdraw()
        for lease in leases:
            del self._held[lease.claim]
        if leases:
            self._ask_for_work()  # before storage sees room where none is wanted
            self._send([Outcome(*lease.claim, "returned") for lease in leases])

    # -- time -------------------------------------------------------------------------------------------------------

    def _start_ticking(self) -> None:
        wait = _HOARDING if len(self._held) > 1 else _TICK
        due = self.clock.monotonic() + wait
        if self._tick_due is None or due < self._tick_due:
            self._tick_due = due
            self.after(wait, due)

    def on_timer(self, token: Any) -> None:
        if token == _ASK:
            self._ask_for_work()
        elif token == _LATE and not self._through:
            self._cannot_start(f"its start did not end within {self._spec.settings.start_timeout:g} s")
        elif isinstance(token, tuple):
            self._end_handler(token)
        elif token == self._tick_due:  # else an earlier look was wanted meanwhile
            self._tick_due = None
            self._tick()

    def _tick(self) -> None:
        self._settle()  # in case that the handler of the next message takes its time
        self._look_at_handler()
        if self._outbox.forgotten:
            self._ask_for_work(again=True)
            self._outbox.say_again()
        if not self._report() or self._held or self._outbox:
            self._start_ticking()

    def _look_at_handler(self) -> None:
        current = self._runner.current if self._runner else None
        if current is None:
            return
        runs = self.clock.monotonic() - current.begun
        if runs > _HOARDING and len(self._held) > 1:
            self._stuck = True
            self._give_back()
        if runs > self._spec.settings.timeout + (0.0 if self._nursery is None else PATIENCE):
            limit = f"the handler ran longer than its time-out of {self._spec.settings.timeout:g} s"
            self._give_up(current, "timeout", limit)

    # -- being watched ----------------------------------------------------------------------------------------------

    def _report(self) -> bool:
        """Tell the supervisor what changed; False when it is too soon to say so again."""
        state = "draining" if self._draining else "starting" if not self._ready else "busy" if self._held else "idle"
        tokens = None if self._send_rate is None else round(self._send_rate.level(), 1)
        return self._reports.say(state, len(self._held), tokens, self.clock.monotonic())

    @receives(Ping)
    def on_ping(self, msg: Ping, sender: Address) -> None:
        self.tell(sender, Pong(msg.number, self._worker))
        if self._runner is None:
            self._ask_for_state()  # it may have been lost on the way
        elif self._ready and not self._draining:
            self._ask_for_work(again=True)  # repairs a Ready or a Deliver that was lost on the way
        self._report()

    @receives(StorageAt)
    def on_storage_at(self, msg: StorageAt, sender: Address) -> None:
        if self._runner is None:
            self._storage = msg.address
            self._ask_for_state()
        else:
            self._outbox.say_again(lambda: self._moved_to(msg.address))
            self._start_ticking()

    def _moved_to(self, storage: Address) -> None:
        self._storage = storage
        self._enter()
        self._ask_for_work(again=True)

    # -- the end ----------------------------------------------------------------------------------------------------

    @receives(CancelLease)
    def on_cancel_lease(self, msg: CancelLease, sender: Address) -> None:
        """Its message is cancelled: give it up if it was not begun, else tell its handler, and end that in the end."""
        claim = (msg.row, msg.fence)
        if self._runner is None or claim not in self._held:
            return  # its outcome is on its way
        if self._runner.tray.remove(claim):
            del self._held[claim]
            self._send([Outcome(*claim, "cancelled")])
        elif self._runner.cancel(claim):
            self.after(0.0 if self._nursery is not None else self._spec.settings.cancel_grace, claim)

    def _end_handler(self, claim: tuple[int, int]) -> None:
        """Of a cancelled message, unless it has ended."""
        current = self._runner.current if self._runner is not None else None
        if current is None or current.lease.claim != claim:
            return
        if self._nursery is None:
            self._give_up(current, "cancelled", "its message was cancelled, and the handler did not end")
            return
        job = f"{self._worker}/{current.lease.task_id}"
        if not self._nursery.end(job, CANCELLED, grace=self._spec.settings.cancel_grace):
            self.after(_HOARDING, claim)  # its command is about to begin, or has just ended

    def _give_up(self, current: InHand, kind: str, why: str) -> None:
        """A thread cannot be ended, so the process is, once storage has the handler's outcome."""
        lease = current.lease
        logs.logger(self._spec.name).error("%s %s: %s; ending the process", lease.type, lease.task_id, why)
        ran = round((self.clock.monotonic() - current.begun) * 1000)
        if self._held.pop(lease.claim, None) is not None:
            self._give_back()
            self._send([Outcome(*lease.claim, kind, current.started, ran, error=why)])
        self._draining, self._leaving, self._timed_out = True, why, kind == "timeout"
        self._drained_if_done()  # it may have ended after all, just now

    @receives(Drain)
    def on_drain(self, msg: Drain, sender: Address) -> None:
        self._draining = True
        if self._runner is not None:
            self._settle()
            self._runner.wind_up()
            self._ask_for_work()
            self._give_back()
        if self._nursery is not None:
            own, general = self._spec.settings.shutdown, self._config.supervision.shutdown
            self._nursery.end("", STOPPED, after=max(0.0, (general if own is None else own) - SPARE))
        self._report()
        self._drained_if_done()

    def _drained_if_done(self) -> None:
        if self._held or self._outbox:
            return
        if self._leaving and self._runner is not None and self._runner.finishing:
            self._stop_runner()
            self.tell(self._supervisor, Leaving(self._worker, self._leaving, finished=True))
            self.leave(0)
        if self._leaving:
            self._leave(self._leaving)
        self._stop_runner()
        self.tell(self._supervisor, Drained(self._worker))

    def _stop_runner(self) -> None:
        """Let the user's ``stop`` run, for a moment."""
        if self._runner is not None and self._runner.is_alive():
            self._runner.tray.close()
            self._runner.join(timeout=1.0)

    def _leave(self, reason: str) -> NoReturn:
        logs.logger(self._spec.name).error("starting again: %s", reason)
        self.tell(self._supervisor, Leaving(self._worker, reason, timed_out=self._timed_out))
        self.leave(75)
