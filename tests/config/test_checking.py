"""Looking at the users' classes in a child: nothing that their modules do reaches this process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from squad.config import child
from squad.config.checking import ClassReport, check_in_child
from squad.config.load import load


def no_faults(cls: type[Any]) -> list[str]:
    return []


def name_of(cls: type[Any]) -> Any:
    return {"name": cls.__name__, "pid": os.getpid()}


def checked(folder: Path, agents: dict[str, str], *, time_limit: float = 120.0, **arguments: Any) -> ClassReport:
    lines = [f"  {name}:\n    class: {reference}\n" for name, reference in agents.items()]
    (folder / "squad.yaml").write_text("agents:\n" + "".join(lines))
    demands: dict[str, Any] = {"base": object, "check": no_faults, "describe": name_of} | arguments
    return check_in_child(load(Path("squad.yaml")), time_limit=time_limit, **demands)


def test_good_classes_are_described_and_none_of_it_runs_here(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(
        "import sys\nprint('loud')\nsys.stderr.write('louder')\nclass A: pass\nclass B: pass\n"
    )
    report = checked(folder, {"one": "./mine.py:A", "two": "./mine.py:B", "three": "./mine.py:A"})
    assert report.problems == ()
    assert {name: found["name"] for name, found in report.descriptions.items()} == {
        "one": "A",
        "two": "B",
        "three": "A",
    }
    assert {found["pid"] for found in report.descriptions.values()}.isdisjoint({os.getpid()})
    assert "mine" not in sys.modules
    assert str(folder) not in sys.path
    assert capfd.readouterr() == ("", "")


def test_every_class_that_fails_is_a_problem_at_its_line(folder: Path) -> None:
    (folder / "mine.py").write_text("class A: pass\n")
    (folder / "broken.py").write_text("import nonexistent_thing\n")
    report = checked(
        folder, {"one": "./broken.py:A", "two": "./mine.py:A", "three": "./mine.py:B", "four": "./gone.py:A"}
    )
    assert [(problem.where, problem.what.splitlines()[0]) for problem in report.problems] == [
        ("squad.yaml:3", "./broken.py does not import: ModuleNotFoundError: No module named 'nonexistent_thing'"),
        ("squad.yaml:7", "./mine.py has no class 'B'"),
        ("squad.yaml:9", f"there is no file ./gone.py in {folder}"),
    ]
    assert list(report.descriptions) == ["two"]


def test_faults_that_the_caller_finds_are_problems_too(folder: Path) -> None:
    (folder / "mine.py").write_text("class A: pass\n")
    report = checked(folder, {"one": "./mine.py:A"}, check=lambda cls: ["handles no message"])
    assert [str(problem) for problem in report.problems] == ["squad.yaml:3: ./mine.py:A handles no message"]
    assert report.descriptions == {}


def test_an_examination_that_fails_is_a_problem(folder: Path) -> None:
    (folder / "mine.py").write_text("class A: pass\n")
    for arguments in ({"check": lambda cls: cls.nothing}, {"describe": lambda cls: {1, 2}}):
        (problem,) = checked(folder, {"one": "./mine.py:A"}, **arguments).problems
        assert problem.what.startswith("./mine.py:A cannot be examined: ")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import sys\nsys.exit()\n", "./bad.py does not import: SystemExit"),
        ("import os\nos._exit(0)\n", "./bad.py:A ended the process with status 0 while it was imported"),
        ("import os\nos.abort()\n", "./bad.py:A was ended by signal 6 (Aborted) while it was imported"),
        ("raise KeyboardInterrupt\n", "./bad.py:A ended the process with status 70 while it was imported"),
        (
            "import os\nos.closerange(0, 99)\nos._exit(3)\n",
            "./bad.py:A ended the process with status 3 while it was imported",
        ),
    ],
)
def test_a_module_that_ends_its_process_does_not_hide_the_others(folder: Path, source: str, what: str) -> None:
    (folder / "bad.py").write_text(source)
    (folder / "mine.py").write_text("class A: pass\n")
    report = checked(folder, {"one": "./mine.py:A", "two": "./bad.py:A", "three": "./mine.py:B", "four": "./mine.py:A"})
    assert [(problem.where, problem.what.splitlines()[0]) for problem in report.problems] == [
        ("squad.yaml:5", what),
        ("squad.yaml:7", "./mine.py has no class 'B'"),
    ]
    assert list(report.descriptions) == ["one", "four"]


@pytest.mark.parametrize("body", ["while True: pass", "while True: print('x' * 999)", "import time\ntime.sleep(600)"])
def test_an_endless_import_is_given_up_and_leaves_nothing(
    folder: Path, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def monotonic() -> float:
        """The time is over when both processes have said who they are, and not before."""
        said = (folder / "pids").read_text().split() if (folder / "pids").exists() else []
        return 3600.0 if len(said) == 2 else 0.0

    monkeypatch.setattr(child, "time", SimpleNamespace(monotonic=monotonic))
    (folder / "bad.py").write_text(f"import os\nos.fork()\nopen('pids', 'a').write(f'{{os.getpid()}} ')\n{body}\n")
    (problem,) = checked(folder, {"one": "./bad.py:A"}, time_limit=1.0).problems
    assert problem.what == "./bad.py:A was still running after 1.0s while it was imported"
    pids = (folder / "pids").read_text().split()
    assert len(pids) == 2
    for pid in pids:
        assert_ends(int(pid))


def assert_ends(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:  # an orphan waits for init, which may be slow to bury it
            assert psutil.wait_procs([process], timeout=60)[0]


def test_the_child_dies_with_its_parent(folder: Path) -> None:
    program = (
        "import os, time\n"
        "from squad.config import child\n"
        "def work(say):\n"
        "    open('pid', 'w').write(str(os.getpid()))\n"
        "    os.rename('pid', 'pid.ready')\n"
        "    time.sleep(600)\n"
        "child.run(work, 600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=folder)
    deadline = time.monotonic() + 60
    while not (folder / "pid.ready").exists():
        assert parent.poll() is None
        assert time.monotonic() < deadline
    parent.kill()
    parent.wait()
    assert_ends(int((folder / "pid.ready").read_text()))


def test_what_a_dying_module_printed_last_is_told(folder: Path) -> None:
    (folder / "bad.py").write_text("import os, sys\nsys.stderr.write('\\x1b[31mno licence\\n')\nos._exit(1)\n")
    (problem,) = checked(folder, {"one": "./bad.py:A"}).problems
    assert problem.hint.endswith(r"it last printed '\x1b[31mno licence'")


def test_the_child_has_no_terminal_no_input_and_none_of_our_files(folder: Path) -> None:
    def look(cls: type[Any]) -> Any:
        return {
            "input": sys.stdin.read(),
            "group": os.getpgrp(),
            "open": len(list(Path("/proc/self/fd").iterdir())),
        }

    (folder / "mine.py").write_text("class A: pass\n")
    with (folder / "held").open("w"):
        found = checked(folder, {"one": "./mine.py:A"}, describe=look).descriptions["one"]
    assert found["input"] == ""
    assert found["group"] != os.getpgrp()
    assert found["open"] <= 5  # input, output, errors, the report; and the folder that was listed


def test_reports_survive_a_child_that_says_much_and_then_dies() -> None:
    def work(say: child.Say) -> None:
        for number in range(2000):
            say({"number": number, "filler": "x" * 500})
        os._exit(5)

    ended = child.run(work, 60.0)
    assert [said["number"] for said in ended.said] == list(range(2000))
    assert ended.fate == "ended the process with status 5"


def test_output_is_kept_only_in_part() -> None:
    ended = child.run(lambda say: [print("y" * 100) for _ in range(1000)] and say("done"), 60.0)
    assert (ended.said, ended.fate) == (("done",), "")
    assert 0 < len(ended.output) <= 2000
