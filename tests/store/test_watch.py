"""What happens, read as events while it does."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import Database

from squad.config.schema import StoreConfig
from squad.events import event
from squad.store.database import open_reader
from squad.store.history import Happening, Wanted, Watch
from squad.store.rows import Lease
from squad.store.writer import Writer
from tests.store.happening import Squad, told


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
        for _ in range(3):
            squad.send()
            squad.handle("refused", error="never", final=True)
        assert told(watch.look()).count("failed") == 3
        squad.drop()
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
                    squad.replay()
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
