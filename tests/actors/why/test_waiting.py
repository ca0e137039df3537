"""Every reason why a message waits, from facts alone, and in squads on the stage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad import Agent, Context, RetryAfter, handles
from squad.actors.protocol import Doing
from squad.actors.why.document import document, reasons
from squad.actors.why.reasons import Facts, Reason
from squad.store.holds import Freeze, Holds, Pause
from squad.store.queries import AttemptRow, MessageRow
from squad.store.times import iso
from squad.store.waiting import Claimed, Waiting
from squad.testing import Squad, agent, squad_of
from tests.testing.agents import Do, Note, Notes, Worker

NOW = 1_780_000_000.0
OTHER = "01a2002d-0000-7000-bf5a-000000000001"


def message(status: str = "queued", **fields: Any) -> MessageRow:
    columns: dict[str, Any] = dict.fromkeys(MessageRow.__dataclass_fields__)
    given = {"row": 7, "task_id": "the one", "recipient": "a", "type": "t", "sender": "cli", "priority": 5}
    return MessageRow(**columns | given | {"status": status, "attempts": 0, "created_at": iso(NOW - 60)} | fields)


def stored(row: MessageRow | None = None, **fields: Any) -> Waiting:
    given: dict[str, Any] = {
        "message": row or message(),
        "result": None,
        "failure": None,
        "own": None,
        "ahead": 0,
        "claimed": [],
        "per_minute": None,
        "seconds": 300.0,
        "fence": 0,
        "holds": Holds(),
    }
    return Waiting(**given | fields)


def worker(state: str = "idle", name: str = "a", **fields: Any) -> dict[str, Any]:
    found = {"name": name, "worker": f"{name}.1", "state": state, "since": NOW - 3, "last_error": ""}
    found |= {"last_cause": None, "again_at": None, "cut_at": None, "hand": None, "ends_by": None}
    return found | {"waits_for": [], "idle": [], "and_then": "by budget"} | fields


def about(*workers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    found = {"known": True, "stopping": False, "storage": {"state": "ready", "since": NOW - 9, "again_at": None}}
    return found | {"timeout": 60.0, "attempts": 3, "shut": False, "workers": list(workers)} | fields


def doing(hand: str = "", **fields: Any) -> Doing:
    held = (hand, "t", NOW - 2) if hand else None
    given: dict[str, Any] = {"tokens": None, "next_token": None, "waits_to_send": None}
    return Doing("", held=int(bool(hand)), hand=held, **given | fields)


def found(waiting: Waiting, said: dict[str, Any] | None, told: dict[str, Doing] | None = None) -> list[Reason]:
    down = ("", "") if said is not None else ("no squad is running", "squad start")
    return reasons(Facts(NOW, waiting, said, told or {}, down))


def kinds(*arguments: Any) -> list[str]:
    return [reason.kind for reason in found(*arguments)]


# -- from facts -------------------------------------------------------------------------------------------------------

LIVE = about(worker())


@pytest.mark.parametrize(
    ("said", "expected", "how", "clears", "text"),
    [
        (None, "squad", "by_hand", None, "no squad is running"),
        (about(known=False), "missing", "by_hand", None, "no agent or convoy called 'a'"),
        (about(worker(), stopping=True), "stopping", "by_hand", None, "the squad is stopping"),
        (about(shut=True), "stopped", "by_hand", None, "left out when the squad was started"),
        (about(worker("stopped")), "stopped", "by_hand", None, "a has been stopped for 3.0s"),
        (about(worker("quarantined", last_error="E: no\nF")), "quarantined", "by_hand", None, "again and again: E: no"),
        (about(worker("quarantined", last_cause="hung")), "quarantined", "by_hand", None, "(hung) for 3.0s"),
        (about(worker("restarting", again_at=NOW + 4)), "restarting", "known", NOW + 4, "started again after a pause"),
        (about(worker("waiting", waits_for=["b", "c"])), "starting", "unknown", None, "until there is: b, c"),
        (
            about(worker("waiting", waits_for=["b"], idle=["b"])),
            "starting",
            "by_hand",
            None,
            "b is not started by itself",
        ),
        (about(worker("starting")), "starting", "unknown", None, "starting for 3.0s, and is not ready"),
        (about(worker("starting", ready_by=NOW + 9)), "starting", "at_latest", NOW + 9, "and is not ready yet"),
        (about(), "starting", "unknown", None, "no process yet"),
        (about(worker("hung", cut_at=NOW + 20)), "hung", "at_latest", NOW + 20, "has not answered its health check"),
        (about(worker("draining", ends_by=NOW + 5)), "draining", "at_latest", NOW + 5, "and ends"),
        (about(worker("draining", and_then="remove")), "draining", "unknown", None, "is not needed any more"),
        (about(worker("draining", and_then="again")), "draining", "unknown", None, "is then started again"),
    ],
)
def test_what_holds_the_whole_mailbox(
    said: dict[str, Any] | None, expected: str, how: str, clears: float | None, text: str
) -> None:
    first, turn = found(stored(), said)
    assert (first.kind, first.how, first.clears_at) == (expected, how, clears)
    assert text in first.text
    assert turn.kind == "turn"
    assert turn.how == "after"


def test_the_storage() -> None:
    said = about(worker(), storage={"state": "restarting", "since": NOW - 2, "again_at": NOW + 1})
    assert [(r.kind, r.clears_at) for r in found(stored(), said)] == [("storage", NOW + 1), ("turn", None)]
    assert kinds(stored(ahead=1), said) == ["turn", "storage"]  # nobody knows how long the other takes


def test_what_clears_last_comes_first() -> None:
    holds = Holds({"a": Pause(NOW - 60, "root", "a look")}, Freeze(NOW - 30))
    failure = AttemptRow(1, "a.1", None, iso(NOW), "error", "E: no\ntrace")
    row = message(attempts=1, not_before=NOW + 8)
    said = about(worker("restarting", again_at=NOW + 4))
    list_ = found(stored(row, holds=holds, failure=failure), said)
    assert [reason.kind for reason in list_] == ["frozen", "paused", "retry"]  # it is back long before the retry
    assert list_[1].text == "a has been paused for 1m, by root: a look"
    assert list_[2].text == "attempt 1 of 3 failed (error: E: no): it is tried again in 8.0s"
    busy = about(worker(hand=(OTHER, "t", NOW - 2)))
    list_ = found(stored(per_minute=6.0, ahead=2), busy)
    assert [(r.kind, r.clears_at) for r in list_] == [("busy", NOW + 58), ("turn", NOW + 20)]


def test_a_convoy_waits_for_the_first_that_is_free() -> None:
    at_work = worker(name="a-1", hand=(OTHER, "t", NOW - 2))
    assert kinds(stored(), about(at_work, worker(name="a-2"))) == ["turn"]
    assert kinds(stored(), about(at_work, worker("hung", name="a-2"))) == ["busy", "turn"]
    dry = {"a-2.1": doing(tokens=0.2, next_token=4.0)}
    assert kinds(stored(), about(at_work, worker(name="a-2")), dry) == ["busy", "handle_rate", "turn"]
    gone = about(worker("quarantined", name="a-1"), worker("restarting", name="a-2", again_at=NOW + 1))
    assert kinds(stored(), gone) == ["quarantined", "restarting", "turn"]


def test_a_workers_own_word_counts_more_than_its_black_box() -> None:
    said = about(worker(hand=(OTHER, "t", NOW - 2)))
    assert kinds(stored(), said, {"a.1": doing()}) == ["turn"]


@pytest.mark.parametrize(
    ("said", "told", "expected"),
    [
        (about(worker()), {"a.1": doing("the one")}, ["running"]),
        (about(worker()), {"a.1": doing(OTHER)}, ["behind"]),
        (about(worker()), {"a.1": doing()}, ["handed_over"]),
        (about(worker(worker="a.2")), {}, ["released"]),
        (about(worker()), {"a.1": doing("the one", waits_to_send=3.0)}, ["running", "send_rate"]),
        (about(worker("hung", hand=("the one", "t", NOW), cut_at=NOW + 1)), {}, ["running", "hung"]),
        (about(worker("draining", ends_by=NOW + 1), stopping=True), {}, ["stopping", "handed_over", "draining"]),
        (None, {}, ["squad", "running"]),
    ],
)
def test_what_a_running_message_is_at(said: dict[str, Any], told: dict[str, Doing], expected: list[str]) -> None:
    own = Claimed("the one", "t", "a.1", iso(NOW - 4), 2, None)
    assert kinds(stored(message("running"), own=own), said, told) == expected


def test_a_running_message_that_is_cancelled_in_a_frozen_squad() -> None:
    own = Claimed("the one", "t", "a.1", iso(NOW - 4), 2, "tree")
    waiting = stored(message("running"), own=own, holds=Holds(frozen=Freeze(NOW - 1, until=NOW + 4)))
    said, told = about(worker()), {"a.1": doing("the one")}
    assert kinds(waiting, said, told) == ["cancelled", "running", "frozen"]
    lease = document(Facts(NOW, waiting, said, told))["lease"]
    assert lease == {
        "worker": "a.1",
        "fence": 2,
        "since": iso(NOW - 4),
        "handler_since": iso(NOW - 2),
        "timeout_at": iso(NOW + 58),
        "cancelled": True,
    }
    let = stored(message("running"), own=own, holds=Holds(frozen=Freeze(NOW - 1)))
    assert "its handler may finish" in next(r.text for r in found(let, said, told) if r.kind == "frozen")


def test_what_has_ended_is_held_by_nothing() -> None:
    for status in ("completed", "failed", "cancelled", "expired"):
        assert kinds(stored(message(status)), LIVE) == []


moments = st.floats(NOW - 1e6, NOW + 1e6)
states = st.sampled_from(
    ["idle", "busy", "ready", "starting", "waiting", "restarting", "quarantined", "stopped", "hung", "draining", "new"]
)
hands = st.none() | st.tuples(st.just(OTHER), st.just("t"), moments)
workers = st.builds(
    lambda number, state, **fields: worker(state, f"a-{number}", **fields),
    st.integers(1, 4),
    states,
    last_error=st.text(max_size=9),
    again_at=st.none() | moments,
    ends_by=st.none() | moments,
    and_then=st.sampled_from(["by budget", "again", "regroup", "quarantine", "remove"]),
    cut_at=st.none() | moments,
    hand=hands,
)
rates = st.none() | st.floats(0, 100)
words = st.builds(Doing, st.just(""), st.integers(0, 3), hands, rates, rates, rates)
squads = st.none() | st.builds(
    lambda listed, **fields: about(*listed, **fields),
    st.lists(workers, max_size=4),
    known=st.booleans(),
    stopping=st.booleans(),
    shut=st.booleans(),
    timeout=st.none() | st.floats(1, 1e5),
    storage=st.fixed_dictionaries({"state": states, "since": moments, "again_at": st.none() | moments}),
)
pauses = st.builds(Pause, moments, st.text(max_size=5), st.text(max_size=5))
holds = st.builds(
    Holds,
    st.dictionaries(st.sampled_from(["a", "b"]), pauses),
    st.none() | st.builds(Freeze, moments, until=st.none() | moments),
)
queued = st.builds(
    lambda attempts, not_before, **fields: stored(message(attempts=attempts, not_before=not_before), **fields),
    st.integers(0, 3),
    st.none() | moments,
    failure=st.none() | st.just(AttemptRow(1, "a.1", None, iso(NOW), "error", "")),
    ahead=st.integers(0, 10**6),
    per_minute=st.none() | st.floats(0.001, 1e6),
    fence=st.integers(0, 3),
    holds=holds,
)


@given(queued, squads, st.dictionaries(st.sampled_from(["a-1.1", "a-2.1", "a-3.1"]), words))
def test_a_message_that_waits_always_has_a_reason(
    waiting: Waiting, said: dict[str, Any] | None, told: dict[str, Doing]
) -> None:
    list_ = found(waiting, said, told)
    assert list_
    order = {"by_hand": 0, "unknown": 1, "known": 2, "at_latest": 2, "estimate": 2, "after": 3}
    assert [order[reason.how] for reason in list_] == sorted(order[reason.how] for reason in list_)
    times = [reason.clears_at for reason in list_ if reason.clears_at is not None]
    assert times == sorted(times, reverse=True)
    for reason in list_:
        assert bool(reason.command) == (reason.how == "by_hand")
        assert (reason.clears_at is not None) == (reason.how in ("known", "at_latest", "estimate"))
        assert reason.text


# -- on the stage -----------------------------------------------------------------------------------------------------


def why(squad: Squad, task: str) -> list[dict[str, Any]]:
    list_: list[dict[str, Any]] = squad.client.why(task)["reasons"]
    return list_


def named(squad: Squad, task: str) -> list[str]:
    return [reason["kind"] for reason in why(squad, task)]


def test_what_is_put_off_after_a_failed_attempt_is_no_retry() -> None:
    class Moody(Agent):
        @handles(Do)
        def do(self, msg: Do, ctx: Context) -> None:
            if ctx.attempt == 1:
                raise ValueError("no")
            raise RetryAfter(30, "the line is engaged")

    with squad_of(moody=agent(Moody, retry={"backoff": "1s", "jitter": 0})) as squad:
        task = squad.send("moody", Do("it"))
        squad.run()
        assert named(squad, task) == ["retry"]
        squad.advance(2)
        squad.run()
        [reason] = why(squad, task)
        assert reason["kind"] == "later"
        assert "the line is engaged" in reason["text"]


def test_delay_retry_and_being_put_off() -> None:
    class Moody(Agent):
        @handles(Do)
        def do(self, msg: Do, ctx: Context) -> None:
            if msg.what == "later":
                raise RetryAfter(30, "the line is engaged")
            raise ValueError("no")

    with squad_of(moody=agent(Moody, retry={"backoff": "20s", "jitter": 0})) as squad:
        delayed = squad.send("moody", Do("raise"), delay=10)
        failed, later = squad.send("moody", Do("raise")), squad.send("moody", Do("later"))
        squad.run()
        [delay], [retry], [put_off] = why(squad, delayed), why(squad, failed), why(squad, later)
        assert (delay["kind"], delay["clears_at"]) == ("delay", "2026-01-05T09:00:10.000Z")
        assert (retry["kind"], retry["clears_at"]) == ("retry", "2026-01-05T09:00:20.000Z")
        assert retry["text"].startswith("attempt 1 of 3 failed (error: ValueError: no)")
        assert (put_off["kind"], put_off["clears_at"]) == ("later", "2026-01-05T09:00:30.000Z")
        assert "the line is engaged" in put_off["text"]


def test_the_place_in_the_queue_is_by_priority_and_age_and_moves_at_a_rate() -> None:
    with squad_of(worker=agent(Worker, handle_rate={"per_minute": 6, "burst": 1})) as squad:
        old, first, young = (squad.send("worker", Do("count"), priority=p) for p in (5, 1, 5))
        later = squad.send("worker", Do("count"), delay="1h")
        assert [squad.client.why(task)["position"]["ahead"] for task in (first, old, young)] == [0, 1, 2]
        squad.run()
        squad.advance(21)
        assert [squad.status(task) for task in (first, old, young)] == ["completed"] * 3
        more = [squad.send("worker", Do("count")) for _ in range(7)]
        told = squad.client.why(more[-1])
        assert told["position"] == {"ahead": 6, "per_minute": 3.0, "over_seconds": 60.0}
        turn = next(reason for reason in told["reasons"] if reason["kind"] == "turn")
        assert (turn["how"], turn["clears_at"]) == ("estimate", "2026-01-05T09:02:21.000Z")
        assert squad.client.why(later)["reasons"][0]["kind"] == "delay"


def test_buckets() -> None:
    rate = {"per_minute": 6, "burst": 1}
    with squad_of(worker=agent(Worker, send_rate=rate), notes=agent(Notes, handle_rate=rate)) as squad:
        sending = squad.send("worker", Do("fan out", 3))
        behind = squad.send("worker", Do("count"))
        squad.run()
        squad.advance(4)
        assert [(r["kind"], r["clears_at"]) for r in why(squad, sending)] == [
            ("running", "2026-01-05T09:30:00.000Z"),
            ("send_rate", "2026-01-05T09:00:10.000Z"),
        ]
        list_ = {r["kind"]: r["clears_at"] for r in why(squad, behind)}
        assert [*list_] == ["busy", "send_rate", "turn"]
        assert list_ == {"turn": None, "busy": "2026-01-05T09:30:00.000Z", "send_rate": "2026-01-05T09:00:10.000Z"}
        squad.advance(60)
        assert squad.client.why(sending)["reasons"] == []
        notes = [squad.send("notes", Note("x")) for _ in range(2)]
        squad.run()
        assert "handle_rate" in named(squad, notes[1])
        token = next(r for r in why(squad, notes[1]) if r["kind"] == "handle_rate")
        assert token["how"] == "known"
        squad.advance(120)
        assert squad.client.why(notes[1])["status"] == "completed"


def test_what_is_on_hold_and_what_goes_on() -> None:
    with squad_of(worker=agent(Worker, queue={"limit": 2}), notes=Notes) as squad:
        squad.client.pause("worker")
        task = squad.send("worker", Do("count"), ttl="1m")
        squad.client.freeze()
        squad.run()
        assert named(squad, task) == ["frozen", "paused", "turn"]
        squad.send("worker", Do("count"))
        with pytest.raises(Exception, match="the mailbox of 'worker' is full"):
            squad.send("worker", Do("count"))
        squad.advance("2m")
        assert squad.status(task) == "expired"
        squad.client.thaw()
        squad.send("notes", Note("x"))
        squad.run()
        assert squad.client.holds()["paused"][0]["name"] == "worker"


def test_runs_of_schedules_are_missed_in_a_frozen_squad() -> None:
    schedules = {
        name: {"cron": "* * * * *", "recipient": "notes", "type": "note", "payload": {"text": name}, "missed": missed}
        for name, missed in (("skips", "skip"), ("makes-up", "once"))
    }
    with squad_of(notes=Notes, settings={"schedules": schedules}) as squad:
        squad.advance("2m")
        before = len(squad.sent("notes"))
        squad.client.freeze()
        squad.advance("10m 30s")
        assert len(squad.sent("notes")) == before
        squad.client.thaw()
        squad.run()
        texts = [note.text for note in squad.sent("notes")[before:]]
        assert sorted(texts) == ["makes-up", "skips"]  # the last one fell due within the minute
        squad.advance("1m")
        assert len(squad.sent("notes")) == before + 4
