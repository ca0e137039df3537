"""What the life of messages should be, in plain Python: the model of ``test_life``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from squad.replies import REPLY
from squad.store.rows import NewTask, Outcome

OPEN = ("queued", "running")


def policy(recipient: str, kind: str, attempts: int) -> float | None:
    return {1: 0.0, 2: 10.0}.get(attempts)


@dataclass
class Known:
    """What the model knows of one message."""

    row: int
    task: NewTask
    parent: str | None
    root: str
    not_before: float | None
    expires_at: float | None
    reply_due: float | None
    owed: bool  # whoever asked for a reply has not had one
    status: str = "queued"
    attempts: int = 0
    fence: int = 0
    worker: str | None = None
    cancelling: str | None = None
    failures: list[tuple[str, bool]] = field(default_factory=list)  # kind, whether it was the last one

    @property
    def id(self) -> str:
        return self.task.task_id

    @property
    def open(self) -> bool:
        return self.status in OPEN


@dataclass
class Model:
    now: float = 1_800_000_000.0
    tasks: dict[str, Known] = field(default_factory=dict)
    states: dict[str, tuple[int, str]] = field(default_factory=dict)
    completions: Counter[str] = field(default_factory=Counter)
    replies: list[tuple[str, str, str]] = field(default_factory=list)  # expected: of, to whom, status
    replayed: set[str] = field(default_factory=set)

    # -- arrival ------------------------------------------------------------------------------------------------------

    def add(self, task: NewTask, parent: Known | None = None) -> str:
        """The id under which it is stored."""
        if task.task_id in self.tasks:
            return task.task_id
        for known in self.tasks.values():
            if task.key is not None and (known.task.recipient, known.task.key) == (task.recipient, task.key):
                return known.id
        until = task.not_before if task.not_before and task.not_before > self.now else None
        self.tasks[task.task_id] = Known(
            row=0,  # learnt from the database, which promises only that it grows
            task=task,
            parent=parent.id if parent else None,
            root=parent.root if parent else task.task_id,
            not_before=until,
            expires_at=task.expires_at,
            reply_due=None if task.reply_timeout is None else (until or self.now) + task.reply_timeout,
            owed=task.reply_to is not None,
        )
        return task.task_id

    def replied(self, task_id: str, of: str, to: str, status: str) -> None:
        """A reply has come, which must be one that is expected."""
        self.replies.remove((of, to, status))
        parent = self.tasks[of]
        self.add(NewTask(task_id, parent.task.recipient, to, REPLY, "{}", parent.task.priority), parent)

    # -- ends ---------------------------------------------------------------------------------------------------------

    def end(self, known: Known, status: str) -> None:
        known.status = status
        if known.owed:
            self.reply(known, status)

    def reply(self, known: Known, status: str) -> None:
        assert known.task.reply_to is not None
        self.replies.append((known.id, known.task.reply_to, status))
        known.owed = False

    def queue(self, known: Known, until: float | None = None) -> None:
        known.status, known.worker = "queued", None
        known.not_before = until if until is not None and until > self.now else None

    def charge(self, known: Known, kind: str) -> None:
        known.attempts += 1
        delay = None if kind == "refused" else policy(known.task.recipient, known.task.type, known.attempts)
        known.failures.append((kind, delay is None))
        if delay is None:
            self.end(known, "failed")
        else:
            self.queue(known, self.now + delay)

    def give_back(self, known: Known) -> None:
        """It was not handled, and will be again, unless it was cancelled."""
        if known.cancelling:
            self.end(known, "cancelled")
        else:
            self.queue(known)

    def settle(self, worker: str, task_id: str, outcome: Outcome, blocked: str) -> bool:
        known = self.tasks.get(task_id)
        if known is None or (known.worker, known.fence) != (worker, outcome.fence):
            return False
        if known.status != "running":  # it is said again, or has come to nothing
            return known.status == "completed" and outcome.kind == "done"
        if outcome.kind != "done":
            self._failed(known, outcome)
            return True
        if known.cancelling == "tree":
            self.end(known, "cancelled")
            return False
        return self._done(known, worker[0], outcome, blocked)

    def _failed(self, known: Known, outcome: Outcome) -> None:
        if known.cancelling or outcome.kind == "cancelled":
            self.end(known, "cancelled")
        elif outcome.kind in ("retry", "limited", "returned"):
            self.queue(known, outcome.not_before if outcome.kind != "returned" else None)
        else:
            self.charge(known, outcome.kind)

    def _done(self, known: Known, agent: str, outcome: Outcome, blocked: str) -> bool:
        error = outcome._replace(kind="error")
        if any(send.recipient == blocked for send in outcome.sends):
            self._failed(known, error)
            return outcome.state is None
        version, _ = self.states.get(agent, (0, "{}"))
        if outcome.state is not None and outcome.state_version != version:
            self.give_back(known)
            return False
        if any(not 1 <= send.priority <= 10 for send in outcome.sends):
            self._failed(known, error)
            return outcome.state is None
        known.attempts += 1
        self.completions[known.id] += 1
        self.end(known, "completed")
        if outcome.state is not None:
            self.states[agent] = (version + 1, outcome.state)
        for send in outcome.sends:
            self.add(send, known)
        return True

    def time_passes(self, seconds: float) -> tuple[set[str], set[str]]:
        """(recipients that have ready messages, ids that have expired)"""
        self.now += seconds
        woken, expired = set(), set()
        for known in list(self.tasks.values()):
            if known.status != "queued":
                continue
            if known.expires_at is not None and known.expires_at <= self.now:
                self.end(known, "expired")
                expired.add(known.id)
            elif known.not_before is not None and known.not_before <= self.now:
                known.not_before = None
                woken.add(known.task.recipient)
        for known in self.tasks.values():
            if known.open and known.owed and known.reply_due is not None and known.reply_due <= self.now:
                self.reply(known, "timed_out")
        return woken | {to for _, to, _ in self.replies}, expired

    def cancel(self, task_id: str, tree: bool) -> tuple[set[str], set[str]]:
        """(ids that have ended, ids whose handlers must be told)"""
        ended, told = set(), set()
        for known in [known for known in self.branch(task_id, tree) if known.open]:
            if known.status == "queued":
                self.end(known, "cancelled")
                ended.add(known.id)
            else:
                known.cancelling = "tree" if tree or known.cancelling == "tree" else "one"
                told.add(known.id)
        return ended, told

    def replay(self, known: Known) -> None:
        self.queue(known)
        known.attempts, known.expires_at, known.cancelling = 0, None, None
        known.owed = known.task.reply_to is not None
        known.reply_due = None if known.task.reply_timeout is None else self.now + known.task.reply_timeout
        self.replayed.add(known.id)

    # -- questions ----------------------------------------------------------------------------------------------------

    def ready(self, recipient: str) -> list[Known]:
        found = [
            known
            for known in self.tasks.values()
            if known.status == "queued"
            and known.not_before is None
            and (known.expires_at is None or known.expires_at > self.now)
            and known.task.recipient == recipient
        ]
        arrival = list(self.tasks)
        return sorted(found, key=lambda known: (known.task.priority, arrival.index(known.id)))

    def waiting(self, recipient: str) -> list[Known]:
        return [
            known for known in self.tasks.values() if known.status == "queued" and known.task.recipient == recipient
        ]

    def branch(self, task_id: str, tree: bool = True) -> list[Known]:
        if tree and self.tasks[task_id].root == task_id:
            return [known for known in self.tasks.values() if known.root == task_id]
        return list(self._below(task_id)) if tree else [self.tasks[task_id]]

    def _below(self, task_id: str) -> Iterator[Known]:
        yield self.tasks[task_id]
        for known in self.tasks.values():
            if known.parent == task_id:
                yield from self._below(known.id)

    def tree_ended(self, task_id: str) -> bool:
        return not any(known.open for known in self.branch(task_id))

    def next_due(self) -> float | None:
        queued = [known for known in self.tasks.values() if known.status == "queued"]
        asked = [known.reply_due for known in self.tasks.values() if known.open and known.owed]
        times = [known.not_before for known in queued] + [known.expires_at for known in queued] + asked
        return min((time for time in times if time is not None), default=None)
