"""Far more than the squad can do: who offers it is refused or waits, and nothing else suffers."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from squad.client import Client
from squad.errors import QueueFullError, RefusedError, SquadError
from squad.home import Home
from tests.running import ROOT, RunningSquad, eventually

LIMIT = 400  # messages that may wait for the slow one
PAYLOAD = 1024 * 1024  # bytes, as configured
GROWTH = 100 * 2**20  # bytes that a process of the core may take more at most
CORE = ("storage", "gateway", "supervisor")
CONFIG = f"""
agents:
  slow: {{class: "{ROOT}/tests/faults/loading.py:Slow", queue: {{limit: {LIMIT}}}}}
  other: {{class: "{ROOT}/tests/faults/loading.py:Quick", queue: {{limit: 1000000}}}}
limits: {{max_payload: {PAYLOAD}}}
"""


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("load")
    (folder / "squad.yaml").write_text(CONFIG)
    with RunningSquad(folder / "home", folder / "squad.yaml") as made:
        yield made


def memory(squad: RunningSquad) -> dict[str, int]:
    """Bytes that each of the core takes for itself."""
    found = {}
    for name in CORE:
        (pid,) = squad.pids(name)
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found[name] = 1024 * sum(int(size) for size in re.findall(r"^Private_\w+: +(\d+)", text, re.MULTILINE))
    return found


def assert_bounded(before: dict[str, int], after: dict[str, int]) -> None:
    grown = {name: (after[name] - before[name]) >> 20 for name in CORE}
    assert all(size <= GROWTH >> 20 for size in grown.values()), f"MiB more than before: {grown}"


class Senders:
    """Threads that send to ``slow`` as fast as they can, in batches, and keep what was acknowledged."""

    def __init__(self, home: Path, number: int) -> None:
        self.acknowledged: list[str] = []
        self.refused = 0
        self.strange: list[BaseException] = []
        self._home = Home(home)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(number)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _send(self) -> None:
        batch = [{"recipient": "slow", "type": "take", "payload": {"text": "x" * 500}} for _ in range(20)]
        with Client(self._home) as client:
            while not self._over.is_set():
                try:
                    self.acknowledged += client.send_many(batch)
                except QueueFullError:
                    self.refused += len(batch)
                except SquadError as error:
                    self.strange.append(error)


@pytest.mark.parametrize("seconds", [pytest.param(5, id="short"), pytest.param(60, id="long", marks=pytest.mark.slow)])
def test_many_times_the_capacity(squad: RunningSquad, seconds: int) -> None:
    before, most = memory(squad), dict.fromkeys(CORE, 0)
    earlier = completed(squad)
    begin = time.monotonic()
    with Senders(squad.home, 4) as senders:
        while time.monotonic() - begin < seconds or not senders.refused:
            now = memory(squad)
            most = {name: max(most[name], now[name]) for name in CORE}
            eventually(lambda: (squad.health() or {}).get("ready"), "ready")
            sent = squad.cli("send", "other", "take", "--wait")  # somebody else's mailbox is as quick as ever
            assert sent.stdout.strip()
            assert "slow" in squad.cli("inspect", status=None).stdout
            (waiting,) = squad.query("SELECT count(*) FROM tasks WHERE recipient = 'slow' AND status = 'queued'")
            assert waiting[0] <= LIMIT
        took = time.monotonic() - begin
        handled = completed(squad) - earlier
    assert senders.strange == []
    assert_bounded(before, most)

    eventually(lambda: not unfinished(squad), "the queue has drained", 60)
    offered = len(senders.acknowledged) + senders.refused
    assert offered > 10 * handled, "that was not ten times the capacity"
    assert not missing(squad, senders.acknowledged)
    print(
        f"{offered:,} offered in {took:.0f} s ({offered / took:,.0f} a second), {len(senders.acknowledged):,} taken, "
        f"{handled:,} handled meanwhile; "
        f"MiB before {shown(before)}, at most {shown(most)}, afterwards {shown(memory(squad))}"
    )


def shown(sizes: dict[str, int]) -> dict[str, int]:
    return {name: size >> 20 for name, size in sizes.items()}


def completed(squad: RunningSquad) -> int:
    """How many messages the slow one has handled."""
    rows = squad.query("SELECT count(*) FROM tasks WHERE recipient = 'slow' AND status = 'completed'")
    return int(rows[0][0])


def unfinished(squad: RunningSquad) -> int:
    return int(squad.query("SELECT count(*) FROM tasks WHERE status IN ('queued', 'running')")[0][0])


def missing(squad: RunningSquad, ids: list[str]) -> set[str]:
    """Which of them have not completed."""
    return set(ids) - {row[0] for row in squad.query("SELECT task_id FROM tasks WHERE status = 'completed'")}


def test_thousands_of_connections(squad: RunningSquad) -> None:
    """Three hundred that say nothing, and three thousand senders with one each, a hundred at the same moment."""
    before = memory(squad)

    def send(number: int) -> str:
        with Client(Home(squad.home), patience=30) as client:
            return client.send("other", "take", {"text": str(number)})

    with ExitStack() as silent:
        for _ in range(300):
            connection = silent.enter_context(closing(socket.socket(socket.AF_UNIX)))
            connection.settimeout(60)
            connection.connect(str(Home(squad.home).socket()))
        with ThreadPoolExecutor(100) as threads:
            ids = list(threads.map(send, range(3000)))
    assert len(set(ids)) == 3000
    eventually(lambda: not unfinished(squad), "all are handled", 60)
    assert not missing(squad, ids)
    assert_bounded(before, memory(squad))
    (gateway,) = squad.pids("gateway")
    files = Path(f"/proc/{gateway}/fd")
    eventually(lambda: len(list(files.iterdir())) < 150, "the connections are closed")


def test_payloads_at_the_limit(squad: RunningSquad) -> None:
    before = memory(squad)
    room = PAYLOAD - len(json.dumps({"text": ""}, separators=(",", ":")))
    with Client(Home(squad.home)) as client:
        ids = [client.send("other", "take", {"text": "x" * room}) for _ in range(5)]
        for size in (room + 1, room + 2, 3 * PAYLOAD, 20 * PAYLOAD):
            with pytest.raises(RefusedError, match=r"at most|over"):
                client.send("other", "take", {"text": "x" * size})
        with pytest.raises(RefusedError, match=r"at most|over"):
            client.send("other", "take", {"text": "\N{PILE OF POO}" * (room // 4 + 1)})  # bytes count, not characters
    eventually(lambda: not unfinished(squad), "all are handled")
    assert not missing(squad, ids)
    assert_bounded(before, memory(squad))


@pytest.mark.parametrize("lines", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_batches_at_the_limit(squad: RunningSquad, lines: int) -> None:
    """A hundred thousand lines are taken, one more is not, nor more bytes than are allowed, nor half a batch."""
    before = memory(squad)
    line = json.dumps({"recipient": "other", "type": "take", "payload": {}})
    (stored,) = squad.query("SELECT count(*) FROM tasks")

    status, answer = squad.request("POST", "/v1/messages/batch", "\n".join(itertools.repeat(line, 100_001)), 120)
    assert status == 413, answer
    large = json.dumps({"recipient": "other", "type": "take", "payload": {"text": "x" * (PAYLOAD - 100)}})
    status, answer = squad.request("POST", "/v1/messages/batch", "\n".join(itertools.repeat(large, 70)), 120)
    assert status == 413, answer
    status, answer = squad.request("POST", "/v1/messages/batch", f"{line}\n{line}\n{{", 120)
    assert status == 422, answer
    assert squad.query("SELECT count(*) FROM tasks") == [stored]

    status, answer = squad.request("POST", "/v1/messages/batch", "\n".join(itertools.repeat(line, lines)), 120)
    ids: list[Any] = answer["ids"]
    assert (status, len(set(ids))) == (201, lines)
    eventually(lambda: (squad.health() or {}).get("ready"), "ready")
    eventually(lambda: not unfinished(squad), "all are handled", 200)
    assert not missing(squad, ids)
    assert_bounded(before, memory(squad))
