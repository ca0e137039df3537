"""A newcomer's way, as written: ``squad init``, a passing test, a running squad, an answer, and its end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.templates import TEMPLATES, render
from tests.running import ROOT, RunningSquad

RESULTS = {
    "basic": {
        "count_words": {"words": 6},
        "counted": None,
        "report": {"texts": 1, "words": 6},
    },
    "minimal": {"greet": "Hello, Ada!"},
}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which ``squad`` and ``python`` are this installation's."""
    (tmp_path / "bin").mkdir()
    for name, arguments in (("squad", " -m squad.cli"), ("python", "")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
        script.chmod(0o700)
    left_out = ("SQUAD_HOME", "PYTEST_ADDOPTS")
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    yield env | {"PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}/bin:{env['PATH']}"}


def blocks(readme: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("template", TEMPLATES)
def test_from_init_to_a_passing_test_to_a_running_squad(tmp_path: Path, shell: dict[str, str], template: str) -> None:
    init = [str(tmp_path / "bin" / "squad"), "init", template, "--into", "hello"]
    made = subprocess.run(init, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "hello"
    first, *more = blocks((folder / "README.md").read_text())
    assert [line.strip() for line in made.stderr.partition("cd hello\n")[2].splitlines()] == first.splitlines()

    squad = RunningSquad(folder / ".squad")
    stop = "squad stop\n"
    assert first.endswith(stop)
    commands = first.removesuffix(stop) + "".join(more) + stop
    try:
        done = subprocess.run(
            ["/bin/bash", "-euxo", "pipefail", "-c", commands],
            cwd=folder, env=shell, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        told = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        assert re.search(r"\d passed", done.stdout), told
        ended = squad.query("SELECT type, status, result FROM tasks")
        assert {row["status"] for row in ended} == {"completed"}, told
        results = {row["type"]: json.loads(row["result"] or "null") for row in ended}
        wanted = RESULTS[template]
        assert {name: results[name] for name in wanted} == wanted
        if template == "basic":
            assert "%" in results["disk_space"]
        squad.assert_nothing_left()
        ignored = (folder / ".gitignore").read_text().split()
        new = {f"{path.name}/" for path in folder.iterdir()} - {f"{name}/" for name in render(template, "")}
        assert new <= set(ignored), "what running leaves is not for git"
    finally:
        squad.end_everything()


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_written_is_clean(tmp_path: Path, template: str) -> None:
    for name, text in render(template, "hello").items():
        (tmp_path / name).write_text(text)
    for check in (["check", "--select", "E,F,W,I,B,UP,SIM,ANN"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--isolated", "--line-length", "120", str(tmp_path)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_shows_the_same_commands() -> None:
    [shown] = [block for block in blocks((ROOT / "README.md").read_text()) if block.startswith("bin/squad init")]
    first = blocks(render("basic", "hello")["README.md"])[0]
    ready = "source .venv/bin/activate\npython -m pip install pytest\ncd words\n"
    assert shown == f"bin/squad init --into words\n{ready}{first}"
