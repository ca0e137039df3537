"""Squad: agents with a mailbox each, sent to in turn by one client; a squad as any user would start it.

Of its settings only the bound of the mailboxes differs, since the other queues have none, and ``store.synchronous``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from squad.client import Client
from tests.benchmark.queues.contest import Queue, Setup, Task
from tests.running import RunningSquad

_LIMIT = 1_000_000  # messages in a mailbox


class _Squad:
    def __init__(self, squad: RunningSquad, client: Client, agents: int) -> None:
        self._squad = squad
        self._client = client
        self._agents = agents

    def send(self, task: Task) -> None:
        self._client.send(f"a{task['number'] % self._agents}", "task", task)

    def send_many(self, tasks: Sequence[Task]) -> None:
        self._client.send_many(
            {"recipient": f"a{task['number'] % self._agents}", "type": "task", "payload": task} for task in tasks
        )

    def completed(self) -> int:
        return int(self._squad.query("SELECT count(*) FROM tasks WHERE status = 'completed'")[0][0])

    def processes(self) -> list[int]:
        return list(self._squad.processes())


@contextmanager
def running(setup: Setup) -> Iterator[Queue]:
    shutil.copyfile(Path(__file__).with_name("agents.py"), setup.folder / "agents.py")
    agent = {
        "class": "./agents.py:Worker",
        "options": {"journal": str(setup.journal.path)},
        "queue": {"limit": _LIMIT},
    }
    config = setup.folder / "squad.yaml"  # JSON is YAML
    config.write_text(
        json.dumps(
            {
                "name": "peers",
                "store": {"synchronous": setup.synchronous},
                "agents": {f"a{number}": agent for number in range(setup.workers)},
            }
        )
    )
    squad = RunningSquad(setup.folder / "home", config)
    with squad, Client(squad.home) as client:
        yield _Squad(squad, client, setup.workers)
