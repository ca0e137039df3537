"""What a squad's configuration may say: every key, its type, its default and its meaning.

This is the one place for defaults. The configuration reference and the JSON Schema are made from it. Attribute names
are the YAML keys, except ``class_`` for ``class``. After loading, durations are floats of seconds and sizes are ints
of bytes. All models are frozen and picklable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from squad.config.alerts import AlertsConfig
from squad.config.bottlenecks import BottlenecksConfig
from squad.config.commands import Kind
from squad.config.exporters import ExporterConfig, ExporterName
from squad.config.listening import DashboardConfig
from squad.config.mailbox import QueueConfig
from squad.config.maintenance import MaintenanceConfig
from squad.config.metrics import MetricsConfig
from squad.config.pace import Rate, RateConfig, RetryConfig, WaitingRate, not_below
from squad.config.runtime import RuntimeConfig
from squad.config.schedules import ScheduleConfig, ScheduleName, misdirected
from squad.config.section import Section
from squad.config.sinks import agents_of
from squad.config.strays import strays
from squad.config.supervision import ReadyConfig, RestartConfig, RestartType, SupervisionConfig, misfits
from squad.config.types import TypeConfig, TypeName
from squad.config.values import Duration, Name, Size, at_least, blank_mapping, sized, written

Loc = tuple[str | int, ...]
"""A place in the configuration: ``("agents", "scanner", "timeout")``."""


class AgentConfig(Kind):
    """One agent: a class of yours, or a command, in a process of its own."""

    options: Annotated[dict[str, JsonValue], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict,
        description="Anything for the agent itself: a class reads them as `self.options`, a command on its standard "
        "input.",
    )
    timeout: Duration = Field(
        default=written("30m"), gt=0, description="Longest that a handler may run before it is ended."
    )
    send_rate: Rate = Field(
        default_factory=RateConfig, description="Limit on what the agent sends; `none` for no limit."
    )
    handle_rate: WaitingRate = Field(default=written("none"), description="Limit on what the agent takes on.")
    retry: RetryConfig = Field(default_factory=RetryConfig, description="What happens to a message that failed.")
    queue: QueueConfig = Field(default_factory=QueueConfig, description="The bound of its mailbox.")
    cancel_grace: Duration = Field(
        default=written("5s"),
        description="Time for its running handler to end by itself when its message is cancelled.",
    )
    restarts: RestartConfig | None = Field(
        default=None, description="Restarts of this agent; keys left out are taken from `supervision.restarts`."
    )
    restart: RestartType = Field(
        default="permanent",
        description="When its process ends, start it again: always (`permanent`), only after a crash (`transient`), "
        "never (`temporary`).",
    )
    shutdown: Duration | None = Field(
        default=None, description="Time for its running handler to end when it stops; else `supervision.shutdown`."
    )
    after: list[Name] = Field(
        default_factory=list, description="Agents and convoys that must be ready before it starts."
    )
    start_timeout: Duration = Field(
        default=written("5m"), gt=0, description="Longest that its `start` may take; then that counts as a crash."
    )
    ready_when: ReadyConfig | None = Field(default=None, description="What else must be so before it counts as ready.")
    max_memory_mb: int | None = Field(
        default=None,
        ge=1,
        description="Most memory (MB, resident) of its process and all that are below it; with more it is ended and "
        "started again.",
    )
    max_cpu_percent: float | None = Field(
        default=None,
        gt=0,
        description="Most CPU (% of one core, on average over `monitor.cpu_window`) likewise.",
    )


class ConvoyConfig(AgentConfig):
    """A pool of identical agents behind one name. It has all keys of an agent, and its size."""

    min: int = Field(default=5, ge=1, le=100, description="Fewest workers.")
    max: int = Field(default=20, ge=1, le=100, description="Most workers, if memory and cores allow (two a core).")
    memory_per_worker: Annotated[Size, sized("1MB", "1000GB")] = Field(
        default=written("500MB"), description="Memory to reckon with for a new worker until it has been measured."
    )

    @field_validator("max")
    @classmethod
    def _max_above_min(cls, value: int, info: ValidationInfo) -> int:
        not_below("min", value, info)
        return value


class PoolConfig(Section):
    """The pool of connections that read the database."""

    size: int = Field(default=20, ge=1, le=1000, description="Most connections at once.")
    wait: Duration = Field(default=written("30s"), description="Longest wait for a free connection.")
    waiting: int = Field(default=100, ge=0, description="Most threads that may wait; one more is refused at once.")


class StoreConfig(Section):
    """The SQLite database."""

    synchronous: Literal["FULL", "NORMAL"] = Field(
        default="FULL",
        description="What a power loss may take: nothing acknowledged with `FULL`, the latest messages with `NORMAL`.",
    )
    busy_timeout: int = Field(
        default=30_000, ge=0, le=2**31 - 1, description="Milliseconds to wait for a lock of another process."
    )
    cache_size: int = Field(
        default=-64_000,
        ge=-(2**31),
        le=2**31 - 1,
        description="Page cache of each connection: pages, or KiB when negative.",
    )
    wal_autocheckpoint: int = Field(
        default=1000, ge=1, le=2**31 - 1, description="Pages in the write-ahead log that bring on a checkpoint."
    )
    pool: PoolConfig = Field(default_factory=PoolConfig, description="Connections for reading.")


class LimitsConfig(Section):
    """Bounds on what comes from outside."""

    max_payload: Annotated[Size, sized("1B", "1GB")] = Field(  # SQLite holds no text above 1 GB
        default=written("1MiB"), description="Largest payload of a message, as JSON text."
    )
    clients: Rate = Field(default=written("none"), description="Limit on all sends from outside together.")


class MonitorConfig(Section):
    """The readings of the machine by which convoys grow and shrink."""

    interval: Annotated[Duration, at_least("100ms")] = Field(
        default=written("2s"),
        description="Time between two readings, 100ms or more; while all processes rest, up to five times as long.",
    )
    cpu_threshold: float = Field(
        default=80, ge=0, le=100, description="CPU use in % above which a convoy has at most a worker a core."
    )
    memory_threshold: float = Field(default=85, ge=0, le=100, description="Memory use in % above which convoys shrink.")
    grow_after: int = Field(default=2, ge=1, description="Readings in a row that must ask for growth.")
    shrink_after: int = Field(default=5, ge=1, description="Readings in a row that must ask for shrinking.")
    cpu_window: Duration = Field(
        default=written("60s"), gt=0, description="Time over which `max_cpu_percent` of an agent is averaged."
    )
    max_throttle: Duration = Field(
        default=written("5s"),
        le=60,
        description="Longest pause between two hand-outs of messages while the machine is overloaded; 0 for none.",
    )


class LoggingConfig(Section):
    """The log files, one for each process."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least that is recorded."
    )
    max_size: Annotated[Size, sized("1kB", "1000GB")] = Field(
        default=written("10MB"), description="Size at which a file is set aside and a new one begun."
    )
    keep: int = Field(default=3, ge=1, description="Files set aside that are kept.")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration came from. It is no part of what the configuration says, so all origins are equal."""

    base_dir: Path = field(default=Path(), compare=False)
    source: Path | None = field(default=None, compare=False)
    lines: Mapping[Loc, int] = field(default_factory=dict, compare=False)


class SquadConfig(Section):
    """The whole file."""

    name: str = Field(
        default="squad",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$",
        description="The squad's name, for people: letters, digits, space and `. _ -`, at most 64 characters.",
    )
    agents: Annotated[dict[Name, AgentConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Agents by name."
    )
    convoys: Annotated[dict[Name, ConvoyConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Convoys by name."
    )
    schedules: Annotated[dict[ScheduleName, ScheduleConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Messages that are sent at planned times, by name."
    )
    types: Annotated[dict[TypeName, TypeConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Message types by name."
    )
    exporters: Annotated[dict[ExporterName, ExporterConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Receivers of finished messages as traces, by name."
    )
    supervision: SupervisionConfig = Field(default_factory=SupervisionConfig, description="Watching and restarting.")
    store: StoreConfig = Field(default_factory=StoreConfig, description="The database.")
    limits: LimitsConfig = Field(default_factory=LimitsConfig, description="Bounds on what comes from outside.")
    monitor: MonitorConfig = Field(default_factory=MonitorConfig, description="Readings and the sizes of convoys.")
    logging: LoggingConfig = Field(default_factory=LoggingConfig, description="Log files.")
    metrics: MetricsConfig = Field(default_factory=MetricsConfig, description="What the squad measures of itself.")
    dashboard: DashboardConfig = Field(default_factory=DashboardConfig, description="The squad in a browser.")
    bottlenecks: BottlenecksConfig = Field(default_factory=BottlenecksConfig, description="Who is told what is slow.")
    alerts: AlertsConfig = Field(
        default_factory=AlertsConfig, description="When something counts as wrong, and who is told."
    )
    maintenance: MaintenanceConfig = Field(
        default_factory=MaintenanceConfig, description="How long the database keeps what is over."
    )
    runtime: RuntimeConfig = Field(
        default_factory=RuntimeConfig, description="The actors; a reload does not change it, a restart does."
    )

    _origin: Origin = PrivateAttr(default_factory=Origin)
    _notifiers: dict[str, AgentConfig] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name in clashes(self.agents, self.convoys):
            raise PydanticCustomError("clash", "{name} is both an agent and a convoy", {"name": repr(name)})
        for name, convoy in like_workers(self.recipients, self.convoys):
            names = {"name": repr(name), "convoy": repr(convoy)}
            raise PydanticCustomError("clash", "{name} is the name of a worker of the convoy {convoy}", names)
        after = {name: agent.after for name, agent in self.recipients.items()}
        members = {name: group.members for name, group in self.supervision.groups.items()}
        for (_, name, _), what, _ in misfits(self.recipients, after, members):
            raise PydanticCustomError("misfit", "{name}: {what}", {"name": name, "what": what})
        for name, what, _ in misdirected({n: s.recipient for n, s in self.schedules.items()}, self.recipients):
            raise PydanticCustomError("misdirected", "the schedule {name}: {what}", {"name": name, "what": what})
        for key, told in (("supervision.notify", self.supervision.notify), ("bottlenecks.tell", self.bottlenecks.tell)):
            if told is not None and told not in self.recipients:
                names = {"key": key, "told": repr(told)}
                raise PydanticCustomError("misdirected", "{key}: there is no agent or convoy {told}", names)
        for place, what, _ in strays(self.alerts.model_dump(by_alias=True), {**self.agents, **self.convoys}):
            raise PydanticCustomError("misfit", "{text}", {"text": f"alerts.{'.'.join(map(str, place))}: {what}"})
        self._notifiers.update({name: AgentConfig(**about) for name, about in agents_of(self.alerts).items()})
        groups: tuple[dict[str, Any], ...] = (self.agents, self.convoys, self._notifiers)
        for group in groups:
            for name, agent in group.items():
                group[name] = agent.model_copy(update={"restarts": self._restarts_of(agent)})
        return self

    def _restarts_of(self, agent: AgentConfig) -> RestartConfig:
        own = agent.restarts
        changed = {key: getattr(own, key) for key in own.model_fields_set} if own else {}
        return self.supervision.restarts.model_copy(update=changed)

    @property
    def base_dir(self) -> Path:
        """The folder to which paths in the configuration are relative: that of its file."""
        # Not self._origin: for that pydantic runs five functions, which each agent pays for in memory.
        origin: Origin = (self.__pydantic_private__ or {})["_origin"]
        return origin.base_dir

    @property
    def source(self) -> Path | None:
        """The file it was loaded from; None when it was made in Python."""
        return self._origin.source

    def came_from(self, origin: Origin) -> Self:
        """The same configuration, knowing its origin."""
        made = self.model_copy()
        made._origin = origin
        return made

    def line_of(self, *loc: str | int) -> int | None:
        """The line in ``source`` of a place, or of the nearest place around it that was written there."""
        lines = self._origin.lines
        return next((lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in lines), None)

    @property
    def recipients(self) -> dict[str, AgentConfig]:
        """All that a message can be sent to: agents, convoys (``ConvoyConfig``) and ``notifiers`` by name."""
        return {**self.agents, **self.convoys, **self._notifiers}

    @property
    def timed(self) -> bool:
        """Whether anything is sent by the clock."""
        return bool(self.schedules) or self.bottlenecks.tell is not None

    @property
    def notifiers(self) -> dict[str, AgentConfig]:
        """Agents that nobody declared as such: the sinks of alerts that act."""
        return self._notifiers

    @property
    def longest_shutdown(self) -> float:
        """Seconds that a stop in good order may take at most: the longest time of any agent."""
        own = [settings.shutdown for settings in self.recipients.values() if settings.shutdown is not None]
        return max(self.supervision.shutdown, *own) if own else self.supervision.shutdown

    def recipient(self, name: str) -> AgentConfig | None:
        """The agent or convoy of that name; None when nothing of that name was declared."""
        return self.agents.get(name) or self.convoys.get(name) or self._notifiers.get(name)


def clashes(agents: Collection[str], convoys: Collection[str]) -> list[str]:
    """Names that are both an agent's and a convoy's."""
    return [name for name in convoys if name in agents]


def like_workers(names: Collection[str], convoys: Collection[str]) -> list[tuple[str, str]]:
    """Names that a convoy's workers have ("checker-2"), each with that convoy's."""
    parts = ((name, *str(name).rpartition("-")[::2]) for name in names)
    return [(name, base) for name, base, number in parts if base in convoys and number.isdigit() and number[0] != "0"]
