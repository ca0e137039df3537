"""The scripts in bin/, in a small repository of their own whose project needs nothing from the network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parent.parent / "bin"
PATIENCE = 150.0  # seconds

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "mini"
version = "1"
"""

# Builds an editable wheel by hand. While there is a file `hold`, it says that it is at work and waits.
BACKEND = """
import pathlib, time, zipfile

INFO = "mini-1.dist-info"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    root = pathlib.Path.cwd()
    (root / "built").open("a").write("once\\n")
    if (root / "hold").exists():
        (root / "at-work").touch()
        while (root / "hold").exists():
            time.sleep(0.01)
    dependencies = "".join(f"Requires-Dist: {line}\\n" for line in (root / "needs").read_text().splitlines())
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / "mini-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("mini.pth", str(root))
        about = "Metadata-Version: 2.1\\nName: mini\\nVersion: 1\\nProvides-Extra: dev\\n"
        wheel.writestr(f"{INFO}/METADATA", about + dependencies)
        how = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{INFO}/WHEEL", how)
        wheel.writestr(f"{INFO}/entry_points.txt", "[console_scripts]\\nsquad = mini:main\\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    return "mini-1-py3-none-any.whl"
"""

# Stands in for the command line: says who it is and with what it was called.
PROGRAM = """
import os, sys

def main():
    print(os.getpid(), sys.prefix, *sys.argv[1:], sep="|")
    return 7
"""

# Stands in for pytest: leaves a process behind when it is told to.
PYTEST = """
import subprocess, sys
print("|".join(sys.argv[1:]))
if "--leave" in sys.argv:
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(["sleep", "600"], stdin=nothing, stdout=nothing, stderr=nothing)
    print("left", child.pid)
sys.exit(5 if "--fail" in sys.argv else 0)
"""


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self, needs: str = "") -> Repository:
        shutil.copytree(BIN, self.root / "bin")
        for name, text in {
            "pyproject.toml": PROJECT,
            "backend.py": BACKEND,
            "mini.py": PROGRAM,
            "pytest.py": PYTEST,
            "needs": needs,
        }.items():
            (self.root / name).write_text(text)
        return self

    def start(self, script: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHON", "PYTHONPATH", "SQUAD_TEST_MARK")}
        temporary = self.root.parent / "temporary"  # a pip that is interrupted leaves its folders there
        temporary.mkdir(exist_ok=True)
        return subprocess.Popen(
            [self.root / "bin" / script, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd="/",
            env=clean | {"PYTHON": sys.executable, "TMPDIR": str(temporary)} | (env or {}),
            start_new_session=True,
        )

    def run(self, script: str, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        """(status, standard output, standard error)"""
        process = self.start(script, *arguments, env=env)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    @property
    def builds(self) -> int:
        return len((self.root / "built").read_text().splitlines())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose environment was made by its first command."""
    repository = Repository(tmp_path_factory.mktemp("a place") / "the repository").make()
    status, out, err = repository.run("squad", "one", "two words")
    assert status == 7, err
    assert out.endswith(f"|{repository.root}/.venv|one|two words\n"), "its own output only, all else on standard error"
    assert "making" in err
    return repository


@pytest.fixture
def copy(made: Repository, tmp_path: Path) -> Repository:
    """The same, moved to another place."""
    return Repository(Path(shutil.copytree(made.root, tmp_path / "moved", symlinks=True)))


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def test_the_second_time_it_only_compares(made: Repository) -> None:
    builds = made.builds
    status, _, err = made.run("squad")
    assert (status, err) == (7, "")
    assert made.builds == builds


def test_squad_start_is_squad_start_in_the_same_process(made: Repository) -> None:
    process = made.start("squad-start", "--config", "a file.yaml")
    out, err = process.communicate(timeout=PATIENCE)
    assert out == f"{process.pid}|{made.root}/.venv|start|--config|a file.yaml\n", err
    assert process.returncode == 7


def test_it_can_be_called_through_a_link(made: Repository, tmp_path: Path) -> None:
    links = tmp_path / "a link"
    links.mkdir()
    (links / "over").symlink_to(made.root / "bin" / "squad-start")
    (links / "sq").symlink_to("over")
    done = subprocess.run(["./sq"], cwd=links, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert f"|{made.root}/.venv|start\n" in done.stdout, done.stderr


def test_a_changed_project_is_installed_again_in_the_same_environment(made: Repository) -> None:
    builds = made.builds
    (made.root / "pyproject.toml").write_text(PROJECT + "description = 'changed'\n")
    status, _, err = made.run("squad")
    assert status == 7
    assert "up to date" in err
    assert made.builds == builds + 1


def test_an_environment_without_its_interpreter_is_made_anew(copy: Repository) -> None:
    (copy.root / ".venv" / "bin" / "python").unlink()
    (copy.root / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    status, _, err = copy.run("squad")
    assert status == 7, err


def test_when_moved_it_is_made_anew_and_two_at_once_install_once_and_an_interruption_is_mended(
    made: Repository, copy: Repository
) -> None:
    hold = copy.root / "hold"
    hold.touch()
    builds = copy.builds
    killed = copy.start("squad")
    until((copy.root / "at-work").exists, "the first installs")
    os.killpg(killed.pid, signal.SIGKILL)
    assert "making" in killed.communicate(timeout=PATIENCE)[1], "its scripts name the old place"
    (copy.root / "at-work").unlink()

    first = copy.start("squad")
    until((copy.root / "at-work").exists, "the second installs")
    second = copy.start("squad")
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()
    hold.unlink()
    assert "making" in first.communicate(timeout=PATIENCE)[1], "what was left half made is not trusted"
    out, _ = second.communicate(timeout=PATIENCE)
    assert (first.returncode, second.returncode) == (7, 7)
    assert copy.builds == builds + 2
    assert out.endswith(f"|{copy.root}/.venv\n")
    assert str(made.root) not in (copy.root / ".venv" / "bin" / "squad").read_text()


def fake_python(folder: Path, *, version: str = "3.11", old: bool = False) -> Path:
    """An interpreter that is too old, or new enough and without the module venv."""
    folder.mkdir()
    script = folder / "python3"
    is_old = 1 if old else 0
    script.write_text(
        f'#!/bin/sh\ncase $2 in *print*) echo {version};; *"import venv"*) exit 1;; *) exit {is_old};; esac\n'
    )
    script.chmod(0o755)
    return script


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "old", version="3.9", old=True)
    status, out, err = Repository(tmp_path / "repository").make().run("squad", env={"PYTHON": str(python)})
    assert (status, out) == (1, "")
    assert "Python 3.11 or newer is needed" in err
    assert "is 3.9" in err
    assert not (tmp_path / "repository" / ".venv").exists()


def test_a_missing_venv_module_names_its_package(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "bare", version="3.12")
    status, _, err = Repository(tmp_path / "repository").make().run("squad", env={"PYTHON": str(python)})
    assert status == 1
    assert "apt-get install python3.12-venv" in err


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    status, _, err = Repository(tmp_path / "repository").make().run("squad", env={"PYTHON": "/nowhere/python"})
    assert status == 1
    assert "/nowhere/python" in err


@pytest.fixture
def tests(made: Repository) -> Iterator[Repository]:
    """A repository whose environment has the tools for tests."""
    status, _, err = made.run("test")
    assert status == 0, err
    yield made


def test_bin_test_passes_its_arguments_and_the_status(tests: Repository) -> None:
    parallel = "-n|3|--dist|worksteal"
    status, out, err = tests.run("test", "-k", "two words", "--fail")
    assert (status, out, err) == (5, f"{parallel}|-m|not slow and not thespian_suite|-k|two words|--fail\n", "")
    status, out, err = tests.run("test", "--slow", "-x")
    assert (status, out, err) == (0, f"{parallel}|-x\n", "")
    status, out, err = tests.run("test", "--slow", "tests/test_a.py::test_b")
    assert (status, out, err) == (0, "tests/test_a.py::test_b\n", "")


def test_bin_test_fails_for_a_process_that_is_left_and_ends_it(tests: Repository, tmp_path: Path) -> None:
    (tmp_path / "sleep").write_text('#!/bin/sh\n[ "$1" = 0.05 ] || exec /bin/sleep "$@"\n')  # it is not on its way out
    (tmp_path / "sleep").chmod(0o755)
    status, out, err = tests.run("test", "--leave", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    pid = int(out.split()[-1])
    assert status == 1
    assert f"{pid} " in err
    assert "sleep 600" in err
    until(lambda: not Path(f"/proc/{pid}").exists(), "its end")


def test_the_tools_for_tests_stay_when_the_program_is_started_next(tests: Repository) -> None:
    builds = tests.builds
    assert tests.run("squad")[0] == 7
    assert tests.run("test")[0] == 0
    assert tests.builds == builds


def test_no_network_says_what_to_do(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository").make(needs="a-package-that-is-not-there==1\n")
    status, out, err = repository.run("squad", env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)})
    assert (status, out) == (1, "")
    assert "PIP_INDEX_URL" in err
