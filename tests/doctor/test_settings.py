from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from squad.actors.limits import needs_of
from squad.config.load import load
from squad.doctor import Subject, Verdict, settings

AGENTS = """
from squad import Agent, Context, handles, message


@message("m")
class M:
    pass


class A(Agent):
    @handles(M)
    def m(self, msg: M, ctx: Context) -> None:
        pass
"""
CONFIG = "name: a squad\nagents:\n  a:\n    class: ./agents.py:A\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "agents.py").write_text(AGENTS)
    path = tmp_path / "squad.yaml"
    path.write_text(CONFIG)
    return path


def test_without_a_configuration(subject: Subject) -> None:
    assert settings.configuration(subject).verdict == Verdict.OK
    assert "squad init writes one" in settings.configuration(subject).what


def test_one_in_order(subject: Subject, config: Path) -> None:
    assert settings.configuration(subject).what == f"{config} is in order"


def test_mistakes_are_named(subject: Subject, config: Path) -> None:
    config.write_text(CONFIG + "    tmeout: 5s\n")
    found = settings.configuration(subject)
    assert found.verdict == Verdict.FAIL
    assert "squad.yaml:5" in found.what
    assert "tmeout" in found.what
    assert found.todo == f"squad config check {config}"


def test_a_class_that_cannot_be_loaded_is_named(subject: Subject, config: Path) -> None:
    config.write_text(CONFIG.replace(":A\n", ":B\n"))
    found = settings.configuration(subject)
    assert found.verdict == Verdict.FAIL
    assert "has no class 'B'" in found.what


LOOK = """
import resource, sys
from pathlib import Path
from squad.doctor import Subject, settings
from squad.home import Home
resource.setrlimit(resource.RLIMIT_NOFILE, (100, int(sys.argv[2])))
found = settings.open_files(Subject(Home(Path(sys.argv[1]))))
print(found.verdict, found.what, found.todo, sep="\\n")
"""


@pytest.mark.parametrize("workers", [1, 60])
@pytest.mark.parametrize(("beyond", "verdict"), [(-1, "fail"), (0, "ok")])
def test_open_files(subject: Subject, config: Path, workers: int, beyond: int, verdict: str) -> None:
    config.write_text(f"{CONFIG}convoys:\n  c:\n    class: ./agents.py:A\n    min: 1\n    max: {workers}\n")
    processes, needed, _tasks = needs_of(load(config))
    assert processes > workers
    command = [sys.executable, "-c", LOOK, str(subject.home.path), str(needed + beyond)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=config.parent)
    said, what, todo = (done.stdout + "\n").split("\n")[:3]
    assert said == verdict
    assert what.startswith(f"{needed + beyond} ")
    assert f"the {processes} processes of a squad may need {needed}" in what
    assert (f"ulimit -n {needed}" in todo) is (verdict == "fail")
