"""The life of messages as a whole: random histories against a model in plain Python."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from squad.config.schema import StoreConfig
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.writer import Writer

RECIPIENTS = ("a", "b")
WORKERS = ("a/1", "a/2", "b/1")
KINDS = ("done", "error", "timeout", "refused", "retry", "returned")


def policy(recipient: str, attempts: int) -> float | None:
    return {1: 0.0, 2: 10.0}.get(attempts)


@dataclass
class Known:
    """What the model knows of one message."""

    row: int
    task: NewTask
    parent: str | None
    root: str
    status: str = "queued"
    attempts: int = 0
    fence: int = 0
    not_before: float | None = None
    worker: str | None = None
    failures: list[str] = field(default_factory=list)


@dataclass
class Model:
    now: float = 1_800_000_000.0
    tasks: dict[str, Known] = field(default_factory=dict)
    states: dict[str, tuple[int, str]] = field(default_factory=dict)
    completions: dict[str, int] = field(default_factory=dict)

    def add(self, task: NewTask, parent: Known | None = None) -> str:
        """The id under which it is stored."""
        if task.task_id in self.tasks:
            return task.task_id
        for known in self.tasks.values():
            if task.key is not None and (known.task.recipient, known.task.key) == (task.recipient, task.key):
                return known.task.task_id
        self.tasks[task.task_id] = Known(
            row=0,  # learnt from the database, which promises only that it grows
            task=task,
            parent=parent.task.task_id if parent else None,
            root=parent.root if parent else task.task_id,
            not_before=task.not_before if task.not_before and task.not_before > self.now else None,
        )
        return task.task_id

    def ready(self, recipient: str) -> list[Known]:
        found = [
            known
            for known in self.tasks.values()
            if known.status == "queued" and known.not_before is None and known.task.recipient == recipient
        ]
        arrival = list(self.tasks)
        return sorted(found, key=lambda known: (known.task.priority, arrival.index(known.task.task_id)))

    def queue(self, known: Known, until: float | None) -> None:
        known.status, known.worker = "queued", None
        known.not_before = until if until is not None and until > self.now else None

    def charge(self, known: Known, kind: str) -> None:
        known.attempts += 1
        known.failures.append(kind)
        delay = None if kind == "refused" else policy(known.task.recipient, known.attempts)
        if delay is None:
            known.status = "failed"
        else:
            self.queue(known, self.now + delay)

    def settle(self, worker: str, agent: str, task_id: str, outcome: Outcome) -> bool:
        known = self.tasks[task_id]
        if (known.status, known.worker, known.fence) != ("running", worker, outcome.fence):
            return False
        if outcome.kind in ("retry", "returned"):
            self.queue(known, outcome.not_before if outcome.kind == "retry" else None)
        elif outcome.kind != "done":
            self.charge(known, outcome.kind)
        else:
            version, _ = self.states.get(agent, (0, "{}"))
            if outcome.state is not None and outcome.state_version != version:
                self.queue(known, None)
                return False
            if any(not 1 <= send.priority <= 10 for send in outcome.sends):
                self.charge(known, "error")
                return True
            known.status, known.attempts = "completed", known.attempts + 1
            self.completions[task_id] = self.completions.get(task_id, 0) + 1
            if outcome.state is not None:
                self.states[agent] = (version + 1, outcome.state)
            for send in outcome.sends:
                self.add(send, known)
        return True

    def tree_ended(self, task_id: str) -> bool:
        if self.tasks[task_id].status in ("queued", "running"):
            return False
        return all(self.tree_ended(child) for child, known in self.tasks.items() if known.parent == task_id)


class Life(RuleBasedStateMachine):
    """Every rule does the same to the store and to the model; the two must agree after each."""

    @initialize()
    def open(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="squad-life-"))
        self.writer = Writer(self.home / "squad.db", StoreConfig(synchronous="NORMAL"))
        self.model = Model()
        self.leases: list[tuple[str, Lease]] = []  # every lease ever given, with its worker
        self.made = 0

    def teardown(self) -> None:
        if hasattr(self, "writer"):
            self.writer.close()
            shutil.rmtree(self.home)

    def new(self, data: st.DataObject, priorities: st.SearchStrategy[int]) -> NewTask:
        self.made += 1
        delay = data.draw(st.sampled_from((None, None, None, 5.0, 30.0)))
        return NewTask(
            task_id=f"m{self.made:05}",
            sender="test",
            recipient=data.draw(st.sampled_from(RECIPIENTS)),
            type="t",
            payload="{}",
            priority=data.draw(priorities),
            not_before=None if delay is None else self.model.now + delay,
            key=data.draw(st.sampled_from((None, None, None, "k1", "k2"))),
        )

    @rule(data=st.data(), count=st.integers(1, 4), resend=st.booleans())
    def submit(self, data: st.DataObject, count: int, resend: bool) -> None:
        rows = [self.new(data, st.integers(1, 10)) for _ in range(count)]
        if resend and self.model.tasks:
            rows.append(data.draw(st.sampled_from([known.task for known in self.model.tasks.values()])))
        with self.writer.transaction():
            answers = self.writer.submit(rows, self.model.now)
        for row, answer in zip(rows, answers, strict=True):
            duplicate = row.task_id in self.model.tasks
            stored = self.model.add(row)
            assert answer == (stored, duplicate or stored != row.task_id)

    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 4))
    def claim(self, worker: str, limit: int) -> None:
        recipient = worker[0]
        expected = self.model.ready(recipient)[:limit]
        with self.writer.transaction():
            leases = self.writer.claim(recipient, worker, limit, self.model.now)
        assert [lease.task_id for lease in leases] == [known.task.task_id for known in expected]
        for known, lease in zip(expected, leases, strict=True):
            known.status, known.worker, known.fence = "running", worker, known.fence + 1
            assert (lease.fence, lease.attempt) == (known.fence, known.attempts + 1)
            assert known.row in (0, lease.row)
            known.row = lease.row
            self.leases.append((worker, lease))

    @rule(data=st.data(), worker=st.sampled_from(WORKERS), limit=st.integers(1, 4))
    def work(self, data: st.DataObject, worker: str, limit: int) -> None:
        """What a worker does most of the time, so that histories get somewhere."""
        if not self.model.ready(worker[0]):
            self.submit(data, 3, resend=False)
        self.claim(worker, limit)
        self.settle(data, worker, fail=False)

    @rule(data=st.data(), worker=st.sampled_from(WORKERS), fail=st.booleans())
    def settle(self, data: st.DataObject, worker: str, fail: bool) -> None:
        mine = [lease for owner, lease in self.leases if owner == worker]
        if not mine:
            return
        held = [lease for lease in mine if self.holds(worker, lease)]
        chosen = data.draw(st.permutations([*held[:3], *data.draw(st.lists(st.sampled_from(mine[-8:]), max_size=2))]))
        if not chosen:
            return
        agent = worker[0]
        version = self.model.states.get(agent, (0, "{}"))[0]
        outcomes = []
        for lease in chosen:
            outcome, version = self.outcome(data, lease, version)
            outcomes.append(outcome)
        if fail:  # the transaction around it fails: nothing of it may stay
            with suppress(KeyError), self.writer.transaction():
                self.writer.settle(worker, agent, outcomes, self.model.now, policy)
                raise KeyError
            return
        with self.writer.transaction():
            settlement = self.writer.settle(worker, agent, outcomes, self.model.now, policy)
        open_before = {key for key, known in self.model.tasks.items() if known.status == "running"}
        for lease, outcome, accepted in zip(chosen, outcomes, settlement.accepted, strict=True):
            assert self.model.settle(worker, agent, lease.task_id, outcome) == accepted
        ended = {(key, self.model.tasks[key].status) for key in open_before}
        assert {(key, status) for key, _, status in settlement.ended} == {
            (key, status) for key, status in ended if status in ("completed", "failed")
        }

    def holds(self, worker: str, lease: Lease) -> bool:
        known = self.model.tasks[lease.task_id]
        return (known.status, known.worker, known.fence) == ("running", worker, lease.fence)

    def outcome(self, data: st.DataObject, lease: Lease, version: int) -> tuple[Outcome, int]:
        kind = data.draw(st.sampled_from(("done", "done", "done", *KINDS)))
        if kind != "done":
            delay = data.draw(st.sampled_from((-1.0, 5.0)))
            return Outcome(lease.row, lease.fence, kind, error="e", not_before=self.model.now + delay), version
        priorities = st.sampled_from((1, 5, 5, 5, 5, 5, 5, 5, 10, 11))
        sends = tuple(self.new(data, priorities) for _ in range(data.draw(st.integers(0, 2))))
        if not data.draw(st.booleans()):
            return Outcome(lease.row, lease.fence, kind, result="1", sends=sends), version
        based_on = version + data.draw(st.sampled_from((0, 0, 0, 0, 0, 1)))
        state = f'{{"n": {self.made}}}'
        return (
            Outcome(lease.row, lease.fence, kind, result="1", sends=sends, state=state, state_version=based_on),
            version + 1,
        )

    @rule(data=st.data(), worker=st.sampled_from(WORKERS), charge=st.booleans())
    def worker_dies(self, data: st.DataObject, worker: str, charge: bool) -> None:
        held = [known for known in self.model.tasks.values() if known.worker == worker and known.status == "running"]
        in_hand = data.draw(st.sampled_from([None, *range(len(held))]))
        chosen = None if in_hand is None else held[in_hand]
        pair = None if chosen is None else (chosen.row, chosen.fence)
        with self.writer.transaction():
            self.writer.release(worker, pair, "killed", charge, self.model.now, policy)
        for known in held:
            if known is chosen and charge:
                self.model.charge(known, "crash")
            else:
                self.model.queue(known, None)

    @rule(seconds=st.sampled_from((1.0, 5.0, 30.0)))
    def time_passes(self, seconds: float) -> None:
        self.model.now += seconds
        expected = set()
        for known in self.model.tasks.values():
            if known.status == "queued" and known.not_before is not None and known.not_before <= self.model.now:
                known.not_before = None
                expected.add(known.task.recipient)
        with self.writer.transaction():
            recipients, _ = self.writer.due(self.model.now)
        assert recipients == expected

    @rule(data=st.data())
    def storage_restarts(self, data: st.DataObject) -> None:
        self.writer.close()
        self.writer = Writer(self.home / "squad.db", StoreConfig(synchronous="NORMAL"))
        leases = self.writer.open_leases()
        lost = [lease for lease in leases if data.draw(st.booleans())]
        with self.writer.transaction():
            assert all(self.writer.requeue(lost).accepted)
        rows = {row for row, _, _ in lost}
        for known in self.model.tasks.values():
            if known.row in rows:
                self.model.queue(known, None)

    @invariant()
    def store_and_model_agree(self) -> None:
        if not hasattr(self, "writer"):
            return
        query = """
            SELECT task_id, parent_id, root_id, status, attempts, fence, not_before,
                   CASE status WHEN 'running' THEN lease_owner END, (completed_at IS NULL)
            FROM tasks ORDER BY id
        """
        stored = {row[0]: row[1:] for row in self.ask(query)}
        assert list(stored) == list(self.model.tasks)  # none lost, none doubled, in order of arrival
        for task_id, known in self.model.tasks.items():
            is_open = known.status in ("queued", "running")
            assert stored[task_id] == (
                known.parent,
                known.root,
                known.status,
                known.attempts,
                known.fence,
                known.not_before,
                known.worker if known.status == "running" else None,
                is_open,
            )
            assert self.writer.ended(task_id) is not is_open
            assert self.writer.tree_ended(task_id) is self.model.tree_ended(task_id)
        assert all(count == 1 for count in self.model.completions.values())
        assert {agent: self.writer.state(agent) for agent in self.model.states} == self.model.states
        failures = [
            (task_id, number, kind)
            for task_id, known in self.model.tasks.items()
            for number, kind in self.numbered(known)
        ]
        assert sorted(failures) == self.ask(
            "SELECT task_id, number, outcome FROM attempts JOIN tasks ON tasks.id = task_row ORDER BY 1, 2"
        )
        waiting = [known.not_before for known in self.model.tasks.values() if known.not_before is not None]
        assert self.writer.next_due() == min(waiting, default=None)

    @staticmethod
    def numbered(known: Known) -> list[tuple[int, str]]:
        return list(enumerate(known.failures, start=1))

    def ask(self, query: str) -> list[Any]:
        return self.writer._connection.execute(query).fetchall()


Life.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase
