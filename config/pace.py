"""How fast an agent may go, and how often a message is tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WrapSerializer,
    field_validator,
)

from squad.config.readable import readable_duration
from squad.config.section import FROM_FILE, Section
from squad.config.values import Duration, complain, refuse, written


class RateConfig(Section):
    """A token bucket: how many messages a minute, and how many at once after a pause."""

    per_minute: float = Field(default=100, gt=0, description="Messages a minute on average.")
    burst: int = Field(default=20, ge=1, description="Messages that may go at once after a pause.")
    when_empty: Literal["wait", "raise"] = Field(
        default="wait",
        description="Whether a send waits until there is room (a client's for 20 s at most), or is refused by a "
        "RateLimitError. For `send_rate` and `limits.clients`; under `handle_rate` messages can only wait.",
    )


def _rate(value: Any, info: ValidationInfo) -> Any:
    if value is None and info.context == FROM_FILE:
        complain("has no value", "write none for no limit")
    if value == "none":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"per_minute": value}
    if value is None or isinstance(value, dict | RateConfig):
        return value
    refuse("a rate", "write none, a number of messages a minute, or {per_minute: 100, burst: 20}")


def _rate_schema(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [*schema["anyOf"][:1], {"type": "number", "exclusiveMinimum": 0}, {"const": "none"}]


def _show_rate(value: Any, handler: SerializerFunctionWrapHandler) -> Any:
    return "none" if value is None else handler(value)


def _waits(rate: RateConfig | None) -> RateConfig | None:
    if rate is not None and rate.when_empty == "raise":
        complain(
            "cannot have when_empty: raise: what is not taken on waits in the mailbox",
            "leave out when_empty, which is for send_rate and limits.clients",
        )
    return rate


Rate = Annotated[
    RateConfig | None,
    BeforeValidator(_rate),
    WrapSerializer(_show_rate, when_used="json"),
    Field(json_schema_extra=_rate_schema),
]
"""A rate, or None for no limit; written ``none``, as a number a minute, or as a mapping."""

WaitingRate = Annotated[Rate, AfterValidator(_waits)]
"""A rate at which nobody is refused."""


def not_below(key: str, value: Any, info: ValidationInfo, show: Callable[[Any], object] = str) -> None:
    """Refuse a value that is less than its sibling ``key``, which is declared before it."""
    least = info.data.get(key)
    if least is not None and value < least:
        complain(
            f"is {show(value)}, which is less than {key}, {show(least)}", f"raise {info.field_name} or lower {key}", key
        )


class RetryConfig(Section):
    """What happens to a message whose handler failed. Waits double from `backoff` to `cap`."""

    max_attempts: int = Field(default=3, ge=1, description="Attempts before the message becomes a dead letter.")
    backoff: Duration = Field(default=written("1s"), description="Wait before the second attempt.")
    cap: Duration = Field(default=written("5m"), description="Longest wait between two attempts.")
    jitter: float = Field(default=0.2, ge=0, le=1, description="Random part taken off each wait: 0.2 is up to 20 %.")

    @field_validator("cap")
    @classmethod
    def _cap_above_backoff(cls, value: float, info: ValidationInfo) -> float:
        not_below("backoff", value, info, readable_duration)
        return value
