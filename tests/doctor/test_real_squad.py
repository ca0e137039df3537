"""The doctor at a real squad: running, killed, and mended."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.conftest import write_config
from tests.running import RunningSquad, eventually


@pytest.fixture
def squad(tmp_path: Path) -> RunningSquad:
    return RunningSquad(tmp_path / "home", write_config(tmp_path))


def examined(squad: RunningSquad, *options: str, status: int | None = 0) -> dict[str, Any]:
    document = json.loads(squad.cli("doctor", *options, "-o", "json", status=status).stdout)
    return {check["name"]: check for check in document["checks"]} | {"fixed": document["fixed"]}


def ready(squad: RunningSquad) -> dict[str, Any]:
    """Examined when it answered within the doctor's patience, which a machine may hold up."""
    return eventually(
        lambda: (found := examined(squad, status=None))["running"]["what"].endswith(", ready") and found, "ready"
    )


def test_from_before_the_first_start_to_the_repair_of_a_killed_one(squad: RunningSquad) -> None:
    before = examined(squad)
    assert before["home"]["what"] == f"no squad was started in {squad.home} yet"
    assert not squad.home.exists()

    with squad:
        well = ready(squad)
        assert f"dormitory, process {squad.launcher.pid}" in well["running"]["what"]
        assert well["configuration"]["what"] == f"{squad.config} is in order"
        assert "processes of dormitory may need" in well["open files"]["what"]
        assert well["database"]["what"].endswith("no damage")
        # in memory, or with little room left, or others' leftovers: that depends on the machine
        elsewhere = {"filesystem", "disk", "squads", "logout", "fixed"}
        assert {check["verdict"] for name, check in well.items() if name not in elsewhere} == {"ok"}

        task = squad.send("sleeper", "leave")  # its agent leaves a process running
        squad.wait(task)
        left = int(squad.task(task)["result"])
        squad.stop_the_launcher_and_kill_the_warden()  # which would end what is left
        squad.stop(signal.SIGKILL)
        eventually(lambda: list(squad.processes()) == [left], "only what the agent started is left")
        killed = examined(squad, status=1)
        assert killed["running"]["what"] == "no squad runs here"
        assert str(left) in killed["leftover processes"]["what"]
        assert "control.sock, launcher.lock" in killed["leftover files"]["what"]
        assert killed["fixed"] == []

        mended = examined(squad, "--fix")
        assert any("ended" in sentence and "control.sock" in sentence for sentence in mended["fixed"])
        assert mended["leftover processes"]["what"] == mended["leftover files"]["what"] == "none"
        squad.assert_nothing_left()

        squad.start()  # and it can be started again
        assert ready(squad)
