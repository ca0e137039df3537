"""An agent's rates as its configuration says them, and what a worker has of them."""

from __future__ import annotations

from squad.actors.agents.sendrate import SendRate
from squad.actors.bucket import TokenBucket
from squad.clock import Clock
from squad.config.pace import RateConfig
from squad.config.schema import AgentConfig


def share(
    settings: AgentConfig, workers: int, send: SendRate | None, handle: TokenBucket | None, clock: Clock
) -> tuple[SendRate | None, TokenBucket | None]:
    """The buckets for what a worker sends and for what it takes on; those that there are go on with a new rate.

    A convoy's rates are shared among its ``workers``: a fraction of the rate, and of the burst, for each.
    """
    if settings.send_rate is not None:
        rate = _part(settings.send_rate, workers)
        whole = settings.send_rate.burst if workers > 1 else None
        if send is None:
            send = SendRate(*rate, wait=settings.send_rate.when_empty == "wait", whole=whole, clock=clock)
        else:
            send.set_rate(*rate, whole)
    if settings.handle_rate is not None:
        rate = _part(settings.handle_rate, workers)
        if handle is None:
            handle = TokenBucket(*rate, now=clock.monotonic())
        else:
            handle.set_rate(*rate, clock.monotonic())
    return send, handle


def _part(rate: RateConfig, workers: int) -> tuple[float, float]:
    return rate.per_minute / workers, max(1.0, rate.burst / workers)
