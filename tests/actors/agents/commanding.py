"""Squads of command agents, for the tests of what their commands do."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.running import RunningSquad, eventually

BY_NAME = Path(__file__).parents[1] / "squads" / "by_name.py"


class Squad(RunningSquad):
    def run(self, recipient: str, kind: str, **payload: Any) -> sqlite3.Row:
        """Send a message and wait for its end: its row."""
        task = self.send(recipient, kind, payload)
        self.wait(task)
        return self.task(task)

    def log(self, name: str) -> list[str]:
        return [json.loads(line)["message"] for line in (self.home / f"logs/{name}.jsonl").read_text().splitlines()]

    def pid_in(self, name: str | Path) -> int:
        path = self.home.parent / name
        return int(eventually(lambda: path.exists() and path.read_text().strip(), path.name))


def make(folder: Path, text: str, **environment: str) -> Squad:
    config = folder / "squad.yaml"
    config.write_text(text.replace("BY_NAME", str(BY_NAME)))
    return Squad(folder / "home", config, env=environment)


def gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True
