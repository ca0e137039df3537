from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from squad.launcher import processes, remains

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts ``python -c PROGRAM`` with a mark, and waits for its first line."""
    started: list[subprocess.Popen[str]] = []

    def run(mark: str, program: str = "import time; print(1, flush=True); time.sleep(600)") -> subprocess.Popen[str]:
        environment = {**os.environ, processes.MARK: mark, "SPT_NOENV": "1"}
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_each_launcher_has_a_mark_of_its_own(tmp_path: Path) -> None:
    one, two = (processes.environment(tmp_path)[processes.MARK] for _ in range(2))
    assert one != two
    assert one.rpartition(":")[0] == two.rpartition(":")[0] == str(tmp_path)


def test_it_ends_what_bears_the_mark_of_the_home_and_nothing_else(tmp_path: Path, start: Start) -> None:
    doomed = [start(f"{tmp_path}:{number}a") for number in range(3)]
    spared = [start(mark) for mark in (f"{tmp_path}:x:1a", f"{tmp_path}x:1a", f"{tmp_path}/x:1a", f"x{tmp_path}:1a")]
    assert processes.end_marked(tmp_path, 60.0) == (3, 0)
    assert not any(Path(f"/proc/{process.pid}").exists() for process in doomed)
    assert [process.poll() for process in spared] == [None] * 4
    assert processes.end_marked(tmp_path, 60.0) == (0, 0)


def test_those_of_all_homes_are_known_by_their_home(tmp_path: Path, start: Start) -> None:
    one, two = start(f"{tmp_path}:1a"), start(f"{tmp_path}/a:b:1a")
    found = processes.marked()
    assert (found[tmp_path], found[tmp_path / "a:b"]) == ([one.pid], [two.pid])
    assert all(os.getpid() not in pids for pids in found.values())


FORKS = """
import os, signal, sys, time
from setproctitle import setproctitle
os.environ.pop("SQUAD_MARK")
ended, forebears = os.pipe()  # its end is that of the two processes before the last
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.close(forebears)
os.read(ended, 1)
setproctitle("squad: something with a longer title than its name was")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(120)
"""


def test_neither_a_double_fork_nor_a_title_hides_a_process(tmp_path: Path, start: Start) -> None:
    start(f"{tmp_path}:1a", FORKS)
    assert processes.end_marked(tmp_path, 60.0) == (1, 0)


BREEDS = """
import os, time
print(1, flush=True)
while True:
    if not os.fork():
        time.sleep(20)
        os._exit(0)
    time.sleep(0.002)
"""


def test_one_that_forks_all_the_time_is_ended_with_all_its_children(tmp_path: Path, start: Start) -> None:
    start(f"{tmp_path}:1a", BREEDS)
    ended, left = processes.end_marked(tmp_path, 60.0)
    assert left == 0
    assert ended >= 1
    assert processes.end_marked(tmp_path, 60.0) == (0, 0)


def test_a_stopped_process_is_ended_too(tmp_path: Path, start: Start) -> None:
    process = start(f"{tmp_path}:1a")
    process.send_signal(signal.SIGSTOP)
    assert processes.end_marked(tmp_path, 60.0) == (1, 0)


ADOPTS = """
import os, signal, sys, time
from squad.launcher import processes
processes.adopt_orphans()
if not os.fork():
    if not os.fork():
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(3)
    os._exit(0)
seen = set()
deadline = time.monotonic() + 50
while time.monotonic() < deadline:
    children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    for child in children:
        seen.add(child)
        os.kill(int(child), signal.SIGCONT)
    processes.collect()
    if not children:
        break
print(len(seen), len(children))
"""


def test_orphans_are_adopted_and_collected() -> None:
    done = subprocess.run([sys.executable, "-c", ADOPTS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "2 0\n", "its child and its grandchild, and none of them is left"


def test_sockets_are_swept_and_black_boxes_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "hand").mkdir(parents=True)
    (run / "other").mkdir()
    elsewhere = tmp_path / "elsewhere.sock"
    for path in (run / "0a1b", run / "hand" / "worker", run / "other" / "x", tmp_path / "squad.db", elsewhere):
        path.touch()
    (tmp_path / "control.path").write_text(f"{elsewhere}\n")
    assert remains.clear(tmp_path) == 0
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["run", "run/hand", "run/hand/worker", "squad.db"]
