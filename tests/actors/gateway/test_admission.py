from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from squad.actors.gateway import admission as module
from squad.actors.gateway.admission import Admission
from squad.config.schema import RateConfig
from squad.errors import RateLimitError


async def charge(admission: Admission, *sends: int) -> None:
    for messages in sends:
        await admission.charge(messages)


def test_without_a_limit_everything_is_admitted() -> None:
    admission = Admission(None)
    asyncio.run(charge(admission, *[1000] * 50))
    assert admission.tokens is None


def test_raise_refuses_at_once_and_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))  # else a token may come meanwhile
    admission = Admission(RateConfig(per_minute=60, burst=2, when_empty="raise"))
    with pytest.raises(RateLimitError, match=r"60 messages a minute, 2 at once: try again in 1\.0 s") as caught:
        asyncio.run(charge(admission, 1, 1, 1))
    assert caught.value.retry_after == 1
    assert admission.tokens is not None and admission.tokens < 1


def test_wait_delays_and_keeps_the_order() -> None:
    admission = Admission(RateConfig(per_minute=6000, burst=1, when_empty="wait"))
    order: list[int] = []

    async def send(number: int) -> None:
        await admission.charge(1)
        order.append(number)

    async def all_at_once() -> None:
        await asyncio.gather(*(send(number) for number in range(20)))

    begun = time.monotonic()
    asyncio.run(all_at_once())
    assert order == list(range(20))
    assert time.monotonic() - begun >= 0.18


def test_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    admission = Admission(RateConfig(per_minute=1, burst=1, when_empty="wait"))
    with pytest.raises(RateLimitError) as caught:
        asyncio.run(charge(admission, 1, 1))
    assert 50 < caught.value.retry_after <= 60
