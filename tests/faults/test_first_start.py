"""A part of the core that dies before the squad was ever ready."""

from __future__ import annotations

import fcntl
import signal
import threading
from pathlib import Path

from tests.running import ROOT, RunningSquad, eventually


def test_a_storage_that_dies_while_the_squad_starts_is_started_again(tmp_path: Path) -> None:
    config = tmp_path / "squad.yaml"
    config.write_text(f'agents: {{one: {{class: "{ROOT}/tests/actors/squads/agents.py:Worker"}}}}\n')
    squad = RunningSquad(tmp_path / "home", config)
    squad.home.mkdir(mode=0o700)
    starting = threading.Thread(target=squad.start)
    try:
        with (squad.home / "storage.lock").open("w") as lock:  # it waits for this, and so never gets ready
            fcntl.flock(lock, fcntl.LOCK_EX)
            starting.start()
            before = eventually(lambda: _storage(squad), "a storage")
            assert squad.signal(before, signal.SIGKILL)
        starting.join()
        squad.wait(squad.send("one", "echo"))
        assert squad.stop() == 0
    finally:
        squad.end_everything()


def _storage(squad: RunningSquad) -> int | None:
    return next((pid for pid, title in squad.processes().items() if title == "squad: storage"), None)
