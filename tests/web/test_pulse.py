"""One reading a second for all who watch, and none for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from squad.config.schema import SquadConfig, StoreConfig
from squad.errors import WaitTimeoutError
from squad.ids import new_id
from squad.store.rows import NewTask
from squad.store.writer import Writer
from squad.web import Gate
from squad.web.pulse import Pulse
from tests.web.stand_ins import core, gate_of, row


class Asked:
    """A supervisor that counts how often it is asked."""

    def __init__(self, most: int | None = None) -> None:
        self.times = 0
        self.silent = False
        self._most = most

    async def rows(self) -> list[dict[str, Any]]:
        if self.times == self._most:
            await asyncio.Event().wait()  # for ever: nobody waits for another answer
        self.times += 1
        if self.silent:
            raise WaitTimeoutError("no answer within 2 s")
        return [*core(), row("scanner")]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with closing(Writer(tmp_path / "squad.db", StoreConfig())):
        pass
    return tmp_path / "squad.db"


def run(store: Path, asked: Asked, test: Callable[[Pulse, Gate], Awaitable[None]]) -> None:
    gate = replace(gate_of(store, SquadConfig()), rows=asked.rows)
    try:
        asyncio.run(asyncio.wait_for(test(Pulse(gate), gate), 30))  # type: ignore[arg-type]
    finally:
        gate.pool.close()


def test_all_streams_and_pages_share_a_reading(store: Path) -> None:
    asked = Asked(most=3)

    async def test(pulse: Pulse, gate: Gate) -> None:
        async def watch() -> list[int]:
            async with aclosing(pulse.beats()) as beats:
                seen = []
                async for beat in beats:
                    seen.append(id(beat))
                    if len(seen) == 3:
                        return seen
            raise AssertionError

        found = await asyncio.gather(*(watch() for _ in range(10)))
        assert all(seen == found[0] for seen in found)
        assert asked.times == 3
        assert pulse.watching == 0

    run(store, asked, test)


def test_nobody_who_watches_costs_nothing(store: Path) -> None:
    asked = Asked()

    async def test(pulse: Pulse, gate: Gate) -> None:
        async with aclosing(pulse.beats()) as beats:
            await anext(beats)
        before = asked.times
        beating = [task for task in asyncio.all_tasks() if "Pulse._run" in repr(task.get_coro())]
        assert len(beating) == 1
        await asyncio.wait(beating)  # the next beat finds nobody and ends
        assert asked.times <= before + 1

    run(store, asked, test)


def test_pages_of_the_same_second_share_a_reading(store: Path) -> None:
    asked = Asked()

    async def test(pulse: Pulse, gate: Gate) -> None:
        first, *others = await asyncio.gather(*(pulse.reading() for _ in range(5)))
        assert all(other is first for other in others)
        assert asked.times == 1

    run(store, asked, test)


def test_a_silent_supervisor_leaves_what_was_known(store: Path) -> None:
    asked = Asked()

    async def test(pulse: Pulse, gate: Gate) -> None:
        async with aclosing(pulse.beats()) as beats:
            known = (await anext(beats)).reading
            asked.silent = True
            later = (await anext(beats)).reading
        assert known.silent == ""
        assert later.silent == "no answer within 2 s"
        assert later.actors == known.actors

    run(store, asked, test)


def test_what_is_made_of_a_reading_is_made_once(store: Path) -> None:
    async def test(pulse: Pulse, gate: Gate) -> None:
        async with aclosing(pulse.beats()) as beats:
            beat = await anext(beats)
        made: list[str] = []

        async def make() -> str:
            made.append("once")
            await asyncio.sleep(0)
            return "html"

        assert await asyncio.gather(*(beat.once("key", make) for _ in range(4))) == ["html"] * 4
        assert made == ["once"]

    run(store, Asked(), test)


def test_a_stream_sees_what_is_committed(store: Path) -> None:
    async def test(pulse: Pulse, gate: Gate) -> None:
        async with aclosing(pulse.beats()) as beats:
            assert (await anext(beats)).reading.standing.totals["queued"] == 0
            with closing(Writer(store, StoreConfig())) as writer, writer.transaction():
                writer.submit([NewTask(new_id(), "test", "scanner", "scan", "{}")], gate.clock.time())
            async for beat in beats:
                if beat.reading.standing.totals["queued"] == 1:
                    return

    run(store, Asked(), test)
