"""The rules: what of the facts is wrong. Pure; for how long it must be so, and what follows, is ``tracking``'s."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from squad.actors.alerting.facts import Live, Stored
from squad.alerts import BUILT_IN
from squad.config.alerts import AlertsConfig, OwnThresholdsConfig, RuleConfig
from squad.durations import format_duration, format_size

Key = tuple[str, str]
"""Rule, and agent or convoy; "" for the squad or the machine."""

SETTLED = 0.9
"""Part of a limit to which a number must fall before it counts as well again, so that it does not flap around it.

One that was too low need only reach its limit: many can rise no farther, such as a percentage."""

_FEW = 5  # messages of which no twentieth is taken


class Verdict(NamedTuple):
    """``bad``: the rule's condition is true. If not, it is not well either: so far from the limit nothing changes.

    ``after``: seconds for which it must be bad. What is well has no verdict at all.
    """

    key: Key
    bad: bool
    after: float
    severity: str
    summary: str
    value: float | None = None
    threshold: float | None = None
    unit: str = ""


class Rules:
    """Of one configuration. ``unwatched``: agents of which Squad's own rules say nothing but whether they are down,
    because an alert about them would be told to them."""

    def __init__(self, config: AlertsConfig, unwatched: Collection[str] = ()) -> None:
        self._config = config
        self._unwatched = frozenset(unwatched)
        every = {*BUILT_IN, *config.rules}
        self._off = frozenset(config.disabled if config.enabled else every)
        self.names = frozenset(every - self._off)
        """Of all rules that count."""

    def limit(self, key: str, agent: str) -> Any:
        """The value of a key of the configuration, for an agent."""
        own = self._config.agents.get(agent, _NONE)
        found = getattr(own, key)
        return getattr(self._config, key) if found is None else found

    def live(self, facts: Live) -> Iterator[Verdict]:
        """What the monitor's own readings say."""
        for agent, down in facts.down.items():
            after = 0.0 if down.quarantined else self.limit("agent_down_after", agent)
            who = agent if down.names == (agent,) else f"{len(down.names)} of {down.of} workers of {agent}"
            verb = "is" if who == agent or len(down.names) == 1 else "are"
            state = "quarantined" if down.quarantined else "down"
            yield from self._said("agent_down", agent, f"{who} {verb} {state}: {down.why}", after=after)
        for agent, found in facts.memory.items():
            percent = 100 * found.resident / found.ceiling
            text = f"{found.name} takes {format_size(found.resident)}, {percent:.0f} % of its max_memory_mb"
            yield from self._above("agent_memory", agent, percent, self._config.ceiling_percent, "%", text)
        percent, after = facts.machine_percent, self._config.memory_for
        text = f"{percent:.0f} % of the machine's memory is in use"
        yield from self._above("machine_memory", "", percent, self._config.max_memory_percent, "%", text, after)
        if facts.throttle > 0:
            text = f"the machine is overloaded: {facts.throttle:g} s pass between two hand-outs of messages"
            yield from self._said("throttled", "", text, after=after, value=facts.throttle, unit="s")
        if facts.storage:
            yield from self._said("disk_failing", "", f"the database cannot be written: {facts.storage}", after=0.0)

    def stored(self, facts: Stored, held: Collection[str], young: Collection[str]) -> Iterator[Verdict]:
        """What the store says. ``held``: agents that are given no messages, or were not for long enough lately, so that
        a queue that grows means nothing; ``young``: rules of whose window the squad was not at work for a part."""
        yield from self._slow(facts)
        yield from self._failed(facts)
        for agent, depth in self._of_interest(facts.depths):
            limit = self.limit("max_queue_depth", agent)
            text = f"{depth:,} messages are ready and wait for {agent}"
            verdicts = self._above("queue_depth", agent, depth, limit, "messages", text, self._config.queue_depth_for)
            yield from _unless(agent in held, verdicts)
        for name, rule in self._config.rules.items():
            numbers = facts.own.get(name, {})
            for agent, number in numbers.items():
                quiet = rule.below is not None and (name in young or agent in held)
                yield from _unless(quiet, self._of_rule(name, rule, agent, number))

    def _slow(self, facts: Stored) -> Iterator[Verdict]:
        for agent in sorted({*facts.slowest, *facts.running} - self._unwatched):
            ended, running = facts.slowest.get(agent, 0.0), facts.running.get(agent)
            text, took = f"a handler of {agent} ran for {_ms(ended)}", ended
            if running is not None and running.milliseconds > ended:
                took = running.milliseconds
                text = f"{agent} has been handling {running.task_id} for {_ms(took)}"
            yield from self._above("slow_task", agent, took, self.limit("slow_task_threshold", agent), "ms", text)
        for agent, spread in self._of_interest(facts.spread):
            if spread.handled >= _FEW:
                text = f"one in twenty messages takes {agent} longer than {_ms(spread.p95)}"
                yield from self._above("slow_p95", agent, spread.p95, self.limit("p95_threshold", agent), "ms", text)

    def _failed(self, facts: Stored) -> Iterator[Verdict]:
        within = format_duration(self._config.failure_window)
        for agent, failures in self._of_interest(facts.failures):
            most = self.limit("max_failed_tasks", agent)
            text = f"{failures.dead:,} messages of {agent} became dead letters within {within}"
            yield from self._above("failed_tasks", agent, failures.dead, most, "messages", text)
            if failures.attempts >= self._config.failure_rate_of:
                rate, most = 100 * failures.failed / failures.attempts, self.limit("max_failure_rate", agent)
                text = f"{rate:.0f} % of {failures.attempts:,} attempts of {agent} failed within {within}"
                yield from self._above("failure_rate", agent, rate, most, "%", text)

    def _of_interest(self, by_agent: Any) -> Any:
        return ((agent, found) for agent, found in by_agent.items() if agent not in self._unwatched)

    def _of_rule(self, name: str, rule: RuleConfig, agent: str, number: float) -> Iterator[Verdict]:
        if name in self._off or self._off_for(name, agent):
            return
        of = f" of {agent}" if agent else ""
        side = "above" if rule.above is not None else "below"
        asked = "" if rule.type is None else f" ({rule.type})"
        text = f"{rule.metric}{asked}{of}: {rule.of} {number:g} is {side} {rule.limit:g}"
        text = f"{rule.message}: {text}" if rule.message else text
        bad, well = _sides(number, rule.limit, above=rule.above is not None)
        if not well:
            yield Verdict((name, agent), bad, rule.for_, rule.severity, text, number, rule.limit)

    def _above(  # noqa: PLR0913, PLR0917 - a reading and its rule
        self, rule: str, agent: str, value: float, limit: float, unit: str, text: str, after: float = 0.0
    ) -> Iterator[Verdict]:
        bad, well = _sides(value, limit, above=True)
        if not well:
            yield from self._said(rule, agent, text, after=after, bad=bad, value=value, threshold=limit, unit=unit)

    def _said(  # noqa: PLR0913 - what becomes of a verdict
        self,
        rule: str,
        agent: str,
        text: str,
        *,
        after: float,
        bad: bool = True,
        value: float | None = None,
        threshold: float | None = None,
        unit: str = "",
    ) -> Iterator[Verdict]:
        if rule not in self._off and not self._off_for(rule, agent):
            yield Verdict((rule, agent), bad, after, BUILT_IN[rule].severity, text, value, threshold, unit)

    def _off_for(self, rule: str, agent: str) -> bool:
        return agent in self._config.agents and rule in self._config.agents[agent].disabled


_NONE = OwnThresholdsConfig()


def _sides(value: float, limit: float, *, above: bool) -> tuple[bool, bool]:
    """Whether it is bad, and whether it is well: between the two nothing changes."""
    if above:
        return value > limit, value <= limit - (1 - SETTLED) * abs(limit)
    return value < limit, value >= limit


def _unless(quiet: bool, verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
    """As they are; or, ``quiet``, so that nothing begins and nothing ends."""
    return (verdict._replace(bad=False) for verdict in verdicts) if quiet else verdicts


def _ms(milliseconds: float) -> str:
    return format_duration(milliseconds / 1000)
