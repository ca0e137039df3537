from __future__ import annotations

import signal
from pathlib import Path

from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually


def squad_with_a_stray_program(tmp_path: Path) -> tuple[RunningSquad, int]:
    """A running squad one of whose agents has started a program in a session of its own."""
    config = tmp_path / "squad.yaml"
    config.write_text(f'agents: {{one: {{class: "{AGENTS}:Worker"}}}}\n')
    squad = RunningSquad(tmp_path / "home", config)
    squad.start()
    said = tmp_path / "pid"
    squad.wait(squad.send("one", "misbehave", {"how": "leave-a-child", "path": str(said)}))
    return squad, int(said.read_text())


def test_a_killed_launcher_leaves_no_program_of_an_agent_behind(tmp_path: Path) -> None:
    squad, program = squad_with_a_stray_program(tmp_path)
    try:
        assert program in squad.processes()
        squad.launcher.kill()
        squad.launcher.wait()
        squad.assert_nothing_left()
    finally:
        squad.end_everything()


def test_a_tree_that_is_started_again_has_a_warden_too(tmp_path: Path) -> None:
    squad, _ = squad_with_a_stray_program(tmp_path)
    try:
        before = squad.kill("supervisor")
        eventually(lambda: squad.pids("supervisor") not in ([], [before]), "another tree")
        eventually(lambda: len(squad.wardens()) == 1, "one warden")
        assert squad.stop() == 0
        squad.assert_nothing_left()
    finally:
        squad.end_everything()


def test_a_warden_that_is_killed_has_a_successor(tmp_path: Path) -> None:
    squad, program = squad_with_a_stray_program(tmp_path)
    try:
        (before,) = eventually(squad.wardens, "a warden")
        assert squad.signal(before, signal.SIGKILL)
        eventually(lambda: len(squad.wardens()) == 1 and squad.wardens() != [before], "another warden")
        squad.launcher.kill()
        squad.launcher.wait()
        squad.assert_nothing_left()
        assert program not in squad.processes()
    finally:
        squad.end_everything()
