"""The example of docs/command-agents.md works as written, and the page says what is so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from squad.config.commands import PASSED, ExitCodesConfig
from squad.config.load import parse
from squad.config.placeholders import NAMES
from squad.config.types import declared_types
from tests.running import ROOT, RunningSquad

PAGE = (ROOT / "docs/command-agents.md").read_text()


def block(language: str, before: str) -> str:
    """The first fenced block of a language after ``before``."""
    return re.search(rf"^```{language}\n(.*?)^```$", PAGE[PAGE.index(before) :], re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example's files, and a ``squad`` that is this installation."""
    (tmp_path / "squad.yaml").write_text(block("yaml", "`squad.yaml`:"))
    (tmp_path / "list.py").write_text(block("python", "`list.py`,"))
    (tmp_path / "agents.py").write_text(block("python", "`agents.py`,"))
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/squad"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m squad.cli "$@"\n')
    script.chmod(0o700)
    return tmp_path


def test_the_example_runs_as_written(folder):
    squad = RunningSquad(folder / ".squad")
    env = {name: value for name, value in os.environ.items() if name != "SQUAD_HOME"}
    env |= {"PYTHONPATH": str(ROOT), "PATH": f"{folder}/bin:{env['PATH']}"}
    command = ["/bin/bash", "-euxo", "pipefail", "-c", block("sh", "With two folders")]
    try:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False)
        told = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        assert f"\n10 {folder}/two/b.txt\n" in done.stdout, told
        rows = squad.query("SELECT type, status, count(*) FROM tasks GROUP BY type, status ORDER BY type")
        assert [tuple(row) for row in rows] == [
            ("count_lines", "completed", 3),
            ("every_folder", "completed", 1),
            ("list_files", "completed", 2),
        ]
        results = {
            json.loads(row["result"]) for row in squad.query("SELECT result FROM tasks WHERE type = 'count_lines'")
        }
        assert results == {f"1 {folder}/one/a.txt", f"10 {folder}/two/b.txt"}
        squad.assert_nothing_left()
    finally:
        squad.end_everything()


def test_what_it_refuses_is_refused(folder):
    with RunningSquad(folder / ".squad", folder / "squad.yaml") as squad:
        task = squad.send("lister", "list_files", {"folder": "/no/such/folder"})
        squad.wait(task)
        row = squad.task(task)
        assert (row["status"], row["attempts"]) == ("failed", 1)
        assert row["error_message"].endswith("ended with status 66: /no/such/folder is no folder")


def test_the_types_on_the_page_are_types():
    declared = {}
    for text in re.findall(r"^```yaml\n(types:\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        agents = "agents: {a: {class: ./a.py:A}}\n"
        declared |= declared_types(parse(agents + text, name="page", base_dir=Path()).types)
    assert declared["review"].decode('{"path": "x"}') == {
        "path": "x", "depth": 3, "rules": [], "level": "low", "note": None,
    }  # fmt: skip
    assert declared["order"].decode('{"item": "x"}') == {"item": "x", "count": 1}


def test_the_page_names_what_there_is():
    for name in NAMES:
        assert f"`{{{name}" in PAGE
    for variable in PASSED:
        assert f"`{variable}`" in PAGE
    codes = ExitCodesConfig()
    assert (codes.retry, codes.refuse, codes.retry_after) == ([75], [64, 65], 10.0)
