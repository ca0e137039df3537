"""The example in docs/schedules.md does what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.running import ROOT, RunningSquad
from tests.test_readme import block

PAGE = (ROOT / "docs/schedules.md").read_text()


def test_the_example_runs_as_written(tmp_path: Path) -> None:
    (tmp_path / "squad.yaml").write_text(block(PAGE, "yaml"))
    (tmp_path / "agents.py").write_text(block(PAGE, "python"))
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/squad"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m squad.cli "$@"\n')
    script.chmod(0o700)
    squad = RunningSquad(tmp_path / ".squad")
    env = {name: value for name, value in os.environ.items() if name != "SQUAD_HOME"}
    env |= {"PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}/bin:{env['PATH']}"}
    try:
        # Sent after the run by hand, so that has ended too.
        last = """squad send reviewer review --data '{"document": "x"}' --priority 10 --wait\nsquad stop"""
        commands = block(PAGE, "sh").replace("squad stop", last)
        done = subprocess.run(
            ["/bin/bash", "-euxo", "pipefail", "-c", commands],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        told = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        assert "0 9 * * 1" in done.stdout, told
        squad.assert_nothing_left()
    finally:
        squad.end_everything()
    # By hand, that is without a key: it may be Monday, nine o'clock.
    rows = squad.query("SELECT * FROM tasks WHERE sender = 'schedule:weekly-review' AND key IS NULL")
    assert [(row["status"], row["result"]) for row in rows] == [
        ("completed", '"ROADMAP.md was reviewed for schedule:weekly-review"')
    ]
