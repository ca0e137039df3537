"""What happened, read as events: all of it at once, and as it happens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import Database

from squad.config.schema import StoreConfig
from squad.events import CATALOGUE, event
from squad.ids import new_id
from squad.store import history
from squad.store.database import open_reader
from squad.store.history import Happening, Wanted, Watch
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_700_000_000.0
Make = Callable[..., NewTask]


class Squad:
    """Lets things happen in a store, a second after one another unless told otherwise."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.now = NOW
        self.step = 1.0

    def _tick(self) -> float:
        self.now += self.step
        return self.now

    def send(self, recipient: str = "a", **fields: Any) -> str:
        task = NewTask(new_id(), "cli", recipient, "t", "{}", **fields)
        with self.writer.transaction():
            self.writer.submit([task], self._tick())
        return task.task_id

    def claim(self, recipient: str = "a", count: int = 1) -> list[Lease]:
        with self.writer.transaction():
            return singly.claim(self.writer, recipient, f"{recipient}/1", count, self._tick())

    def settle(self, lease: Lease, kind: str, recipient: str = "a", *, final: bool = False, **fields: Any) -> None:
        started = 0.0 if kind == "returned" else self.now
        outcome = Outcome(lease.row, lease.fence, kind, started, 5, **fields)
        with self.writer.transaction():
            delay = None if final else 0.0
            singly.settle(self.writer, f"{recipient}/1", recipient, [outcome], self._tick(), lambda *_: delay)

    def handle(self, kind: str = "done", recipient: str = "a", **fields: Any) -> None:
        (lease,) = self.claim(recipient)
        self.settle(lease, kind, recipient, **fields)

    def note(self, *events: Any) -> None:
        with self.writer.transaction():
            self.writer.record_events(events, self._tick())

    def resize(self, convoy: str) -> None:
        with self.writer.transaction():
            self.writer.record_resizes([(convoy, 2, 4, "40 wait", "{}")], self._tick())


@pytest.fixture
def squad(writer: Writer) -> Squad:
    return Squad(writer)


@pytest.fixture
def database(path: Path, squad: Squad) -> Iterator[Database]:
    with open_reader(path) as pool, pool.connection() as connection:
        yield connection


def told(happenings: list[Happening]) -> list[str]:
    return [happening.kind for happening in happenings]


def last(database: Database, most: int = 1000, **wanted: Any) -> list[Happening]:
    since = wanted.pop("since", None)
    with database.atomic():
        return history.last(database, most, Wanted(**wanted), since)


class TestWhatHasHappened:
    def test_a_message_that_completes(self, squad: Squad, database: Database) -> None:
        task = squad.send("scanner", priority=2)
        squad.handle("done", "scanner")
        queued, started, completed = last(database)
        about = {"agent": "scanner", "type": "t"}
        assert queued == Happening("2023-11-14T22:13:21.000Z", "queued", task, about | {"sender": "cli", "priority": 2})
        assert started == Happening("2023-11-14T22:13:22.000Z", "started", task, about | {"worker": "scanner/1"})
        assert completed == Happening(
            "2023-11-14T22:13:23.000Z", "completed", task, about | {"worker": "scanner/1", "duration_ms": 5}
        )

    def test_one_that_runs_was_handed_over(self, squad: Squad, database: Database) -> None:
        squad.send()
        squad.claim()
        assert told(last(database)) == ["queued", "started"]

    def test_one_that_fails_was_retried_before(self, squad: Squad, database: Database) -> None:
        squad.send()
        squad.handle("error", error="ValueError: no")
        squad.handle("timeout", error="too long", final=True)
        found = last(database)
        assert told(found) == ["queued", "started", "retried", "started", "failed"]
        assert found[2].detail | {"attempt": 1, "outcome": "error", "error": "ValueError: no"} == found[2].detail
        assert found[4].detail | {"attempt": 2, "outcome": "timeout", "error": "too long"} == found[4].detail

    def test_an_end_before_any_handler(self, squad: Squad, database: Database) -> None:
        squad.send(not_before=NOW + 50, expires_at=NOW + 100)
        squad.now += 200
        with squad.writer.transaction():
            squad.writer.due(squad.now)
        assert told(last(database)) == ["queued", "expired"]

    def test_what_was_recorded_and_resizes(self, squad: Squad, database: Database) -> None:
        squad.note(event("restarted", "checker-2", reason="its process died"))
        squad.resize("checker")
        restarted, resized = last(database)
        assert (restarted.subject, restarted.detail) == ("checker-2", {"reason": "its process died"})
        assert (resized.subject, resized.detail) == ("checker", {"from": 2, "to": 4, "reason": "40 wait"})

    def test_by_time_whatever_the_source(self, squad: Squad, database: Database) -> None:
        for _ in range(3):
            squad.send()
            squad.handle("error", error="x")
            squad.note(event("ready", "a"))
            squad.handle()
        found = last(database)
        assert [happening.at for happening in found] == sorted(happening.at for happening in found)
        assert Counter(told(found)) == {"queued": 3, "started": 6, "retried": 3, "ready": 3, "completed": 3}
        for count in range(len(found) + 1):
            assert last(database, count) == found[len(found) - count :]

    def test_begins_of_long_ones_are_in_their_place(self, squad: Squad, database: Database) -> None:
        squad.send("slow")
        (slow,) = squad.claim("slow")
        for _ in range(3):
            squad.send("quick")
            squad.handle("done", "quick")
        squad.writer.transaction()
        outcome = Outcome(slow.row, slow.fence, "done", NOW + 2, 100)
        with squad.writer.transaction():
            singly.settle(squad.writer, "slow/1", "slow", [outcome], squad.now + 1, lambda *_: None)
        expected = ["queued", "started", *["queued", "started", "completed"] * 3, "completed"]
        assert told(last(database)) == expected
        assert told(last(database, kinds=frozenset({"started"}))) == ["started"] * 4
        assert last(database, kinds=frozenset({"started"}))[0].detail["agent"] == "slow"

    def test_within_a_millisecond_in_the_order_in_which_it_must_have_been(
        self, squad: Squad, database: Database
    ) -> None:
        squad.step = 0.0
        squad.send()
        squad.handle()
        assert told(last(database)) == ["queued", "started", "completed"]

    def test_since(self, squad: Squad, database: Database) -> None:
        squad.send()
        squad.handle()
        squad.send()
        assert told(last(database, since=NOW + 3)) == ["completed", "queued"]
        assert told(last(database, 1, since=NOW + 3)) == ["queued"]

    @pytest.mark.parametrize("kind", ["queued", "started", "retried", "failed", "completed", "resized", "restarted"])
    def test_by_kind(self, squad: Squad, database: Database, kind: str) -> None:
        for final in (False, True):
            squad.send()
            squad.handle("error", error="x", final=final)
        squad.handle()
        squad.resize("a")
        squad.note(event("restarted", "a", reason="x"), event("ready", "a"))
        found = last(database, kinds=frozenset({kind}))
        assert set(told(found)) == {kind}
        assert found == [happening for happening in last(database) if happening.kind == kind]

    def test_by_agent(self, squad: Squad, database: Database) -> None:
        for agent in ("checker", "other"):
            squad.send(agent)
            squad.handle("error", agent, error="x")
            squad.handle("done", agent)
            squad.resize(agent)
            squad.note(event("ready", f"{agent}-12"), event("ready", agent), event("ready", f"{agent}-x"))
        squad.note(event("replayed", new_id(), agent="checker", type="t"))
        found = last(database, agent="checker")
        kinds = ["queued", "started", "retried", "started", "completed", "resized", "ready", "ready", "replayed"]
        assert told(found) == kinds
        subjects = {happening.subject for happening in found if happening.kind == "ready"}
        assert subjects == {"checker", "checker-12"}

    def test_after_a_replay_what_came_before_it_is_still_told(self, squad: Squad, database: Database) -> None:
        squad.send()
        squad.handle("refused", error="never", final=True)
        replay(squad)
        squad.handle()
        expected = ["queued", "started", "failed", "replayed", "started", "completed"]
        assert told(last(database)) == expected

    def test_details_that_are_no_json_are_shown_as_they_are(self, squad: Squad, database: Database) -> None:
        squad.note(("ready", "a", "{broken"), ("ready", "b", "[1]"))
        assert [happening.detail for happening in last(database)] == [{"text": "{broken"}, {"text": "[1]"}]

    def test_about_one_subject(self, squad: Squad, database: Database) -> None:
        squad.note(event("ready", "a"), event("ready", "b"), event("restarted", "a", reason="x"))
        assert told(history.about(database, "a")) == ["ready", "restarted"]

    def test_all_details_are_in_the_catalogue(self, squad: Squad, database: Database) -> None:
        squad.send()
        squad.handle("error", error="x")
        squad.handle("error", error="x", final=True)
        squad.send()
        squad.claim()
        squad.resize("a")
        for happening in last(database):
            assert happening.detail.keys() <= CATALOGUE[happening.kind].fields.keys(), happening

    def test_few_rows_are_read_for_few_events(self, squad: Squad, database: Database) -> None:
        """The indexes are used: no statement walks through the table or sorts it."""
        plans = []
        statements: list[str] = []
        connection = database.connection()  # type: ignore[no-untyped-call]
        connection.set_trace_callback(statements.append)
        last(database, 10)
        with database.atomic():
            Watch(database)
        connection.set_trace_callback(None)
        for statement in statements:
            if statement.startswith("SELECT") and '"tasks"' in statement:
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
                plans.append(plan)
                small = "tasks_running" in " ".join(plan)  # few rows: they may be sorted
                assert small or not any("TEMP B-TREE" in step for step in plan), (statement, plan)
        assert any("tasks_ended" in step for plan in plans for step in plan)


def replay(squad: Squad) -> None:
    """Put all dead letters back into their queues."""
    from squad.store.rows import DeadFilter

    with squad.writer.transaction():
        squad.writer.replay(squad.writer.dead(DeadFilter()), lambda _: None, squad._tick())


@pytest.fixture
def watch(database: Database) -> Watch:
    with database.atomic():
        return Watch(database)


class TestWhatHappens:
    def test_nothing_at_first(self, squad: Squad, watch: Watch) -> None:
        assert watch.look() == []
        assert watch.look() == []

    def test_each_event_once(self, squad: Squad, watch: Watch) -> None:
        squad.send()
        assert told(watch.look()) == ["queued"]
        (lease,) = squad.claim()
        assert told(watch.look()) == ["started"]
        squad.settle(lease, "error", error="x")
        assert told(watch.look()) == ["retried"]
        squad.handle()
        assert told(watch.look()) == ["started", "completed"]
        squad.resize("a")
        squad.note(event("ready", "a"))
        assert told(watch.look()) == ["resized", "ready"]
        assert watch.look() == []

    def test_what_was_there_before_is_not_told(self, squad: Squad, database: Database) -> None:
        squad.send()
        squad.handle()
        squad.send()
        squad.claim()
        squad.note(event("ready", "a"))
        with database.atomic():
            watch = Watch(database)
        assert watch.look() == []
        squad.note(event("ready", "b"))
        assert told(watch.look()) == ["ready"]

    def test_an_end_of_what_ran_before(self, squad: Squad, database: Database) -> None:
        squad.send()
        (lease,) = squad.claim()
        with database.atomic():
            watch = Watch(database)
        squad.settle(lease, "done")
        assert told(watch.look()) == ["completed"]

    def test_nothing_is_asked_while_nothing_is_written(self, squad: Squad, database: Database, watch: Watch) -> None:
        squad.send()
        watch.look()
        statements: list[str] = []
        connection = database.connection()  # type: ignore[no-untyped-call]
        connection.set_trace_callback(statements.append)
        assert watch.look() == []
        connection.set_trace_callback(None)
        assert statements == ["PRAGMA data_version"]

    def test_only_what_is_wanted(self, squad: Squad, database: Database) -> None:
        with database.atomic():
            watches = [
                Watch(database, Wanted(kinds=frozenset({"completed", "ready"}))),
                Watch(database, Wanted(agent="b")),
                Watch(database, Wanted(kinds=frozenset({"resized"}))),
            ]
        for agent in ("a", "b"):
            squad.send(agent)
            squad.handle("done", agent)
            squad.resize(agent)
            squad.note(event("ready", agent))
        assert [told(watch.look()) for watch in watches] == [
            ["completed", "ready"] * 2,
            ["queued", "started", "completed", "resized", "ready"],
            ["resized", "resized"],
        ]

    def test_ends_in_the_same_millisecond_as_one_that_was_told(self, squad: Squad, watch: Watch) -> None:
        squad.step = 0.0
        for _ in range(5):
            squad.send()
            squad.handle()
            assert told(watch.look()) == ["queued", "started", "completed"]

    @pytest.mark.parametrize("back", [0.5, 30.0, 7200.0])
    def test_a_clock_that_is_set_back(
        self, squad: Squad, watch: Watch, monkeypatch: pytest.MonkeyPatch, back: float
    ) -> None:
        monkeypatch.setattr("squad.store.history.time.time", lambda: squad.now)
        for _ in range(3):
            for _ in range(5):
                squad.send()
                squad.handle()
                assert told(watch.look()) == ["queued", "started", "completed"]
            squad.now -= back
        assert watch.look() == []

    def test_dead_letters_that_were_dropped_do_not_hide_later_attempts(self, squad: Squad, watch: Watch) -> None:
        """Their attempts go with them, and what has the highest number then is older."""
        from squad.store.rows import DeadFilter

        for _ in range(3):
            squad.send()
            squad.handle("refused", error="never", final=True)
        assert told(watch.look()).count("failed") == 3
        with squad.writer.transaction():
            squad.writer.drop(squad.writer.dead(DeadFilter()), squad._tick())
        squad.send()
        squad.handle("refused", error="never", final=True)
        assert told(watch.look()) == ["dropped"] * 3 + ["queued", "started", "failed"]


STEPS = st.lists(
    st.sampled_from(["send", "claim", "done", "error", "refused", "returned", "note", "resize", "replay", "look"]),
    max_size=60,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS, step=st.sampled_from([0.0, 0.0004, 1.0]))
def test_whoever_watches_is_told_everything_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], step: float
) -> None:
    """However it is cut into looks. What is given back is the one thing that may happen unseen between two looks."""
    path = tmp_path_factory.mktemp("history") / "squad.db"
    expected: Counter[str] = Counter()
    returned = 0
    leases: list[Lease] = []
    got: list[Happening] = []
    with closing(Writer(path, StoreConfig())) as writer:
        squad = Squad(writer)
        squad.step = step
        with open_reader(path) as pool, pool.connection() as database:
            with database.atomic():
                watch = Watch(database)
            for action in [*steps, "look"]:
                if action == "look":
                    got += watch.look()
                elif action == "send":
                    squad.send()
                    expected["queued"] += 1
                elif action == "claim":
                    claimed = squad.claim(count=2)
                    leases += claimed
                    expected["started"] += len(claimed)
                elif action == "note":
                    squad.note(event("ready", "a"))
                    expected["ready"] += 1
                elif action == "resize":
                    squad.resize("a")
                    expected["resized"] += 1
                elif action == "replay":
                    expected["replayed"] += expected["failed"] - expected["replayed"]
                    replay(squad)
                elif leases:
                    squad.settle(
                        leases.pop(0), action, final=action == "refused", error="x" if action != "done" else ""
                    )
                    kind = {"done": "completed", "error": "retried", "refused": "failed"}.get(action)
                    if kind is None:
                        returned += 1
                    else:
                        expected[kind] += 1
            found = Counter(told(got))
            assert expected["started"] - 2 * returned <= found.pop("started", 0) <= expected.pop("started", 0)
            assert found == +expected
            assert len({(happening.kind, happening.subject, json.dumps(happening.detail)) for happening in got}) <= len(
                got
            )
            once = [
                (happening.kind, happening.subject) for happening in got if happening.kind in ("queued", "completed")
            ]
            assert len(once) == len(set(once))
