"""A squad in the test's own process: what it does when the clock is moved."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from squad.errors import SquadError
from squad.testing import Squad, agent, squad_of
from tests.testing.agents import Asker, Do, Note, Notes, Worker

SLOW = {"per_minute": 60, "burst": 2}


def outcomes(squad: Squad, sent: str) -> list[tuple[int, str]]:
    return [(attempt.number, attempt.outcome) for attempt in squad.message(sent).attempts]


def test_the_clock_stands_still_until_it_is_moved() -> None:
    with squad_of(worker=Worker, start="2030-06-01T00:00:00+02:00") as squad:
        begin = datetime(2030, 5, 31, 22, tzinfo=UTC)
        sent = squad.send("worker", Do("count"), delay="1h")
        squad.run()
        assert (squad.now, squad.status(sent)) == (begin, "queued")
        squad.advance("2h")
        assert squad.now == begin.replace(hour=0, day=1, month=6)
        row = squad.message(sent).message
        assert (row.created_at, row.started_at) == ("2030-05-31T22:00:00.000Z", "2030-05-31T23:00:00.000Z")


def test_a_message_that_was_given_back_comes_again() -> None:
    with squad_of(worker=Worker) as squad:
        sent = squad.send("worker", Do("later"))
        squad.advance(89)
        assert squad.status(sent) == "queued"
        squad.crash("worker")  # where and when does not matter: it is a row
        squad.advance(600)
        assert squad.status(sent) == "queued"  # and it asked for another 90 s each time


def test_a_handler_waits_for_its_send_rate_by_the_clock() -> None:
    with squad_of(worker=agent(Worker, send_rate=SLOW), notes=Notes) as squad:
        sent = squad.send("worker", Do("fan out", 5))
        squad.run()
        assert (squad.status(sent), squad.sent("notes")) == ("running", [])
        squad.advance(2.9)
        assert squad.status(sent) == "running"
        squad.advance(0.2)
        assert squad.status(sent) == "completed"
        assert squad.message(sent).message.duration_ms == 3000
        assert len(squad.sent("notes")) == 5


def test_a_rate_that_raises_gives_the_message_back() -> None:
    with squad_of(worker=agent(Worker, send_rate={**SLOW, "when_empty": "raise"}), notes=Notes) as squad:
        sent = squad.send("worker", Do("fan out", 2))
        other = squad.send("worker", Do("fan out", 1))
        squad.run()
        assert [squad.status(sent), squad.status(other)] == ["completed", "queued"]
        squad.advance(1.1)
        assert squad.status(other) == "completed"


def test_handlers_of_several_sends_share_a_rate_that_raises() -> None:
    raising = {"per_minute": 60, "burst": 5, "when_empty": "raise"}
    with squad_of(worker=agent(Worker, send_rate=raising), notes=Notes) as squad:
        sent = [squad.send("worker", Do("fan out", 3)) for _ in range(4)]
        squad.advance("6900ms")
        assert [squad.status(each) for each in sent].count("completed") == 3
        squad.advance("200ms")  # twelve sends: five at once, and seven in as many seconds
        assert [squad.status(each) for each in sent] == ["completed"] * 4
        assert {row.message.attempts for row in map(squad.message, sent)} == {1}
        assert len(squad.sent("notes")) == 12


def test_small_messages_that_keep_coming_do_not_starve_a_large_one() -> None:
    raising = {"per_minute": 60, "burst": 5, "when_empty": "raise"}
    with squad_of(worker=agent(Worker, send_rate=raising), notes=Notes) as squad:
        squad.send("worker", Do("fan out", 5))
        squad.run()
        large = squad.send("worker", Do("fan out", 5))
        for _ in range(12):
            squad.send("worker", Do("fan out", 1))
            squad.send("worker", Do("fan out", 1), priority=1)
            squad.advance(1)
        assert squad.status(large) == "completed"


def test_more_sends_than_the_burst_fail_and_say_what_to_do() -> None:
    raising = {"per_minute": 60, "burst": 5, "when_empty": "raise"}
    with squad_of(worker=agent(Worker, send_rate=raising, retry={"max_attempts": 1}), notes=Notes) as squad:
        sent = squad.send("worker", Do("fan out", 6))
        squad.run()
        assert outcomes(squad, sent) == [(1, "error")]
        assert "raise send_rate.burst" in str(squad.message(sent).attempts[0].error)
        assert squad.sent("notes") == []
        squad.send("worker", Do("fan out", 5))
        squad.run()
        assert len(squad.sent("notes")) == 5


def test_what_an_agent_takes_on_can_be_limited() -> None:
    with squad_of(worker=agent(Worker, handle_rate={"per_minute": 60, "burst": 1})) as squad:
        for _ in range(4):
            squad.send("worker", Do("count"))
        squad.run()
        assert squad.state("worker") == {"n": 1}
        squad.advance("2100ms")
        assert squad.state("worker") == {"n": 3}


def test_a_handler_runs_into_its_time_out() -> None:
    settings = {"timeout": "5s", "send_rate": {"per_minute": 1, "burst": 1}, "retry": {"max_attempts": 1}}
    with squad_of(worker=agent(Worker, **settings), notes=Notes) as squad:
        sent = squad.send("worker", Do("fan out", 2))
        squad.advance("10s")
        assert (squad.status(sent), outcomes(squad, sent)) == ("failed", [(1, "timeout")])
        assert squad.sent("notes") == []
        again = squad.send("worker", Do("count"))  # a new process has taken its place
        squad.run()
        assert squad.result(again) == 1


def test_replies_and_their_time_out() -> None:
    limited = agent(Worker, handle_rate={"per_minute": 1, "burst": 1})
    with squad_of(asker=agent(Asker, options={"of": "worker"}), worker=limited) as squad:
        squad.send("asker", Do("count"))
        squad.run()
        assert squad.state("asker") == {"heard": [["completed", 1]]}
        squad.send("asker", Do("count"))  # the worker takes no more for a minute
        squad.advance("29s")
        assert len(squad.state("asker")["heard"]) == 1
        squad.advance("1s")
        assert squad.state("asker")["heard"][1] == ["timed_out", None]
        squad.advance("2m")
        assert (len(squad.state("asker")["heard"]), squad.state("worker")) == (2, {"n": 2})


def test_time_to_live() -> None:
    limited = agent(Worker, handle_rate={"per_minute": 1, "burst": 1})
    with squad_of(asker=agent(Asker, options={"of": "worker", "ttl": "10s"}), worker=limited) as squad:
        asked = [squad.send("asker", Do("count")) for _ in range(2)]
        squad.run()
        assert [squad.status(squad.result(i)) for i in asked] == ["completed", "queued"]
        squad.advance("10s")
        assert squad.status(squad.result(asked[1])) == "expired"
        assert squad.state("asker")["heard"] == [["completed", 1], ["expired", None]]


def test_cancelling_what_waits_and_what_runs() -> None:
    with squad_of(worker=agent(Worker, send_rate=SLOW), notes=Notes) as squad:
        running = squad.send("worker", Do("fan out", 9))
        squad.run()
        waiting = squad.send("worker", Do("count"))
        assert squad.client.cancel(waiting) == {"cancelled": 1, "running": 0}
        assert squad.client.cancel(running) == {"cancelled": 0, "running": 1}
        squad.advance("10s")  # its grace
        assert [squad.status(waiting), squad.status(running)] == ["cancelled", "cancelled"]
        assert squad.sent("notes") == []
        after = squad.send("worker", Do("count"))
        squad.run()
        assert squad.result(after) == 1


def test_the_desk_for_dead_letters() -> None:
    with squad_of(worker=agent(Worker, retry={"max_attempts": 1})) as squad:
        sent = squad.send("worker", Do("fail"))
        squad.run()
        assert squad.status(sent) == "failed"
        squad.client.edit_dead(sent, {"what": "count"})
        squad.client.retry_dead([sent])
        squad.run()
        assert (squad.result(sent), outcomes(squad, sent)) == (1, [(1, "error")])


def test_a_full_mailbox() -> None:
    with squad_of(worker=agent(Worker, queue={"limit": 3})) as squad:
        for _ in range(3):
            squad.send("worker", Do("count"))
        with pytest.raises(SquadError, match="the mailbox of 'worker' is full"):
            squad.send("worker", Do("count"))
        squad.run()
        squad.send("worker", Do("count"))


def test_schedules() -> None:
    nightly = {"cron": "0 3 * * *", "timezone": "UTC", "recipient": "notes", "type": "note", "payload": {"text": "up"}}
    with squad_of(settings={"schedules": {"nightly": nightly}}, notes=Notes) as squad:
        squad.advance("17h59m")
        assert squad.sent("notes") == []
        squad.advance("2m")
        assert squad.sent("notes") == [Note("up")]
        squad.advance("7d")
        assert len(squad.sent("notes")) == 8
