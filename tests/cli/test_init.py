"""``squad init``: what it writes and what it refuses. That it all works is in tests/test_init.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from squad.templates import TEMPLATES, render
from tests.cli.conftest import Run

FILES = {".gitignore", "README.md", "agents.py", "squad.yaml", "test_agents.py"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where ``run`` runs."""
    return tmp_path


@pytest.fixture(autouse=True)
def _no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin:{os.environ['PATH']}")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_written(run: Run, folder: Path, template: str) -> None:
    result = run("init", template, "--into", "my squad")
    assert (result.exit_code, result.stdout) == (0, "")
    assert {path.name for path in (folder / "my squad").iterdir()} == FILES
    assert yaml.safe_load((folder / "my squad/squad.yaml").read_text())["name"] == "my squad"
    assert all("{{name}}" not in path.read_text() for path in (folder / "my squad").iterdir())


def test_it_says_what_to_type_next(run: Run, folder: Path) -> None:
    said = run("init", "--into", "my squad").stderr
    assert said.startswith(f"wrote basic, {TEMPLATES['basic']}, into {folder}/my squad:\n  .gitignore\n")
    _, _, commands = said.partition("now type:\n")
    first, *others = [line.strip() for line in commands.splitlines()]
    assert first == "cd 'my squad'"
    assert [line.split()[:2] for line in others] == [
        ["python", "-m"], ["squad", "start"], ["squad", "send"], ["squad", "stop"],
    ]  # fmt: skip


def test_into_this_folder_by_default(run: Run, folder: Path) -> None:
    assert "cd " not in run("init").stderr
    assert {path.name for path in folder.iterdir()} - {".squad"} == FILES


def test_what_this_shell_still_needs_comes_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("squad.cli.init.find_spec", lambda _: None)
    lines = run("init", "--into", "x").stderr.partition("now type:\n")[2].splitlines()
    assert [line.strip() for line in lines[:3]] == [
        f"source {sys.prefix}/bin/activate", "cd x", "python -m pip install pytest",
    ]  # fmt: skip


def test_nothing_is_overwritten(run: Run, folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    (folder / "agents.py").symlink_to("nowhere")
    result = run("init")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"squad: nothing was written: {folder} has files which would be overwritten\n"
        "  README.md: is there already\n"
        "  agents.py: is there already\n"
        "hint: write it into another folder: squad init --into DIR\n"
    )
    assert {path.name for path in folder.iterdir()} == {".squad", "README.md", "agents.py"}
    assert (folder / "README.md").read_text() == "mine"


def test_a_file_that_comes_in_between_is_not_overwritten(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "agents.py").write_text("mine")
    monkeypatch.setattr("os.path.lexists", lambda _: False)  # it was not there when it was looked for
    result = run("init")
    assert result.exit_code == 1
    assert "agents.py: File exists" in result.stderr
    assert {path.name for path in folder.iterdir()} == {".squad", "agents.py"}
    assert (folder / "agents.py").read_text() == "mine"


def test_where_nothing_can_be_written(run: Run, folder: Path) -> None:
    (folder / "file").touch()
    for into in ("file", "file/below"):
        result = run("init", "--into", into)
        assert result.exit_code == 1, result.stderr
        assert "nothing was written" in result.stderr


def test_an_unknown_template(run: Run, folder: Path) -> None:
    result = run("init", "bsic")
    assert result.exit_code == 2
    assert result.stderr == (
        "squad: there is no template 'bsic' (did you mean 'basic'?)\n"
        f"hint: there are basic ({TEMPLATES['basic']}); minimal ({TEMPLATES['minimal']})\n"
    )
    assert run("init", "qqq").stderr.startswith("squad: there is no template 'qqq'\n")
    assert [path.name for path in folder.iterdir()] == [".squad"]


@pytest.mark.parametrize(
    ("folder_name", "name"),
    [
        ("hello", "hello"),
        ("Überwachung", "Uberwachung"),
        ("no", "no"),
        ("123", "123"),
        ("a'b\"c: {d}", "a-b-c- -d"),
        ("日本", "squad"),
        ("-x-", "x"),
        ("y" * 100, "y" * 64),
    ],
)
def test_the_squad_is_named_for_its_folder(run: Run, folder: Path, folder_name: str, name: str) -> None:
    run("init", "minimal", "--into", folder_name)
    result = run("config", "show", str(folder / folder_name / "squad.yaml"), "-o", "json")
    assert result.exit_code == 0, result.stderr
    assert f'"name": "{name}"' in result.stdout


def test_there_is_a_folder_for_each_template_and_the_help_names_it(run: Run) -> None:
    import squad.templates

    there = {path.name for path in Path(squad.templates.__file__).parent.iterdir() if path.is_dir()}
    assert there - {"__pycache__"} == TEMPLATES.keys()
    shown = run("init", "--help").stdout
    for name in TEMPLATES:
        assert name in shown
        assert render(name, "x").keys() == FILES
