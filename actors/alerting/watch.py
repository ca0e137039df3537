"""What the monitor does about alerts, now and then: reads the store, judges, and says what has changed.

A look costs next to nothing while nothing is wrong and nothing has happened. It is on no message's way: the store is
read by a connection of its own, and what is found out is told to the storage like any other news.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from squad.actors.alerting.facts import Live, Stored
from squad.actors.alerting.reading import Reader
from squad.actors.alerting.rules import Key, Rules, Verdict
from squad.actors.alerting.telling import Teller
from squad.actors.alerting.tracking import Decision, Tracking
from squad.config.cautions import cautions
from squad.config.schema import SquadConfig
from squad.config.sinks import recipient
from squad.errors import StoreError
from squad.store import alerts, waiting, watching
from squad.store.alerts import Incident, Silence
from squad.store.database import Pool
from squad.store.holds import Holds
from squad.store.incidents import Change

_LEVELS = {"critical": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
_LIVE = ("agent_down", "agent_memory", "machine_memory", "throttled", "disk_failing")


class Watch:
    """``began`` is when the squad, or this monitor, began (monotonic): at first nothing new fires."""

    def __init__(self, config: SquadConfig, began: float, log: logging.Logger) -> None:
        rules = config.alerts
        told = {recipient(name, sink) for name, sink in rules.sinks.items()}
        self._settings = rules
        self._rules = Rules(rules, unwatched=config.notifiers)
        self._reader = Reader(config, self._rules.names, told)
        self._tracking = Tracking(rules.clear_after, rules.remind)
        self._teller = Teller(config)
        self._log = log
        self._windows = {name: rule.window for name, rule in rules.rules.items() if rule.below is not None}
        self._free_since = began  # monotonic: nothing has been frozen since
        self._held_at: dict[str, float] = {}  # monotonic: when an agent was last seen to be on hold
        self._incidents: dict[Key, Incident] = {}  # as the store had them last
        self._silences: list[Silence] = []
        self._seen: int | None = None  # the version of the data that was last looked at
        self._idle = False  # then nothing was the matter, and nothing will be by itself
        for caution in cautions(config):
            log.warning("%s", caution)

    def look(self, live: Live, pool: Pool | None, now: float, steady: float) -> tuple[Change, ...]:
        """What the store has to write. ``now`` is seconds since the epoch, ``steady`` monotonic."""
        verdicts = list(self._rules.live(live))
        unknown: tuple[str, ...] = ()
        try:
            verdicts += self._read(pool, now, steady, hurry=bool(verdicts))
        except StoreError as error:
            self._log.warning("cannot read the store for alerts: %s", error)
            unknown = tuple(rule for rule, _ in self._incidents if rule not in _LIVE)
        quiet = {key for key in {verdict.key for verdict in verdicts} | self._incidents.keys() if self._silent(key)}
        decided = self._tracking.decide(
            verdicts,
            self._incidents,
            now=now,
            steady=steady,
            unknown=unknown,
            silenced=quiet,
            may_fire=steady - self._free_since >= self._settings.settle,
        )
        self._idle = not verdicts and not unknown and not self._incidents and self._tracking.quiet and self._idle
        changes = tuple(self._teller.change(decision, decision.key in quiet, now) for decision in decided)
        for decision, change in zip(decided, changes, strict=True):
            self._say(decision, change)
        return changes

    def _read(self, pool: Pool | None, now: float, steady: float, *, hurry: bool) -> list[Verdict]:
        """What the store says. It is left alone while nothing has changed in it since nothing was the matter."""
        if pool is None:
            raise StoreError("it is not open yet")
        with pool.connection() as database:
            version = watching.version(database)
            if version == self._seen and self._idle and not hurry:
                return []
            self._seen = version
            self._incidents = {(one.rule, one.agent): one for one in alerts.firing(database)}
            self._silences = alerts.silences(database, now)
            holds = waiting.holds(database)
            self._idle = not self._windows and not holds and not watching.anything_runs(database)
            facts = self._reader.read(database, now)
        return self._judged(facts, holds, steady)

    def _judged(self, facts: Stored, holds: Holds, steady: float) -> list[Verdict]:
        if holds.frozen is not None:
            self._free_since = steady
        for agent in holds.paused:
            self._held_at[agent] = steady
        longest = max([self._settings.settle, *self._windows.values()])
        self._held_at = {agent: at for agent, at in self._held_at.items() if steady - at < longest}
        worked = steady - self._free_since
        young = {name for name, window in self._windows.items() if worked < window}
        return list(self._rules.stored(facts, self._held_at.keys(), young))

    def _silent(self, key: Key) -> bool:
        return any(silence.covers(*key) for silence in self._silences)

    def _say(self, decision: Decision, change: Change) -> None:
        """In the log, whatever the sinks are told."""
        said: Mapping[str, str] = {"fire": "", "tell": "", "remind": "still: ", "clear": ""}
        level = logging.INFO if decision.action == "clear" else _LEVELS[change.severity]
        about = f"{change.rule} of {change.agent}" if change.agent else change.rule
        self._log.log(level, "alert %s: %s%s", about, said[decision.action], change.summary)
