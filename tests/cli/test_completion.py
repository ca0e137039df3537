"""Shell completion: what is offered, without delay, and in real shells."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from squad.home import Home
from tests.cli.a_store import Story
from tests.cli.a_tree import row, tree
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway
from tests.cli.test_program import HEAVY, squad

Offers = Callable[..., list[str]]

# The command line, to which a running squad may take as long as it does to answer; a shell gives it a moment only.
PATIENT = """
from squad.cli import completion_values, main

completion_values._ANSWER = 60.0
main()
"""
ACTORS = [
    row("supervisor", "supervisor", parent=None, state="ready"),
    row("scanner", "agent"),
    row("checker", "convoy", size=1, target=1, min=1, max=2, pinned=False, reason=""),
    row("checker-1", "worker", parent="checker"),
]
TYPES = [
    {"name": "scan", "schema": {}, "handled_by": ["scanner"]},
    {"name": "check_file", "schema": {}, "handled_by": ["checker"]},
]


def patiently(cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PATIENT],
        cwd=cwd, env=os.environ | env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def offers(home: Home) -> Offers:
    """What a shell in the home's folder offers at the end of a line; a line that ends in a blank begins a new word."""

    def ask(line: str, shell: str = "bash", cwd: Path = home.path.parent, patient: bool = True) -> list[str]:
        words = line.split(" ")
        env = {"_SQUAD_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        done = patiently(cwd=cwd, env=env) if patient else squad(cwd=cwd, env=env)
        assert (done.returncode, done.stderr) == (0, ""), line
        return [offered.removeprefix("plain,") for offered in done.stdout.splitlines() if offered]

    return ask


@pytest.fixture
def live(gateway: FakeGateway) -> FakeGateway:
    gateway.on("GET /v1/tree", (200, tree() | {"actors": ACTORS}))
    gateway.on("GET /v1/types", (200, {"types": TYPES}))
    return gateway


class TestOffers:
    def test_commands_and_options(self, offers: Offers) -> None:
        assert offers("squad doc") == ["doctor"]
        assert offers("squad convoy re") == ["resize"]
        assert offers("squad doctor --f") == ["--fix"]
        assert offers("squad status -o ") == ["table", "json"]
        assert offers("squad completion ") == ["bash", "zsh", "fish"]

    @pytest.mark.parametrize(
        ("line", "offered"),
        [
            ("squad send ", ["scanner", "checker"]),
            ("squad send sc", ["scanner"]),
            ("squad restart ", ["scanner", "checker"]),
            ("squad inspect ", ["supervisor", "scanner", "checker", "checker-1"]),
            ("squad convoy resize ", ["checker"]),
            ("squad logs scanner check", ["checker", "checker-1"]),
            ("squad message list --agent ", ["scanner", "checker"]),
            ("squad send checker ", ["check_file"]),
            ("squad message list --type ", ["scan", "check_file"]),
            ("squad message list --agent scanner --type ", ["scan"]),
            ("squad config schema sc", ["scan"]),
        ],
    )
    def test_names_and_types_of_the_running_squad(
        self, offers: Offers, live: FakeGateway, line: str, offered: list[str]
    ) -> None:
        assert offers(line) == offered

    def test_what_it_is_stands_beside_it_where_the_shell_shows_that(self, offers: Offers, live: FakeGateway) -> None:
        assert offers("squad send scanner ", "zsh") == ["plain", "scan", "handled by scanner"]
        assert offers("squad convoy show ", "zsh") == ["plain", "checker", "convoy"]

    def test_of_a_squad_that_does_not_run_what_it_left(self, offers: Offers, home: Home, story: Story) -> None:
        for recipient, kind in (("scanner", "scan"), ("checker", "check_file")):
            story.sent(recipient, kind)
        assert offers("squad send ") == []
        assert offers("squad send scanner ") == ["scan"]
        assert offers("squad config schema ") == ["check_file", "scan"]
        home.tree.write_text('{"actors": [{"name": "scanner", "kind": "agent"}, {"name": "x", "kind": "convoy"}]}')
        assert offers("squad send ") == ["scanner", "x"]

    def test_before_the_first_start_what_is_configured(self, offers: Offers, home: Home, tmp_path: Path) -> None:
        (tmp_path / "squad.yaml").write_text("agents: {a: {class: x}}\nconvoys: {b: {class: x}}\n")
        assert offers("squad send ") == ["a", "b"]
        assert offers("squad convoy show ") == ["b"]
        home.path.rmdir()
        assert offers("squad send ") == ["a", "b"]
        (tmp_path / "squad.yaml").write_text("agents: [")
        assert offers("squad send ") == []

    def test_messages_the_newest_first(self, offers: Offers, story: Story) -> None:
        ids = [story.sent("a", "t") for _ in range(3)]
        assert offers("squad message show ") == ids[::-1]
        assert offers(f"squad message show {ids[0]}") == [ids[0]]
        assert offers("squad message show ", "zsh")[:3] == ["plain", ids[2], "t to a, queued"]

    def test_the_home_that_the_line_names(self, offers: Offers, live: FakeGateway, tmp_path: Path) -> None:
        folder = tmp_path / "else" / "where"
        folder.mkdir(parents=True)
        assert offers("squad restart ", cwd=folder) == ["scanner", "checker"]
        assert offers(f"squad --home {tmp_path} restart ", cwd=folder) == []
        assert offers(f"squad --home {live.home.path} restart ", cwd=Path("/")) == ["scanner", "checker"]
        assert offers(f"squad restart --home {live.home.path} ", cwd=Path("/")) == ["scanner", "checker"]
        assert offers("squad --home /u") == ["dir,/u"]

    @pytest.mark.parametrize("line", ["squad nonsense ", "squad nonsense x", "squad send --delay soon ", "squad 'a"])
    def test_a_line_that_makes_no_sense_yet(self, offers: Offers, line: str) -> None:
        assert isinstance(offers(line), list)

    @pytest.mark.parametrize("where", ["a database", "a tree", "an answer"])
    def test_what_cannot_be_read_offers_nothing(self, offers: Offers, gateway: FakeGateway, where: str) -> None:
        if where == "a database":
            gateway.home.database.write_text("a diary" * 1000)
        elif where == "a tree":
            gateway.home.tree.write_text('{"actors": 5}')
        else:
            gateway.on("GET /v1/tree", (200, b"<html>"))
        assert offers("squad send ") == offers("squad message show ") == offers("squad send a ") == []

    def test_a_bug_leaves_the_line_alone(self, tmp_path: Path, home: Home) -> None:
        env = {"_SQUAD_COMPLETE": "bash_complete", "COMP_WORDS": "squad ", "COMP_CWORD": "no number"}
        done = squad(cwd=tmp_path, env=env)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize("line", ["squad ", "squad send ", "squad send scanner ", "squad message show "])
def test_it_imports_nothing_heavy(live: FakeGateway, story: Story, line: str) -> None:
    story.sent("scanner", "scan")
    env = {"_SQUAD_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = patiently(cwd=live.home.path.parent, env=env | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.stdout
    imported = {told.rpartition("|")[2].strip() for told in done.stderr.splitlines()}
    assert "squad.cli" in imported
    assert not imported & {*HEAVY, "asyncio"}


def test_a_squad_that_is_slow_to_answer_does_not_hold_it_up(offers: Offers, live: FakeGateway) -> None:
    given_up = threading.Event()

    def late(_: Any) -> tuple[int, Any]:
        given_up.wait(60)
        return 200, tree()

    live.on("GET /v1/tree", late)
    live.home.tree.write_text('{"actors": [{"name": "saved", "kind": "agent"}]}')
    assert offers("squad send ", patient=False) == ["saved"]
    given_up.set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_SQUAD_COMPLETE={shell}_complete" in result.stdout


def test_another_shell(run: Run) -> None:
    result = run("completion", "csh")
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr


class Keyboard:
    """An interactive shell on a terminal, at which a test types."""

    def __init__(self, command: list[str], cwd: Path, path: Path) -> None:
        self._mine, theirs = pty.openpty()
        env = {"PATH": f"{path}:{os.environ['PATH']}", "HOME": str(cwd), "TERM": "dumb", "PS1": "> ", "LC_ALL": "C"}
        self.process = subprocess.Popen(
            command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        )
        os.close(theirs)
        self.screen = ""

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode())

    def wait_for(self, text: str, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} is not on the screen: {self.screen!r}"
            if select.select([self._mine], [], [], 0.1)[0]:
                self.screen += os.read(self._mine, 65536).decode(errors="replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait(60)
        os.close(self._mine)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a ``squad`` in it that is this one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "squad"
    (folder / "patient.py").write_text(PATIENT)
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/patient.py" "$@"\n')
    script.chmod(0o700)
    return folder


@pytest.fixture
def keyboard(live: FakeGateway, program: Path) -> Iterator[Callable[..., Keyboard]]:
    opened: list[Keyboard] = []

    def sit_down(*command: str) -> Keyboard:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        opened.append(Keyboard(list(command), live.home.path.parent, program))
        return opened[-1]

    yield sit_down
    for each in opened:
        each.close()


class TestShells:
    def test_bash(self, keyboard: Callable[..., Keyboard]) -> None:
        bash = keyboard("bash", "--norc", "--noprofile", "-i")
        bash.type('eval "$(squad completion bash)"; echo lo""aded\n')
        bash.wait_for("loaded")
        bash.type("squad send scan\t")
        bash.wait_for("squad send scanner ")
        bash.type("\t")
        bash.wait_for("squad send scanner scan")
        bash.type("\nsquad convoy show che\t")
        bash.wait_for("squad convoy show checker")

    def test_zsh(self, keyboard: Callable[..., Keyboard]) -> None:
        zsh = keyboard("zsh", "-f", "-i")
        zsh.type('autoload -Uz compinit; compinit -D -u; eval "$(squad completion zsh)"; echo lo""aded\n')
        zsh.wait_for("loaded")
        zsh.type("squad send scan\t")
        zsh.wait_for("scanner")

    def test_fish(self, live: FakeGateway, program: Path) -> None:
        fish = shutil.which("fish")
        if fish is None:
            pytest.skip("fish is not installed")
        folder = live.home.path.parent
        env = {"PATH": f"{program}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        script = "squad completion fish | source; complete -C 'squad send '; complete -C 'squad send scanner '"
        done = subprocess.run(
            [fish, "--no-config", "-c", script],
            cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        offered = [line.partition("\t")[0] for line in done.stdout.splitlines()]
        assert offered == ["checker", "scanner", "scan"], done.stderr
