"""The same test in the test's process and against a real squad."""

from __future__ import annotations

from pathlib import Path

import pytest

from squad.testing import HandlerError, StuckError, UnfinishedError, agent, convoy, squad_of
from squad.testing.real import RealSquad
from tests.testing.agents import Broken, Do, Note, Notes, Worker

SHORT = {"retry": {"max_attempts": 1}, "shutdown": "200ms"}


@pytest.mark.parametrize("real", [False, True])
def test_the_same_in_both(real: bool) -> None:
    quick = agent(Worker, retry={"max_attempts": 2, "backoff": "500ms", "jitter": 0})
    with squad_of(real=real, worker=quick, notes=convoy(Notes, min=2, max=2)) as squad:
        sent = squad.send("worker", Do("fan out", 3))
        failing = squad.send("worker", Do("fail"))
        later = squad.send("worker", Do("count"), delay="1s")
        squad.run()
        assert len(squad.result(sent)) == 3
        assert squad.sent("notes") == [Note("0"), Note("1"), Note("2")]
        squad.crash("worker")
        squad.advance("1500ms")
        assert (squad.status(failing), squad.result(later)) == ("failed", 1)
        assert squad.error(failing).startswith("ValueError: attempt 2")
        assert squad.state("worker") == {"n": 1}
        with pytest.raises(UnfinishedError):
            squad.result(failing)
        with pytest.raises(KeyError, match="there is no agent"):
            squad.crash("nobody")
        pool = squad.client.store()["pool"]
        assert (pool["size"], pool["most_waiting"], pool["refused"]) == (20, 100, 0)
        home = squad.client.home.path
    assert not home.exists()


def test_a_real_squad_tells_of_errors_and_of_its_limits() -> None:
    with squad_of(real=True, raise_errors=True, worker=agent(Worker, **SHORT)) as squad:
        assert isinstance(squad, RealSquad)
        with pytest.raises(ValueError, match="a real squad's clock cannot be moved"):
            squad.advance("10m")
        squad.send("worker", Do("fail"))
        with pytest.raises(HandlerError, match="ValueError: attempt 1"):
            squad.run()
        squad._patience = 1.5
        squad.send("worker", Do("hang"))
        with pytest.raises(StuckError, match=r"1\.5 s were not enough for its messages to be handled"):
            squad.run()


def test_a_real_squad_that_cannot_start(tmp_path: Path) -> None:
    with pytest.raises((HandlerError, StuckError), match="no such luck"):
        squad_of(real=True, worker=Broken)
