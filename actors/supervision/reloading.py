"""A configuration that changed while the squad runs: what that means for each actor, and doing just that.

The plan is pure: two configurations in, names and reasons out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from squad.actors.protocol import Address, Configured
from squad.actors.supervision.lifecycle import Lifecycle
from squad.config.listening import ListenConfig
from squad.config.schema import AgentConfig, ConvoyConfig, SquadConfig
from squad.events import event

# Keys that the supervisor or the storage read themselves, so that the agent's process can stay.
_LIVE = {"restart", "restarts", "shutdown", "after", "retry", "queue", "max_memory_mb", "max_cpu_percent"}
_CODE = {"class", "command", "handles", "its code"}
_SIZE = {"min", "max", "memory_per_worker"}
_TOLD = ("agent", "worker", "storage", "gateway")  # who takes up a new configuration; others are started again
Recipients = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Deployment:
    """What a squad runs: its configuration, who handles what, and the fingerprints of the agents' code."""

    config: SquadConfig
    recipients: Recipients
    prints: Mapping[str, str]

    @classmethod
    def of(cls, config: SquadConfig, recipients: Recipients) -> Deployment:
        """With the code as it is now."""
        prints = {name: fingerprint(settings, config.base_dir) for name, settings in config.recipients.items()}
        return cls(config, recipients, prints)


@dataclass(frozen=True)
class Plan:
    """What a reload does, by name. ``restart`` and ``core`` say why; ``resize`` holds the new (min, max)."""

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    restart: dict[str, str] = field(default_factory=dict)
    resize: dict[str, tuple[int, int]] = field(default_factory=dict)
    core: dict[str, str] = field(default_factory=dict)
    live: tuple[str, ...] = ()  # settings that change without a restart

    def __bool__(self) -> bool:
        return bool(self.start or self.stop or self.restart or self.resize or self.core or self.live)

    def __str__(self) -> str:
        parts = [
            f"start {', '.join(self.start)}" if self.start else "",
            f"stop {', '.join(self.stop)}" if self.stop else "",
            f"restart {', '.join([*self.restart, *self.core])}" if self.restart or self.core else "",
            f"resize {', '.join(self.resize)}" if self.resize else "",
            f"change {', '.join(self.live)}" if self.live else "",
        ]
        return "; ".join(part for part in parts if part) or "nothing changed"

    def shown(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "start": list(self.start),
            "stop": list(self.stop),
            "restart": [{"name": name, "reason": reason} for name, reason in {**self.restart, **self.core}.items()],
            "resize": [{"name": name, "min": low, "max": high} for name, (low, high) in self.resize.items()],
            "change": list(self.live),
        }


def fingerprint(settings: AgentConfig, base_dir: Path) -> str:
    """Of the file that an agent's class is in, so that edited code counts as a change; "" for installed modules."""
    path = (settings.class_ or "").rpartition(":")[0]
    if not path.endswith(".py"):
        return ""
    try:
        return hashlib.sha256((base_dir / path).read_bytes()).hexdigest()
    except OSError:
        return ""


def plan(was: Deployment, now: Deployment) -> Plan:
    """What has to happen for ``now`` to be true where ``was`` is."""
    old, new = was.config, now.config
    before, after = old.recipients, new.recipients
    stay = [name for name in after if name in before and type(before[name]) is type(after[name])]
    restart: dict[str, str] = {}
    resize: dict[str, tuple[int, int]] = {}
    live: list[str] = []
    measured = old.monitor != new.monitor or old.logging != new.logging or set(old.convoys) != set(new.convoys)
    measured = measured or _ceilings(old) != _ceilings(new) or old.alerts != new.alerts
    measured = measured or old.metrics.enabled != new.metrics.enabled  # some alerts need them
    recoded = False  # whether the gateway's copies of the agents' classes and types are out of date
    for name in stay:
        changed = _changed(before[name], after[name])
        if was.prints.get(name) != now.prints.get(name):
            changed.append("its code")
        handled = sorted(was.recipients.get(name, frozenset()) & now.recipients.get(name, frozenset()))
        changed += [f"the type {kind}" for kind in handled if _declared(old, kind) != _declared(new, kind)]
        recoded = recoded or any(key in _CODE or key.startswith("the type ") for key in changed)
        if reason := [key for key in changed if key not in _LIVE | _SIZE]:
            restart[name] = f"{', '.join(reason)} changed"
        live += [f"{name}: {key}" for key in changed if key in _LIVE]
        settings = after[name]
        if isinstance(settings, ConvoyConfig) and any(key in _SIZE for key in changed):
            resize[name] = (settings.min, settings.max)
    for key in _changed(old, new):
        if key in ("logging", "supervision", "maintenance", "name"):
            live += [f"{key}: {part}" for part in _changed(getattr(old, key), getattr(new, key))] or [key]
    live += [f"types.{kind}: retry" for kind in {**old.types, **new.types} if _retry(old, kind) != _retry(new, kind)]
    if old.runtime != new.runtime:
        live.append("runtime: transport, at the next start of the squad")
    core = {}
    if old.store != new.store:
        core["storage"] = "store changed"
    if measured or resize:
        core["monitor"] = "monitor, ceilings, convoys, alerts, metrics or logging changed"
    same = (old.limits, old.logging, old.schedules, old.timed) == (new.limits, new.logging, new.schedules, new.timed)
    same = same and old.alerts.rules.keys() == new.alerts.rules.keys()
    same = same and old.dashboard == new.dashboard and _listener(old.metrics) == _listener(new.metrics)
    if was.recipients != now.recipients or recoded or not same:
        core["gateway"] = "agents, their types, limits, schedules, listeners or logging changed"
    comes, goes = _come_and_go(old, new)
    core |= comes
    live += goes
    return Plan(
        start=tuple(name for name in after if name not in stay),
        stop=tuple(name for name in before if name not in stay),
        restart=restart,
        resize=resize,
        core=core,
        live=tuple(live),
    )


def _come_and_go(old: SquadConfig, new: SquadConfig) -> tuple[dict[str, str], list[str]]:
    """Of the parts of the core that are there only while they have something to do: which start again and why, and what
    else has changed of the configuration for them."""
    core: dict[str, str] = {}
    live: list[str] = []
    both = old.logging != new.logging or old.name != new.name
    if old.timed and new.timed:
        if both or (old.schedules, old.bottlenecks) != (new.schedules, new.bottlenecks):
            core["scheduler"] = "schedules, bottlenecks or logging changed"
    elif old.bottlenecks != new.bottlenecks:
        live.append("bottlenecks")
    if old.exporters and new.exporters:
        if both or old.exporters != new.exporters:
            core["exporter"] = "exporters or logging changed"
    elif old.exporters or new.exporters:
        live.append("exporters")
    return core, live


def _listener(settings: ListenConfig) -> tuple[Any, ...]:
    return settings.listen, settings.token_env, settings.hosts


def _ceilings(config: SquadConfig) -> dict[str, tuple[int | None, float | None]]:
    """Of those that have one, whether they are new or stay."""
    ceilings = {name: (found.max_memory_mb, found.max_cpu_percent) for name, found in config.recipients.items()}
    return {name: ceiling for name, ceiling in ceilings.items() if ceiling != (None, None)}


def _declared(config: SquadConfig, name: str) -> Any:
    """How a message type is declared in the configuration; None when it is not."""
    found = config.types.get(name)
    return None if found is None else (found.fields, found.schema_)


def _retry(config: SquadConfig, name: str) -> Any:
    found = config.types.get(name)
    return None if found is None else found.retry


def _changed(old: Any, new: Any) -> list[str]:
    """Keys whose values differ, as they are written in the file; [] for plain values."""
    fields = getattr(type(new), "model_fields", {})
    return [field.serialization_alias or key for key, field in fields.items() if getattr(old, key) != getattr(new, key)]


def carry_out(plan: Plan, life: Lifecycle, deployment: Deployment, tell: Callable[[Address, Any], None]) -> None:
    """Do what the plan says. Messages of what is stopped stay in the store; nothing running is cut before its grace."""
    for name in plan.stop:
        life.remove(name)
    config = deployment.config
    life.config, life.recipients = config, dict(deployment.recipients)
    life.regroup()
    life.fit_core()
    for name, settings in config.recipients.items():
        for child in life.named(name):
            child.take_settings(settings)
        if name in life.convoys and isinstance(settings, ConvoyConfig):
            life.convoys[name].take_settings(settings)
    for name in plan.start:
        life.declare(name)
    for name in plan.restart:
        life.restart(name)
    for convoy in life.convoys.values():
        life.fit(convoy)
    for child in life.children.values():
        if child.running and child.spec.kind in _TOLD and child.name not in plan.core:
            whole = config if child.spec.kind in ("storage", "gateway") else None
            tell(child.address, Configured(config.logging, dict(deployment.recipients), whole, bool(config.exporters)))
    for name in plan.core:
        life.restart(name)
    life.start_waiting()
    life.journal.note(
        event(
            "reloaded",
            config.name,
            started=plan.start,
            stopped=plan.stop,
            restarted=[*plan.restart, *plan.core],
            resized=[*plan.resize],
            changed=plan.live,
        )
    )
