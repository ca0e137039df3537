"""The facts that are in the store: read-only, and no more of it than the rules want.

The messages about alerts count for nothing here: an alert that cannot be told must not bring on the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from peewee import Database

from squad.actors.alerting.facts import Failures, Running, Spread, Stored
from squad.config.alerts import EACH, Of, RuleConfig
from squad.config.schema import SquadConfig
from squad.notices import ALERT
from squad.store import bottlenecks, metrics, watching
from squad.store.metrics import Summary
from squad.store.times import seconds

_LATELY = 300.0  # seconds in which a slow handler must have ended
_MOST_RUNNING = 1000  # messages that have been running for too long


@dataclass(frozen=True, slots=True)
class Reader:
    """What to read for one configuration. ``rules``: those that count. ``told``: agents that get alerts.

    Where no metrics are recorded those that are still there say nothing about now.
    """

    config: SquadConfig
    rules: Collection[str]
    told: Collection[str]

    def read(self, database: Database, now: float) -> Stored:
        """Raises StoreError."""
        kept = self.config.metrics.enabled
        return Stored(
            slowest=self._slowest(database, now) if kept and "slow_task" in self.rules else {},
            running=self._running(database, now) if "slow_task" in self.rules else {},
            spread=self._spread(database, now) if kept and "slow_p95" in self.rules else {},
            failures=self._failures(database, now) if kept else {},
            depths=watching.ready(database, self._people()) if "queue_depth" in self.rules else {},
            own=self._own(database, now) if kept else {},
        )

    def _people(self) -> list[str]:
        return [*self.config.agents, *self.config.convoys]

    def _slowest(self, database: Database, now: float) -> dict[str, float]:
        found = self._window(database, "handling_ms", now - _LATELY, now)
        return {agent: summary.most for agent, summary in found.items() if summary.most is not None}

    def _running(self, database: Database, now: float) -> dict[str, Running]:
        own = [found.slow_task_threshold for found in self.config.alerts.agents.values()]
        least = min([self.config.alerts.slow_task_threshold, *(limit for limit in own if limit is not None)])
        since = now - 0.9 * least / 1000
        found: dict[str, Running] = {}
        for task in bottlenecks.longest_running(database, _MOST_RUNNING, until=since):
            if task.type != ALERT:
                found.setdefault(task.agent, Running(task.id, 1000 * (now - seconds(task.claimed_at))))
        return found

    def _spread(self, database: Database, now: float) -> dict[str, Spread]:
        found = self._window(database, "handling_ms", now - self.config.alerts.p95_window, now)
        spread = {agent: (summary.percentile(0.95), summary.count) for agent, summary in found.items()}
        return {agent: Spread(p95, count) for agent, (p95, count) in spread.items() if p95 is not None}

    def _failures(self, database: Database, now: float) -> dict[str, Failures]:
        if not {"failed_tasks", "failure_rate"} & set(self.rules):
            return {}
        since = now - self.config.alerts.failure_window
        dead, retried = (self._window(database, name, since, now) for name in ("failed", "retried"))
        if not dead and not retried:
            return {}
        well = self._window(database, "completed", since, now)
        made = {}
        for agent in {*dead, *retried}:
            ends = [round(found[agent].sum) if agent in found else 0 for found in (dead, retried, well)]
            made[agent] = Failures(ends[0], ends[0] + ends[1], sum(ends))
        return made

    def _window(self, database: Database, name: str, since: float, until: float) -> dict[str, Summary]:
        """By agent."""
        found = metrics.window(database, name, since, until, by="agent")
        for agent in found.keys() & set(self.told):
            if (others := self._others(database, name, since, until, agent)) is None:
                del found[agent]
            else:
                found[agent] = others
        return found

    @staticmethod
    def _others(database: Database, name: str, since: float, until: float, agent: str | None) -> Summary | None:
        """Of all types but that of alerts."""
        made: Summary | None = None
        for kind, summary in metrics.window(database, name, since, until, agent=agent, by="type").items():
            if kind != ALERT:
                made = made or Summary(seconds=summary.seconds)
                made.add(summary)
        return made

    # -- rules of users ---------------------------------------------------------------------------------------------

    def _own(self, database: Database, now: float) -> dict[str, dict[str, float]]:
        rules = self.config.alerts.rules
        return {name: self._number(database, rule, now) for name, rule in rules.items() if name in self.rules}

    def _number(self, database: Database, rule: RuleConfig, now: float) -> dict[str, float]:
        """By agent, "" for all together; what is not known is not there."""
        since = now - rule.window
        if rule.of == "last":
            return self._last(database, rule)
        found: Mapping[str, Summary]
        if rule.agent == EACH and rule.type is None:
            found = self._window(database, rule.metric, since, now)
        elif rule.agent == EACH:
            found = metrics.window(database, rule.metric, since, now, type=rule.type, by="agent")
        else:
            agent = rule.agent or ""
            if rule.type is None:
                whole = self._others(database, rule.metric, since, now, rule.agent)
            else:
                whole = metrics.window(database, rule.metric, since, now, agent=rule.agent, type=rule.type).get("")
            found = {agent: whole or Summary(seconds=rule.window)}
        if rule.agent == EACH:
            found = {**{name: Summary(seconds=rule.window) for name in self._people()}, **found}
        numbers = {agent: number_of(summary, rule.of) for agent, summary in found.items()}
        return {agent: number for agent, number in numbers.items() if number is not None}

    def _last(self, database: Database, rule: RuleConfig) -> dict[str, float]:
        """The latest reading, however old: a gauge that does not change need not be read again."""
        agent = None if rule.agent in (None, EACH) else rule.agent
        found = [one for one in metrics.known(database, rule.metric, agent) if one.last is not None]
        found = [one for one in found if rule.type in (None, one.type)]
        return {one.agent: one.last for one in sorted(found, key=lambda one: one.at) if one.last is not None}


def number_of(summary: Summary, of: Of) -> float | None:
    """What a rule is about; None where nothing was recorded of which that could be made."""
    if of.startswith("p"):
        return summary.percentile(int(of[1:]) / 100)
    if of == "rate":
        amount = summary.count if summary.buckets is not None else summary.sum
        return 60 * amount / summary.seconds if summary.seconds > 0 else None
    made = {
        "sum": summary.sum,
        "count": float(summary.count),
        "mean": summary.mean,
        "max": summary.most,
        "min": summary.least,
        "last": summary.last,
    }
    return made[of]
