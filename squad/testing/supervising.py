"""The supervisor's part in a squad on the stage: who is there, and what follows when one of them ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from squad.actors.agents.handlers import handled_types
from squad.actors.agents.kinds import agent_class
from squad.actors.protocol import (
    Ask,
    Begin,
    Evict,
    Explain,
    Explained,
    Held,
    Inspect,
    Leaving,
    Released,
    Reload,
    Reply,
    Resize,
    Restart,
    StartFailed,
    Tree,
)
from squad.actors.supervision.children import ChildSpec
from squad.ids import new_id
from squad.testing.cast import StagedAgent, StagedGateway, StagedScheduler, StagedStorage
from squad.testing.failures import HandlerError
from squad.testing.stage import Stage, Staged

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig

S = TypeVar("S", bound=Staged)


class StagedSupervisor:
    """Starts everybody, and starts again who ends, at once. It counts no restarts and quarantines nobody."""

    def __init__(self, stage: Stage, home: Path, config: SquadConfig) -> None:
        self._stage = stage
        self._home = home
        self._config = config
        self._recipients = {name: frozenset(handled_types(agent_class(config, name))) for name in config.recipients}
        self._leaving: dict[str, Leaving] = {}
        self._failures: list[str] = []
        self._core: list[StagedGateway | StagedStorage] = []
        self._scheduler: StagedScheduler | None = None
        self.agents: dict[str, StagedAgent] = {}  # by the name of agent or worker
        (home / "run" / "hand").mkdir(parents=True, mode=0o700)

    def start(self) -> None:
        """Bring the squad up. Raises HandlerError when an agent cannot start."""
        self.storage = self._enter(StagedStorage)
        self._begin(self.storage, ChildSpec("storage", "storage"), {"alive": None, "in_hand": {}})
        self._stage.pump()
        self.check()
        self._core.append(self.storage)
        self.gateway = self._enter(StagedGateway)
        self.gateway.open(self._home, self._config, self, self.storage)
        self._core.append(self.gateway)
        # Commands first: their nurseries are forked, which is best done before there are threads.
        for spec in sorted(self._specs(), key=lambda spec: spec.settings is None or spec.settings.command is None):
            self._start(spec)
        if self._config.timed:
            self._scheduler = self._enter(StagedScheduler)
            self._begin(self._scheduler, ChildSpec("scheduler", "scheduler"), {})
        self._stage.pump()
        self.check()

    def check(self) -> None:
        """Raises HandlerError when an agent could not start."""
        if self._failures:
            raise HandlerError("\n".join(self._failures))

    def close(self) -> None:
        for closing in (*self.agents.values(), *self._core):
            closing.close()

    def crash(self, name: str) -> None:
        """Kill the worker ``name``, or all workers of a convoy, and start it again."""
        for agent in self._named(name):
            self._again(agent, "its process died", charge=True)

    def clock_was_set(self) -> None:
        """Have those look at it who go by the wall clock."""
        self._stage.soon(self.storage.broker.turn)
        if self._scheduler is not None:
            self._scheduler.look()

    # -- what a supervisor hears ------------------------------------------------------------------------------------

    def receive(self, msg: Any, sender: Any) -> None:
        match msg:
            case StartFailed():
                self._failures.append(f"{msg.worker.rpartition('.')[0]} cannot start: {msg.error}")
            case Leaving():
                self._leaving[msg.worker] = msg
            case Evict():
                for agent in [agent for agent in self.agents.values() if agent.worker == msg.worker]:
                    self._again(agent, msg.reason, charge=False)
            case Restart():
                for agent in self._named(msg.name):
                    self._again(agent, "restarted by hand", charge=False)
                self._stage.tell(sender, Reply(msg.request), self)
            case Held() | Explain() | Ask():
                self._pass_on(msg, sender)
            case Inspect():
                self._stage.tell(sender, Tree(msg.request, ()), self)
            case Resize() | Reload():
                self._stage.tell(sender, Reply(msg.request, "squad.testing has no such order in one process"), self)

    def _pass_on(self, msg: Held | Explain | Ask, sender: Any) -> None:
        match msg:
            case Held():
                for other in (self.gateway, self._scheduler):
                    if other is not None:
                        self._stage.tell(other, msg, self)
            case Explain():
                self._stage.tell(sender, Explained(msg.request, self._about(msg.recipient)), self)
            case Ask():
                for agent in [agent for agent in self.agents.values() if agent.worker == msg.worker]:
                    self._stage.tell(agent, Ask(msg.request, msg.worker, sender), self)

    def ended(self, agent: StagedAgent) -> None:
        """An agent has left on purpose."""
        left = self._leaving.pop(agent.worker, None)
        settings = agent.spec.settings
        if left is not None and left.finished and settings is not None and settings.restart != "permanent":
            agent.kill()
            self._forget(agent)
        else:
            self._again(agent, "" if left is None else left.reason, charge=False)

    # -- processes --------------------------------------------------------------------------------------------------

    def _specs(self) -> list[ChildSpec]:
        agents = [ChildSpec(name, "agent", name, settings) for name, settings in self._config.agents.items()]
        workers = [
            ChildSpec(f"{name}-{number}", "worker", name, settings)
            for name, settings in self._config.convoys.items()
            for number in range(1, settings.min + 1)
        ]
        return agents + workers

    def _named(self, name: str) -> list[StagedAgent]:
        found = [agent for agent in self.agents.values() if name in (agent.name, agent.spec.recipient)]
        if not found:
            raise KeyError(f"there is no agent {name!r}; there are: {', '.join(self.agents)}")
        return found

    def _about(self, recipient: str) -> dict[str, Any]:
        """As ``squad.actors.supervision.explaining`` has it: here everybody is well."""
        settings = self._config.recipients.get(recipient)
        workers = [agent for agent in self.agents.values() if agent.spec.recipient == recipient]
        well = {"state": "ready", "last_error": "", "hand": None}
        return {
            "known": settings is not None,
            "stopping": False,
            "storage": {"state": "ready"},
            "timeout": None if settings is None else settings.timeout,
            "attempts": None if settings is None else settings.retry.max_attempts,
            "shut": False,
            "workers": [{"name": agent.name, "worker": agent.worker, **well} for agent in workers],
        }

    def _start(self, spec: ChildSpec) -> None:
        extra: dict[str, Any] = {"recipients": self._recipients}
        if spec.kind == "worker":
            extra["share"] = self._config.convoys[spec.recipient].min
        agent = self.agents[spec.name] = self._enter(StagedAgent)
        self._stage.workers.append(agent)
        self._begin(agent, spec, extra)

    def _enter(self, kind: type[S]) -> S:
        actor = kind()
        actor.enter(self._stage, self)
        return actor

    def _begin(self, actor: Staged, spec: ChildSpec, extra: dict[str, Any]) -> None:
        storage = None if actor is self.storage else self.storage
        worker = f"{spec.name}.{new_id()[-12:]}"
        self._stage.tell(actor, Begin(spec, worker, str(self._home), self._config, storage, extra), self)

    def _again(self, agent: StagedAgent, reason: str, *, charge: bool) -> None:
        hand = agent.kill()
        self._forget(agent)
        row = None if hand is None else (hand.row, hand.fence)
        self._stage.tell(self.storage, Released(agent.worker, row, reason, charge), self)
        self._start(agent.spec)

    def _forget(self, agent: StagedAgent) -> None:
        self._stage.workers.remove(agent)
        del self.agents[agent.name]
