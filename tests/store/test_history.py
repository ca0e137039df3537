"""What happened, read as events, all of it at once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from peewee import Database

from squad.events import CATALOGUE, event
from squad.ids import new_id
from squad.store import history
from squad.store.history import Happening, Wanted, Watch
from squad.store.rows import Outcome
from tests.store import singly
from tests.store.happening import NOW, Squad, told


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
        squad.replay()
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
