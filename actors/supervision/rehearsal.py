"""A rehearsal of an agent's life, in the process from which all others are forked, before the first fork.

Python keeps notes beside what it runs: in the code of a function, what its instructions have met; in a cache, which
attribute of a class is where. They lie in memory that the processes share, so whoever makes a note has a page of its
own from then on. What an agent does at its start and for a message has been done here, so that the notes are there.
"""

from __future__ import annotations

import atexit
import gc
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from squad.actors.agents.agent import AgentActor
from squad.actors.protocol import Begin, Deliver, Drain, Drained, Ready, Report, Settle, State
from squad.actors.supervision.children import ChildSpec
from squad.actors.transport.folder import open_folder
from squad.actors.transport.mends import Manager, nobody_is_there
from squad.actors.transport.unix import Endpoint, Letter, UnixTransport
from squad.config.schema import SquadConfig
from squad.errors import StartError
from squad.store.rows import Lease

_NAME = "rehearsed"
_FILE = "squad_rehearsed_agent"
_AGENT = """
from __future__ import annotations
from squad import Agent, Context, handles, message

@message("rehearsed")
class Rehearsed:
    text: str
    number: int = 0

class Rehearser(Agent):
    @handles(Rehearsed)
    def rehearse(self, msg: Rehearsed, ctx: Context) -> dict:
        ctx.log.info("%s", msg.text)
        return {"text": msg.text}
"""
_LIVES, _MESSAGES = 3, 10  # Python looks at what is run some eight times, and again when that was changed
_STEP, _PATIENCE = 0.0002, 10.0  # seconds of a look at what has come, and until one thing has come


def rehearse() -> None:
    """Play the life of an agent some times. Leaves nothing behind, but that the root logger has no handlers.

    Raises StartError when the agent does not do what is expected, and OSError where no temporary file can be made.
    """
    with tempfile.TemporaryDirectory(prefix="squad-") as name, _as_it_was():
        home = Path(name)
        (home / "run" / "hand").mkdir(parents=True)
        (home / f"{_FILE}.py").write_text(_AGENT)
        for _ in range(_LIVES):
            _live(home)
    gc.collect()  # what is left of it is not to be frozen


def _live(home: Path) -> None:
    stage = _Stage(home)
    try:
        stage.play()
    except _EndedError as error:
        raise StartError(str(error)) from None
    finally:
        stage.close()
        sys.modules.pop(_FILE, None)


@contextmanager
def _as_it_was() -> Iterator[None]:
    path, level = sys.path[:], logging.root.level
    try:
        yield
    finally:
        sys.path[:] = path
        logging.root.setLevel(level)
        for handler in logging.root.handlers[:]:
            logging.root.removeHandler(handler)
            handler.close()


class _EndedError(BaseException):
    """Of an agent, instead of its process's end. No handler of exceptions is meant."""


def _end(status: int, farewell: float = 0.0) -> NoReturn:
    raise _EndedError(f"an agent that was rehearsed would have ended with status {status}")


class _Stage:
    """An agent's actor as in a process of its own, and one that stands for all others."""

    def __init__(self, home: Path) -> None:
        self._folder = open_folder(home / "run")
        self._others = UnixTransport(Endpoint(None, self._folder.fresh(), None, self._folder))
        others = self._others.myAddress
        config = SquadConfig.model_validate({"agents": {_NAME: {"class": f"{home}/{_FILE}.py:Rehearser"}}})
        spec = ChildSpec(_NAME, "agent", _NAME, config.agents[_NAME])
        extra = {"recipients": {_NAME: frozenset({_NAME})}}
        no = None  # as in an actor's process
        transport = UnixTransport(self._others.endpoint_for(1))
        # The very classes of the real ones: what Python notes is about a class.
        self._agent = Manager(AgentActor, no, transport, no, no, others, others, no, {}, no, no)
        self._agent.leave = _end  # type: ignore[method-assign]
        self._agent.announcement = Letter(others, "listening", nobody_is_there)
        self._agent.inherited = Begin(spec, f"{_NAME}.1", str(home), config, others, extra)

    def play(self) -> None:
        self._agent.begin()
        self._until(Ready)
        self._tell(State(0, "{}"))
        self._until(Report)
        for number in range(1, _MESSAGES + 1):
            self._tell(Deliver((Lease(number, 1, "0" * 36, "cli", _NAME, '{"text": "a message"}', 5, 1, "0" * 36),)))
            self._until(Settle)
            self._tell(Deliver((), ((number, 1, True),)))
        self._tell(Drain())
        self._until(Drained)

    def close(self) -> None:
        atexit.unregister(self._agent._shutdownActor)  # Thespian's
        agent = self._agent.actorInst
        if agent is not None:
            agent._stop_runner()
            agent.close()
        self._agent.transport.close()
        self._others.close()
        self._folder.close()

    def _tell(self, message: object) -> None:
        self._others.post(self._agent.transport.path, message, Letter(self._agent.myAddress, message, nobody_is_there))
        self._others.run(None, _STEP)

    def _until(self, kind: type) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self._agent.transport.run(self._agent.handleMessages, _STEP)
            while (received := self._others.run(None, _STEP)) is not None:
                if isinstance(received.message, kind):
                    return
        raise StartError(f"an agent that was rehearsed did not say {kind.__name__}")
