"""What the README and the guide tell a newcomer to type works as written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from squad.config.load import parse
from tests.running import ROOT, RunningSquad

README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "docs/getting-started.md").read_text()


def block(text: str, language: str, before: str = "", begin: str = "") -> str:
    """The one fenced block of a language which ``before`` introduces and whose text starts with ``begin``."""
    pattern = rf"{re.escape(before)}\n*^```{language}\n({re.escape(begin)}.*?)^```$"
    [found] = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the README's files in it, and commands that run this very installation."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello/agents.py").write_text(block(README, "python", "`hello/agents.py`:"))
    (tmp_path / "hello/squad.yaml").write_text(block(README, "yaml", "`hello/squad.yaml`:"))
    (tmp_path / "bin").mkdir()
    for name, arguments in (("squad", ""), ("squad-start", " start")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m squad.cli{arguments} "$@"\n')
        script.chmod(0o700)
    return tmp_path


def test_the_readmes_agent_runs_as_written(folder):
    commands = block(README, "sh", begin="cd hello\n")
    assert "squad-start" in commands
    squad = RunningSquad(folder / "hello/.squad")
    env = {name: value for name, value in os.environ.items() if name != "SQUAD_HOME"} | {"PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            ["/bin/bash", "-euxo", "pipefail", "-c", commands],
            cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        told = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        for shown in ("supervisor", "storage", "monitor", "gateway", "counter", "tally"):
            assert shown in done.stdout, told
        columns = block(README, "text", begin="NAME ").splitlines()[0].replace(" AGE ", "").split()
        shown = [line.replace(" AGE ", "").split() for line in done.stdout.splitlines()]  # only news of some age has it
        assert columns in shown, told
        results = {row["type"]: json.loads(row["result"]) for row in squad.query("SELECT * FROM tasks")}
        assert results == {"count_words": {"words": 6}, "counted": {"so_far": 6}}
        squad.assert_nothing_left()
    finally:
        squad.end_everything()


def test_the_guides_configuration_is_valid():
    parse(block(GUIDE, "yaml", begin="types:"), name="squad.yaml", base_dir=ROOT)
    config = parse(block(GUIDE, "yaml", begin="name:"), name="squad.yaml", base_dir=ROOT)
    assert config.agents["reviewer"].timeout == 300
    assert config.agents["reviewer"].retry.max_attempts == 5
