"""Alerts: what a configuration may say of when they fire and whom they are told to."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from squad.alerts import STATES, Severity, State
from squad.config.commands import EnvironmentConfig
from squad.config.pace import RetryConfig
from squad.config.section import Section
from squad.config.values import NAME_FORM, Duration, Name, at_least, blank_mapping, complain, named, refuse, written
from squad.durations import parse_duration

Of = Literal["p50", "p90", "p95", "p99", "mean", "max", "min", "last", "sum", "count", "rate"]
EACH = "*"
"""As the agent of a rule: each by itself."""

_LEAST_WINDOW = 60.0  # seconds: metrics are kept by the minute
_TIMEOUT = "10s"  # of a sink
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")


def variable(text: str) -> str | None:
    """The environment variable that ``$NAME`` names; None for a value that stands for itself."""
    return text[1:] if _VARIABLE.fullmatch(text) else None


def _milliseconds(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return round(parse_duration(value) * 1000) if value.strip()[-1:].isalpha() else int(value)
        except (ValueError, OverflowError):
            refuse("a number of milliseconds", "write for example 60000 or 60s")
    return value


def _window(value: float) -> float:
    if value < _LEAST_WINDOW:
        refuse("1m or more", "metrics are kept by the minute")
    return value


def _rule_name(value: str) -> str:
    return named(value, "a rule")


def _sink_name(value: str) -> str:
    return named(value, "a sink")


def _metric(value: str) -> str:
    if not _METRIC.fullmatch(value):
        refuse("the name of a metric", "lower-case letters, digits and _, a letter first")
    return value


def _web_address(value: str) -> str:
    if variable(value):
        return value
    if fault := fault_of(value):
        complain(fault, "it begins with http:// or https://; or write $NAME, an environment variable that has it")
    return value


def fault_of(address: str) -> str:
    """What keeps an address from being that of a webhook, after its name; "" when nothing does. Repeats none of it."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not address.isascii() or not address.isprintable() or " " in address:
        return "is no address of a web server"
    return "has a user and a password in it" if parts.username is not None or parts.password is not None else ""


def _secret(value: str) -> str:
    if not variable(value):
        complain("must not be in the file", "name an environment variable that has it, such as $OPS_SECRET")
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _apprise_url(value: str) -> str:
    if not variable(value) and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        complain("is no URL", "write for example mailtos://user:password@example.com, or $NAME, a variable that has it")
    return value


def _hidden(url: str) -> str:
    """Without what may be secret in it."""
    return url if variable(url) else f"{url.partition('://')[0]}://hidden"


_NAMED = WithJsonSchema({"type": "string", "pattern": f"^{NAME_FORM}$"})
Milliseconds = Annotated[
    int,
    BeforeValidator(_milliseconds),
    WithJsonSchema({"type": ["integer", "string"], "title": "Milliseconds", "examples": [60000, "60s"]}),
]
"""Written as a number of them, or as text with units."""

Window = Annotated[Duration, AfterValidator(_window)]
RuleName = Annotated[str, AfterValidator(_rule_name), _NAMED]
SinkName = Annotated[str, AfterValidator(_sink_name), _NAMED]
MetricName = Annotated[str, AfterValidator(_metric)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Secret = Annotated[str, AfterValidator(_secret)]
AppriseUrl = Annotated[str, AfterValidator(_apprise_url), PlainSerializer(_hidden, when_used="json")]


class OwnThresholdsConfig(Section):
    """Thresholds of one agent or convoy; keys left out are those of `alerts`."""

    slow_task_threshold: Milliseconds | None = Field(default=None, gt=0, description="As in `alerts`.")
    p95_threshold: Milliseconds | None = Field(default=None, gt=0, description="Likewise.")
    max_failed_tasks: int | None = Field(default=None, ge=0, description="Likewise.")
    max_failure_rate: float | None = Field(default=None, ge=0, le=100, description="Likewise.")
    max_queue_depth: int | None = Field(default=None, ge=0, description="Likewise.")
    agent_down_after: Duration | None = Field(default=None, description="Likewise.")
    disabled: list[str] = Field(default_factory=list, description="Rules that do not count for this agent.")


class RuleConfig(Section):
    """An alert of your own: a number that is made of a metric, over a window, is above or below what you say."""

    metric: MetricName = Field(description="The metric: one of [those](events.md) of Squad, or an agent's own.")
    own: bool = Field(
        default=False, description="`true` for a metric that your agents record: nobody can know its name before."
    )
    agent: str | None = Field(
        default=None, description=f"Only this agent or convoy; `{EACH}`: each by itself; else all of them together."
    )
    type: str | None = Field(default=None, description="Only messages of this type.")
    of: Of = Field(
        default="mean",
        description="What is made of it. `sum` of a counter is by how much it grew, `rate` the same for a minute; "
        "`count` is how many values there were, and `rate` of a histogram that for a minute.",
    )
    window: Window = Field(default=written("5m"), description="The time that is looked at, up to now.")
    above: float | None = Field(default=None, description="It fires when the number is more than this,")
    below: float | None = Field(default=None, description="or less than this: one of both.")
    for_: Duration = Field(
        default=written("0s"),
        validation_alias="for",
        serialization_alias="for",
        description="It must be so for this long.",
    )
    severity: Severity = Field(default="warning", description="How bad that is.")
    message: str | None = Field(default=None, max_length=500, description="What to tell people beside the numbers.")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            given = "both above and below" if self.above is not None else "neither above nor below"
            raise PydanticCustomError(
                "complaint", "{text}", {"text": f"has {given}", "hint": "a rule has one of them", "instead": "above"}
            )
        return self

    @property
    def limit(self) -> float:
        """``above`` or ``below``."""
        found = self.above if self.above is not None else self.below
        assert found is not None  # noqa: S101 - one of both is there
        return found


class SinkRetryConfig(RetryConfig):
    """What happens when telling failed. Waits double from `backoff` to `cap`."""

    max_attempts: int = Field(default=8, ge=1, description="Attempts before it is a dead letter.")
    backoff: Duration = Field(default=written("5s"), description="Wait before the second attempt.")
    cap: Duration = Field(default=written("10m"), description="Longest wait between two attempts.")


class SinkConfig(Section):
    """Whom alerts are told to: one of `agent`, `command`, `webhook` and `apprise`."""

    agent: str | None = Field(
        default=None, description="An agent or convoy that handles the type `squad.alert`: it gets a message."
    )
    command: list[str] | None = Field(
        default=None, min_length=1, description="A program and its arguments, run as those of command agents are."
    )
    webhook: WebAddress | None = Field(
        default=None, description="An address of a web server, or `$NAME`, an environment variable that has it."
    )
    apprise: Annotated[list[AppriseUrl], BeforeValidator(_one_or_many)] | None = Field(
        default=None,
        min_length=1,
        description="URLs of [Apprise](https://github.com/caronc/apprise), for mail, chat and desktop, or `$NAME`. It "
        "takes the extra `notify`.",
    )
    secret: Secret | None = Field(
        default=None, description="For a webhook: `$NAME`, the environment variable with the secret that signs."
    )
    environment: EnvironmentConfig = Field(
        default_factory=EnvironmentConfig, description="For a command: its environment."
    )
    severity: Severity = Field(default="info", description="The least severity that it is told of.")
    rules: list[str] = Field(default_factory=list, description="Only these rules; none: all.")
    tell: list[State] = Field(default_factory=lambda: list(STATES), min_length=1, description="Of which news.")
    timeout: Duration = Field(
        default=written(_TIMEOUT), gt=0, le=3600, description="The longest that telling may take; not of an `agent`."
    )
    retry: SinkRetryConfig = Field(
        default_factory=SinkRetryConfig, description="What happens when telling failed; likewise."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in ("agent", "command", "webhook", "apprise") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            text = f"is {' and '.join(kinds)} at once" if kinds else "tells nobody"
            hint = "a sink has one of agent, command, webhook and apprise"
            raise PydanticCustomError("complaint", "{text}", {"text": text, "hint": hint, "instead": ""})
        acting = ("command", "webhook", "apprise")  # an agent has its own time-out and its own retries
        for key, readers, unset in (
            ("secret", ("webhook",), None),
            ("environment", ("command",), EnvironmentConfig()),
            ("timeout", acting, parse_duration(_TIMEOUT)),
            ("retry", acting, SinkRetryConfig()),
        ):
            if getattr(self, key) != unset and kinds[0] not in readers:
                text, hint = f"has {key}, which is only for a {' or '.join(readers)}", "remove it"
                raise PydanticCustomError("complaint", "{text}", {"text": text, "hint": hint, "instead": key})
        return self


class AlertsConfig(Section):
    """When the squad says that something is wrong, and to whom: see [alerts](alerts.md)."""

    enabled: bool = Field(default=True, description="Whether there are any.")
    disabled: list[str] = Field(default_factory=list, description="Rules that do not count, by name.")
    every: Annotated[Duration, at_least("1s")] = Field(
        default=written("15s"), description="Time between two looks, 1s or more."
    )
    settle: Duration = Field(
        default=written("30s"),
        description="Time after a start of the squad, a thaw, and a resume of an agent, in which nothing new fires.",
    )
    clear_after: Duration = Field(
        default=written("2m"), description="How long all must be well before an alert clears, so that it does not flap."
    )
    remind: Duration = Field(
        default=written("24h"), description="Time after which what goes on is told again; 0: never."
    )
    slow_task_threshold: Milliseconds = Field(
        default=60_000, gt=0, description="Longest that a handler should run (milliseconds, or text with units)."
    )
    p95_threshold: Milliseconds = Field(
        default=30_000, gt=0, description="Time that 95 % of an agent's handlers should keep to, likewise."
    )
    p95_window: Window = Field(default=written("15m"), description="The time over which that is taken.")
    max_failed_tasks: int = Field(
        default=5, ge=0, description="Most messages of an agent that may become dead letters within `failure_window`."
    )
    max_failure_rate: float = Field(
        default=50, ge=0, le=100, description="Most of an agent's attempts that may fail within it, in percent of them,"
    )
    failure_rate_of: int = Field(default=20, ge=1, description="once there are so many.")
    failure_window: Window = Field(default=written("1h"), description="The time over which failures are counted.")
    max_queue_depth: int = Field(
        default=100, ge=0, description="Most messages that may be ready and wait for an agent,"
    )
    queue_depth_for: Duration = Field(default=written("30s"), description="for longer than this.")
    agent_down_after: Duration = Field(
        default=written("1m"), description="Longest that an agent which failed may take to be ready again."
    )
    max_memory_percent: float = Field(
        default=92, gt=0, le=100, description="Most of the machine's memory that should be in use, in percent,"
    )
    memory_for: Duration = Field(default=written("1m"), description="for longer than this; likewise for `throttled`.")
    ceiling_percent: float = Field(
        default=90,
        gt=0,
        le=100,
        description="Part of its `max_memory_mb` that a process should keep below, in percent.",
    )
    agents: Annotated[dict[Name, OwnThresholdsConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Other thresholds for agents and convoys, by name."
    )
    rules: Annotated[dict[RuleName, RuleConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Rules of your own, by name."
    )
    sinks: Annotated[dict[SinkName, SinkConfig], BeforeValidator(blank_mapping)] = Field(
        default_factory=dict, description="Whom alerts are told to, by name, beside the log and the store."
    )

    @field_validator("remind")
    @classmethod
    def _seldom(cls, value: float) -> float:
        if 0 < value < 60:
            refuse("1m or more, or 0 for never")
        return value
