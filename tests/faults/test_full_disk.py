"""A small file system of its own for a home, full to the last block: the real thing, where that may be mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.actors.agents.blackbox import BlackBox, Hand, read_all
from squad.client import Client
from squad.errors import SquadError
from squad.ids import new_id
from tests.running import ROOT, RunningSquad, eventually

AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = """
agents:
  one: {class: "AGENTS:Worker", send_rate: none}
limits: {clients: none}
"""


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["/bin/mount", "-t", "tmpfs", "-o", "size=24m", "squad-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all that is left."""
    path = folder / "ballast"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    size = 1_000_000
    while size:
        try:
            os.write(descriptor, b"x" * size)
        except OSError:
            size //= 2
    os.close(descriptor)
    return path


def test_what_a_handler_has_in_hand_needs_no_room(mounted: Path) -> None:
    """SQLite may find room in its own files while nothing else does, so messages are handled."""
    hand, folder = Hand(7, 3, 1000.5, new_id(), "echo"), mounted / "hand"
    folder.mkdir()
    pid = os.fork()
    if pid == 0:
        before = BlackBox(folder, "before")
        fill(mounted)
        before.hold(hand)
        after = BlackBox(folder, "after")
        after.hold(hand)
        after.clear()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert read_all(folder) == {"before": hand}


def test_it_lives_through_a_full_disk(mounted: Path) -> None:
    config = mounted.parent / "squad.yaml"
    config.write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    payload = {"text": "x" * 20_000}
    with RunningSquad(mounted / "home", config) as squad, Client(squad.home, timeout=60) as client:
        accepted = [squad.send("one", "echo", payload) for _ in range(20)]
        ballast = fill(mounted)
        before = {name: row["pid"] for name, row in squad.tree().items()}
        why = ""
        while not why:  # the log may have room of its own
            try:
                accepted.append(client.submit({"recipient": "one", "type": "echo", "payload": payload}).id)
            except SquadError as error:
                why = error.message
        assert "the disk is full" in why
        refusal = squad.cli("maintenance", "backup", str(mounted / "copy.db"), status=1).stderr
        assert "are free in" in refusal
        assert not (mounted / "copy.db").exists()
        ballast.unlink()

        def again() -> str:
            try:
                return client.submit({"recipient": "one", "type": "echo", "payload": payload}).id
            except SquadError:
                return ""

        accepted.append(eventually(again, "a send is accepted"))
        for task in accepted:
            squad.wait(task)
        assert {name: row["pid"] for name, row in squad.tree().items()} == before
        assert squad.query("PRAGMA integrity_check")[0][0] == "ok"
        squad.stop()
        ballast = fill(mounted)
        refusal = squad.cli("start", "--detach", "--config", str(config), status=1).stderr
        assert "the disk is full" in refusal
        ballast.unlink()
        squad.start()
        assert "Traceback" not in squad.output()
