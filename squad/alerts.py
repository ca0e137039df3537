"""The alerts that a squad knows by itself, in one place: what each says, how bad it is, and what to type next.

Those that users add are ``alerts.rules`` of the configuration. ``docs/alerts.md`` has a part for each; a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst last."""

State = Literal["fired", "reminded", "cleared"]
STATES: tuple[State, ...] = get_args(State)
"""What a sink is told of an alert."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``todo``: the command to begin with; AGENT stands for the agent or convoy that the alert is about. ``metrics``:
    without metrics it never fires."""

    severity: Severity
    meaning: str
    todo: str
    metrics: bool = False


BUILT_IN: dict[str, Rule] = {
    "slow_task": Rule(
        "warning",
        "A handler ran, or has been running, for longer than `slow_task_threshold`.",
        "squad bottlenecks --by agent",
    ),
    "slow_p95": Rule(
        "warning",
        "One in twenty of an agent's messages takes its handler longer than `p95_threshold`.",
        "squad bottlenecks --by agent",
        metrics=True,
    ),
    "failed_tasks": Rule(
        "warning",
        "More than `max_failed_tasks` messages of an agent became dead letters within `failure_window`.",
        "squad dead list --agent AGENT",
        metrics=True,
    ),
    "failure_rate": Rule(
        "critical",
        "More than `max_failure_rate` percent of an agent's attempts within `failure_window` failed.",
        "squad dead list --agent AGENT",
        metrics=True,
    ),
    "queue_depth": Rule(
        "warning",
        "More than `max_queue_depth` messages are ready and wait for an agent.",
        "squad inspect AGENT",
    ),
    "agent_down": Rule(
        "critical",
        "An agent is quarantined, or has failed and is not ready again after `agent_down_after`.",
        "squad inspect AGENT",
    ),
    "agent_memory": Rule(
        "warning",
        "A process takes more than `ceiling_percent` of its `max_memory_mb`, at which it is ended.",
        "squad metrics --agent AGENT",
    ),
    "machine_memory": Rule(
        "critical",
        "More than `max_memory_percent` of the machine's memory is in use.",
        "squad top",
    ),
    "throttled": Rule(
        "warning",
        "The machine is overloaded, and the squad is held back.",
        "squad top",
    ),
    "disk_failing": Rule(
        "critical",
        "The database cannot be written: nothing is accepted or handed out.",
        "squad doctor",
    ),
}
"""By name, in the order in which they are shown."""


def at_least(severity: str, least: str) -> bool:
    """Whether a severity is as bad as ``least``, or worse."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)


def next_command(rule: str, agent: str) -> str:
    """What to type about an alert."""
    if rule in BUILT_IN:
        return BUILT_IN[rule].todo.replace("AGENT", agent)
    return f"squad metrics --agent {agent}" if agent else "squad metrics"
