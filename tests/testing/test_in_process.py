"""A squad in the test's own process: what it does at once, its errors, and what stands for its processes."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from pathlib import Path

import pytest

from squad import Agent, Context, RefusedError, handles
from squad.errors import ConfigError, SquadError
from squad.testing import HandlerError, Squad, StuckError, UnfinishedError, agent, convoy, squad_from, squad_of
from tests.testing.agents import Broken, Do, Leaver, Note, Notes, Worker

SLOW = {"per_minute": 60, "burst": 2}


def outcomes(squad: Squad, sent: str) -> list[tuple[int, str]]:
    return [(attempt.number, attempt.outcome) for attempt in squad.message(sent).attempts]


# -- now --------------------------------------------------------------------------------------------------------------


def test_nothing_is_handled_before_run() -> None:
    with squad_of(worker=Worker) as squad:
        sent = squad.send("worker", Do("count"))
        assert squad.status(sent) == "queued"
        with pytest.raises(UnfinishedError, match="the do to worker is queued, attempts: 0"):
            squad.result(sent)
        squad.run()
        assert (squad.result(sent), squad.state("worker")) == (1, {"n": 1})


def test_messages_are_taken_by_priority_and_then_by_age() -> None:
    with squad_of(notes=Notes) as squad:
        for text, priority in (("last", 9), ("second", 5), ("third", 5), ("first", 1)):
            sent = squad.send("notes", Note(text), priority=priority)
        squad.run()
        last = squad.send("notes", "note", {"text": "end"})
        squad.run()
        assert squad.result(sent) == ["first"]
        assert squad.result(last) == ["first", "second", "third", "last", "end"]


def test_what_is_sent_commits_with_the_completion_and_can_be_read() -> None:
    with squad_of(worker=Worker, notes=Notes) as squad:
        sent = squad.send("worker", Do("fan out", 3))
        squad.run()
        assert (
            squad.sent("notes")
            == squad.sent("notes", Note)
            == squad.sent("notes", "note")
            == [
                Note("0"),
                Note("1"),
                Note("2"),
            ]
        )
        assert squad.sent("notes", Do) == []
        detail = squad.message(sent)
        assert [child.task_id for child in detail.children] == squad.result(sent)
        assert {child.root_id for child in detail.children} == {sent}


def test_the_same_test_does_the_same_thing_every_time() -> None:
    def once() -> list[tuple[str, str, str | None]]:
        with squad_of(settings={}, worker=Worker, other=Worker, notes=convoy(Notes, min=3)) as squad:
            for number in range(6):
                squad.send(("worker", "other")[number % 2], Do("fan out", 5))
            squad.run()
            ids = [i for name in ("worker", "other", "notes") for i in _ids(squad, name)]
            rows = [squad.message(i).message for i in ids]
            return [(row.recipient, row.status, (row.lease_owner or "").split(".")[0]) for row in rows]

    first = once()
    assert len(first) == 36
    assert all(once() == first for _ in range(3))


def _ids(squad: Squad, recipient: str) -> list[str]:
    from squad.store import queries
    from squad.store.database import open_reader

    with open_reader(squad.client.home.database) as pool, pool.connection() as database:
        return [row.task_id for row in queries.messages(database, queries.Filter(agent=recipient), limit=1000)][::-1]


def test_a_send_is_refused_as_it_is_from_outside() -> None:
    with squad_of(worker=Worker) as squad:
        with pytest.raises(RefusedError, match="no agent or convoy is called 'wroker'") as caught:
            squad.send("wroker", Do("count"))
        assert caught.value.hint == "did you mean 'worker'?"
        with pytest.raises(RefusedError) as wrong:
            squad.send("worker", "do", {"waht": 1})
        assert {problem.where for problem in wrong.value.problems} == {"payload.what", "payload.waht"}
        with pytest.raises(RefusedError):
            squad.send("worker", Do("count"), priority=11)
        squad.run()
        assert squad.sent("worker") == []


def test_a_key_is_used_once() -> None:
    with squad_of(worker=Worker) as squad:
        first = squad.send("worker", Do("count"), key="k")
        assert squad.send("worker", Do("count"), key="k") == first
        squad.run()
        assert squad.state("worker") == {"n": 1}


def test_settings_and_other_sections_of_a_configuration() -> None:
    with squad_of(settings={"limits": {"max_payload": 20}}, worker=agent(Worker, options={"a": [1]})) as squad:
        assert squad.config.agents["worker"].options == {"a": [1]}
        with pytest.raises(RefusedError, match="at most 20"):
            squad.send("worker", Do("a" * 30))
    with pytest.raises(ConfigError) as caught:
        squad_of(worker=agent(Worker, retry={"max_atempts": 1}))
    assert "did you mean 'max_attempts'?" in str(caught.value.problems[0])


def test_a_class_inside_a_function() -> None:
    class Local(Agent):
        @handles(Note)
        def note(self, msg: Note, ctx: Context) -> str:
            return msg.text.upper()

    with squad_of(local=Local) as squad:
        sent = squad.send("local", Note("a"))
        squad.run()
        assert squad.result(sent) == "A"
    with pytest.raises(ValueError, match="define it at the top of a module"):
        squad_of(real=True, local=Local)


# -- errors -----------------------------------------------------------------------------------------------------------


def test_an_exception_is_a_failed_attempt() -> None:
    with squad_of(worker=agent(Worker, retry={"max_attempts": 2, "backoff": "10s"})) as squad:
        sent = squad.send("worker", Do("fail"))
        squad.run()
        assert squad.status(sent) == "queued"
        assert squad.error(sent).startswith("ValueError: attempt 1\n")
        assert 'agents.py", line' in squad.error(sent)
        squad.advance(9.9)
        assert outcomes(squad, sent) == [(1, "error")]
        squad.advance("100ms")
        assert outcomes(squad, sent) == [(1, "error"), (2, "error")]
        assert squad.status(sent) == "failed"
        with pytest.raises(UnfinishedError, match="the do to worker is failed, attempts: 2: ValueError: attempt 2"):
            squad.result(sent)


def test_errors_can_be_raised_where_they_are_not_expected() -> None:
    with squad_of(raise_errors=True, worker=agent(Worker, retry={"backoff": "1s"})) as squad:
        refused = squad.send("worker", Do("refuse"))
        squad.run()  # a handler that refuses means to
        assert (squad.status(refused), squad.error(refused)) == ("failed", "not me")
        sent = squad.send("worker", Do("fail"))
        with pytest.raises(HandlerError, match=f"worker failed at do {sent}: ValueError: attempt 1"):
            squad.run()
        squad.run()  # said once
        with pytest.raises(HandlerError, match="attempt 2"):
            squad.advance("1s")


def test_what_a_handler_sends_wrongly_fails_its_attempt() -> None:
    with squad_of(raise_errors=True, worker=Worker, notes=Notes) as squad:
        squad.send("worker", Do("send wrongly"))
        with pytest.raises(HandlerError, match="notes does not handle 'do'"):
            squad.run()


def test_an_agent_that_cannot_start() -> None:
    with pytest.raises(HandlerError, match="worker cannot start: RuntimeError: no such luck"):
        squad_of(worker=Broken)


def test_a_handler_that_hangs_fails_the_test_and_not_the_run() -> None:
    Worker.gate.clear()
    with squad_of(patience=2.0, worker=Worker) as squad:
        sent = squad.send("worker", Do("hang"))
        with pytest.raises(StuckError, match=f"worker is handling do {sent}"):
            squad.run()
        Worker.gate.set()


# -- processes --------------------------------------------------------------------------------------------------------


def test_a_crash_is_charged_to_what_was_in_hand() -> None:
    with squad_of(worker=agent(Worker, send_rate=SLOW, retry={"backoff": "1s"}), notes=Notes) as squad:
        in_hand = squad.send("worker", Do("fan out", 3))
        waiting = squad.send("worker", Do("count"))
        squad.run()
        assert squad.status(in_hand) == "running"
        squad.crash("worker")
        squad.advance("1m")
        assert (squad.status(in_hand), outcomes(squad, in_hand)) == ("completed", [(1, "crash")])
        assert (squad.status(waiting), outcomes(squad, waiting)) == ("completed", [])
        with pytest.raises(KeyError, match="there is no agent 'wroker'"):
            squad.crash("wroker")


def test_a_crash_loses_what_was_only_in_memory() -> None:
    with squad_of(notes=Notes, worker=Worker) as squad:
        squad.send("notes", Note("a"))
        squad.send("worker", Do("count"))
        squad.run()
        squad.crash("notes")
        squad.crash("worker")
        sent, counted = squad.send("notes", Note("b")), squad.send("worker", Do("count"))
        squad.run()
        assert (squad.result(sent), squad.result(counted)) == (["b"], 2)


def test_stop_is_called_at_a_good_end_and_not_at_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with squad_of(leaver=agent(Leaver, options={"file": str(file)}, restart="transient")) as squad:
        squad.crash("leaver")
        assert not file.exists()
        first = squad.send("leaver", Note("a"))
        squad.run()
        assert (squad.status(first), file.read_text()) == ("completed", "stopped")
        second = squad.send("leaver", Note("b"))  # its work is done, and it is not started again
        squad.run()
        assert squad.status(second) == "queued"


def test_a_convoy_shares_its_messages() -> None:
    with squad_of(crew=convoy(Worker, min=3), notes=Notes) as squad:
        sent = [squad.send("crew", Do("fan out", 1)) for _ in range(3)]
        squad.run()
        owners = {squad.message(i).message.lease_owner for i in sent}
        assert {owner.partition(".")[0] for owner in owners if owner} == {"crew-1", "crew-2", "crew-3"}


def test_the_client_is_the_real_one() -> None:
    with squad_of(worker=Worker) as squad:
        assert [kind["name"] for kind in squad.client.types()] == ["do"]
        ids = squad.client.send_many([{"recipient": "worker", "type": "do", "payload": {"what": "count"}}] * 3)
        squad.run()
        assert [squad.result(i) for i in ids] == [1, 2, 3]
        assert squad.client.wait(ids[0])
        squad.client.restart("worker")
        with pytest.raises(SquadError):
            squad.client.resize("worker", 3)


def test_in_a_test_that_is_a_coroutine() -> None:
    async def test() -> int:
        with squad_of(worker=Worker) as squad:
            sent = squad.send("worker", Do("count"))
            squad.run()
            return int(squad.result(sent))

    assert asyncio.run(test()) == 1


def test_a_configuration_file_with_commands(tmp_path: Path) -> None:
    here = Path(__file__).with_name("agents.py")
    document = {
        "agents": {
            "worker": {"class": f"{here}:Worker"},
            "teller": {"command": ["echo", "{payload[word]}"], "handles": ["tell"]},
        },
        "types": {"tell": {"fields": {"word": "str"}}},
    }
    file = tmp_path / "squad.yaml"
    file.write_text(json.dumps(document))
    with squad_from(file, raise_errors=True) as squad:
        sent = squad.send("teller", "tell", {"word": "on"})
        with pytest.raises(RefusedError):
            squad.send("teller", "tell", {"wrod": "on"})
        counted = squad.send("worker", "do", {"what": "count"})
        squad.run()
        assert (squad.result(sent).strip(), squad.result(counted)) == ("on", 1)
        assert squad.sent("teller") == [{"word": "on"}]
        assert squad.sent("worker") == [Do("count")]


def test_nothing_is_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    handlers, path, modules = list(logging.getLogger().handlers), list(sys.path), set(sys.modules)
    before = set(threading.enumerate())
    with squad_of(worker=agent(Worker, send_rate=SLOW), notes=Notes) as squad:
        home = squad.client.home.path
        squad.send("worker", Do("fan out", 9))
        squad.run()  # it stays at work: a handler waits
        assert home.exists()
    assert not home.exists()
    assert set(threading.enumerate()) <= before
    assert (logging.getLogger().handlers, sys.path) == (handlers, path)
    assert not [name for name in set(sys.modules) - modules if name.startswith("squad_testing")]
    assert "ready" in caplog.messages
