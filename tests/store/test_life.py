"""The life of messages as a whole: random histories against a model in plain Python."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from squad.config.schema import StoreConfig
from squad.replies import REPLY
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly
from tests.store.life_model import Model, policy

RECIPIENTS = ("a", "b")
WORKERS = ("a/1", "a/2", "b/1")
KINDS = ("done", "error", "timeout", "refused", "retry", "returned", "cancelled")


class Life(RuleBasedStateMachine):
    """Every rule does the same to the store and to the model; the two must agree after each."""

    @initialize()
    def open(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="squad-life-"))
        self.writer = Writer(self.home / "squad.db", StoreConfig(synchronous="NORMAL"))
        self.model = Model()
        self.leases: list[tuple[str, Lease]] = []  # every lease ever given, with its worker
        self.made = 0
        self.dropped: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "writer"):
            self.writer.close()
            shutil.rmtree(self.home)

    def new(self, data: st.DataObject, priorities: st.SearchStrategy[int]) -> NewTask:
        self.made += 1
        delay = data.draw(st.sampled_from((None, None, None, 5.0, 30.0)))
        life = data.draw(st.sampled_from((None, None, None, None, 3.0, 20.0)))
        timeout = data.draw(st.sampled_from((None, 4.0, 25.0)))
        asked = data.draw(st.sampled_from((None, None, *RECIPIENTS)))
        return NewTask(
            task_id=f"m{self.made:05}",
            sender="test",
            recipient=data.draw(st.sampled_from(RECIPIENTS)),
            type="t",
            payload="{}",
            priority=data.draw(priorities),
            not_before=None if delay is None else self.model.now + delay,
            key=data.draw(st.sampled_from((None, None, None, "k1", "k2"))),
            expires_at=None if life is None else self.model.now + (delay or 0.0) + life,
            reply_to=asked,
            reply_timeout=timeout if asked else None,
        )

    # -- messages come and are handled ------------------------------------------------------------------------------

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
            leases = singly.claim(self.writer, recipient, worker, limit, self.model.now)
        assert [lease.task_id for lease in leases] == [known.id for known in expected]
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
        # A mailbox that takes nothing more from handlers: whose, and not how many, so that no order matters here.
        blocked = data.draw(st.sampled_from(("", "", "", "b")))
        arguments = (worker, agent, outcomes, self.model.now, policy, lambda to: 0 if to == blocked else None)
        if fail:  # the transaction around it fails: nothing of it may stay
            with suppress(KeyError), self.writer.transaction():
                singly.settle(self.writer, *arguments)
                raise KeyError
            return
        with self.writer.transaction():
            settlement = singly.settle(self.writer, *arguments)
        running = {known.id for known in self.model.tasks.values() if known.status == "running"}
        for lease, outcome, accepted in zip(chosen, outcomes, settlement.accepted, strict=True):
            assert self.model.settle(worker, lease.task_id, outcome, blocked) == accepted
        self.ended_are(settlement.ended, {key for key in running if not self.model.tasks[key].open})

    def ended_are(self, told: list[tuple[str, str, str]], expected: set[str]) -> None:
        found = [(key, self.model.tasks[key].root, self.model.tasks[key].status) for key in expected]
        assert sorted(told) == sorted(found)

    def holds(self, worker: str, lease: Lease) -> bool:
        known = self.model.tasks.get(lease.task_id)
        return known is not None and (known.status, known.worker, known.fence) == ("running", worker, lease.fence)

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
            settlement = self.writer.release(worker, pair, "killed", charge, self.model.now, policy)
        for known in held:
            if known is chosen and charge and not known.cancelling:
                self.model.charge(known, "crash")
            else:
                self.model.give_back(known)
        self.ended_are(settlement.ended, {known.id for known in held if not known.open})

    # -- time, people, and accidents --------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((1.0, 5.0, 30.0)))
    def time_passes(self, seconds: float) -> None:
        woken, expired = self.model.time_passes(seconds)
        with self.writer.transaction():
            settlement = self.writer.due(self.model.now)
        assert settlement.woken == woken
        self.ended_are(settlement.ended, expired)

    @rule(data=st.data(), tree=st.booleans())
    def cancel(self, data: st.DataObject, tree: bool) -> None:
        if not self.model.tasks:
            return
        chosen = data.draw(st.sampled_from(list(self.model.tasks)))
        ended, told = self.model.cancel(chosen, tree)
        with self.writer.transaction():
            settlement, running = self.writer.cancel(chosen, tree, self.model.now)
        self.ended_are(settlement.ended, ended)
        assert {(one.row, one.fence, one.worker) for one in running} == {
            (known.row, known.fence, known.worker) for known in map(self.model.tasks.__getitem__, told)
        }

    @rule(data=st.data(), action=st.sampled_from(("replay", "replay", "edit", "drop")))
    def desk(self, data: st.DataObject, action: str) -> None:
        dead = [known for known in self.model.tasks.values() if known.status == "failed"]
        if not dead:
            return
        chosen = data.draw(st.lists(st.sampled_from(dead), min_size=1, max_size=3, unique_by=lambda known: known.id))
        with self.writer.transaction():
            letters = self.writer.dead([known.id for known in chosen])
            if action == "replay":
                self.writer.replay(letters, lambda recipient: None, self.model.now)
            elif action == "drop":
                self.writer.drop(letters, self.model.now)
            else:
                self.writer.edit(letters[0], '{"edited": true}', self.model.now)
        for known in chosen:
            if action == "replay":
                self.model.replay(known)
            elif action == "drop":
                del self.model.tasks[known.id]
                self.dropped.add(known.id)

    @rule(recipient=st.sampled_from(RECIPIENTS), count=st.integers(1, 3))
    def mailbox_is_full(self, recipient: str, count: int) -> None:
        expected = self.model.waiting(recipient)[:count]
        for known in expected:
            self.model.end(known, "expired")
        with self.writer.transaction():
            settlement = self.writer.drop_oldest(recipient, count, "full", self.model.now)
        self.ended_are(settlement.ended, {known.id for known in expected})

    @rule(data=st.data())
    def storage_restarts(self, data: st.DataObject) -> None:
        self.writer.close()
        self.writer = Writer(self.home / "squad.db", StoreConfig(synchronous="NORMAL"))
        leases = self.writer.open_leases()
        lost = [lease for lease in leases if data.draw(st.booleans())]
        with self.writer.transaction():
            settlement = self.writer.requeue(lost, self.model.now)
        assert all(settlement.accepted)
        rows = {lease.row for lease in lost}
        returned = [known for known in self.model.tasks.values() if known.status == "running" and known.row in rows]
        for known in returned:
            self.model.give_back(known)
        self.ended_are(settlement.ended, {known.id for known in returned if not known.open})

    # -- what must be so --------------------------------------------------------------------------------------------

    @invariant()
    def store_and_model_agree(self) -> None:
        if not hasattr(self, "writer"):
            return
        self.learn_replies()
        query = """
            SELECT task_id, parent_id, root_id, status, attempts, fence, not_before, expires_at,
                   CASE status WHEN 'running' THEN lease_owner END, cancelling, (completed_at IS NULL)
            FROM tasks ORDER BY id
        """
        stored = {row[0]: row[1:] for row in self.ask(query)}
        for task_id, known in self.model.tasks.items():
            assert stored[task_id] == (
                known.parent,
                known.root,
                known.status,
                known.attempts,
                known.fence,
                known.not_before if known.open else stored[task_id][5],
                known.expires_at,
                known.worker if known.status == "running" else None,
                known.cancelling,
                known.open,
            )
            assert self.writer.ended(task_id) is not known.open
            assert self.writer.tree_ended(task_id) is self.model.tree_ended(task_id)
        assert all(count == 1 for count in self.model.completions.values())
        assert {agent: self.writer.state(agent) for agent in self.model.states} == self.model.states
        self.failures_agree()
        assert self.writer.next_due() == self.model.next_due()
        waiting = {to: len(self.model.waiting(to)) for to in RECIPIENTS}
        assert self.writer.depths == {to: number for to, number in waiting.items() if number}
        counted = "SELECT status, (SELECT COUNT(*) FROM tasks WHERE tasks.status = totals.status) FROM totals"
        assert self.ask("SELECT status, messages FROM totals") == self.ask(counted)
        counted = """
            SELECT recipient, priority, not_before IS NOT NULL, COUNT(*) FROM tasks WHERE status = 'queued'
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """
        kept = "SELECT recipient, priority, delayed, messages FROM queued WHERE messages != 0 ORDER BY 1, 2, 3"
        assert self.ask(kept) == self.ask(counted)

    def learn_replies(self) -> None:
        """The store makes the ids of replies: each must be one that the model expects, and none may be missing."""
        fresh = "SELECT task_id, recipient, payload, parent_id FROM tasks WHERE type = 'squad.reply' ORDER BY id"
        for task_id, to, payload, parent in self.ask(fresh):
            if task_id not in self.model.tasks:
                told = json.loads(payload)
                assert told["of"] == parent
                self.model.replied(task_id, parent, to, told["status"])
        assert self.model.replies == []
        order = [task_id for (task_id,) in self.ask("SELECT task_id FROM tasks ORDER BY id")]
        assert sorted(order) == sorted(self.model.tasks)  # none lost, none doubled
        arrived = {task_id: self.model.tasks[task_id] for task_id in order}
        mine = [task_id for task_id, known in self.model.tasks.items() if known.task.type != REPLY]
        assert mine == [task_id for task_id, known in arrived.items() if known.task.type != REPLY]
        self.model.tasks = arrived

    def failures_agree(self) -> None:
        failures = [
            (task_id, number, kind, last)
            for task_id, known in self.model.tasks.items()
            for number, (kind, last) in enumerate(known.failures, start=1)
        ]
        assert sorted(failures) == self.ask(
            "SELECT task_id, number, outcome, final FROM attempts JOIN tasks ON tasks.id = task_row ORDER BY 1, 2"
        )

    def ask(self, query: str) -> list[Any]:
        return self.writer._connection.execute(query).fetchall()


Life.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase
