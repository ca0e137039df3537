"""Commands as processes: what they say is kept within bounds, and nothing of them stays behind, whatever they do."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.agents import commandrun
from squad.actors.agents.commandrun import Ended, Job, Lines, Tail
from squad.actors.agents.nursery import HOME, TASK, Nursery, NurseryLostError, end_tasks
from tests.running import ROOT, eventually

SH = "/bin/sh"


class Room:
    """A nursery, and what its commands said on standard error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nursery = Nursery("test")
        self.heard: list[str] = []

    def job(
        self, script: str, *, timeout: float = 20.0, limit: int = 100_000, stdin: bytes = b"", program: str = SH
    ) -> Job:
        environment = {"PATH": os.defpath, TASK: "test.1/x", HOME: str(self.folder)}
        return Job("test.1/x", program, ("sh", "-c", script), str(self.folder), environment, stdin, timeout, limit)

    def run(self, script: str, **arguments: object) -> Ended:
        return self.nursery.run(self.job(script, **arguments), self.heard.extend)  # type: ignore[arg-type]

    def later(self, script: str, **arguments: object) -> Callable[[], Ended | Exception]:
        """Run it on a thread; the answer, once it is there, comes from what is returned."""
        ended: list[Ended | Exception] = []

        def run() -> None:
            try:
                ended.append(self.run(script, **arguments))
            except Exception as error:
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def answer() -> Ended | Exception:
            thread.join(30)
            return ended[0]

        return answer

    def pid(self, name: str) -> int:
        """The process that wrote its number into the file ``name``."""
        return pid_in(self.folder / name)


def pid_in(path: Path) -> int:
    return int(eventually(lambda: path.exists() and path.read_text().strip(), path.name))


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def opened(folder: Path) -> Iterator[Room]:
    made = Room(folder)
    yield made
    made.nursery.close()
    eventually(lambda: not made.nursery.process.is_alive(), "the nursery has ended")
    assert end_tasks(str(folder), "") == 0, "a command was left running"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with opened(tmp_path) as made:
        yield made


# -- what it says --------------------------------------------------------------------------------------------------


def test_status_output_and_errors(room):
    assert room.run("echo out; echo err >&2; exit 3") == Ended(3, "", b"out\n", 0, b"err\n", 0)
    assert room.heard == ["err"]


def test_input_is_read_and_the_directory_is_its_own(room):
    assert room.run("cat; pwd", stdin=b"x" * 300_000, limit=1_000_000).output == b"x" * 300_000 + bytes(
        f"{room.folder}\n", "ascii"
    )


def test_a_command_that_closes_its_input_early_is_no_trouble(room):
    ended = room.run("exec <&-; echo done", stdin=b"x" * 1_000_000)
    assert (ended.status, ended.output) == (0, b"done\n")
    assert room.run("true", stdin=b"x" * 1_000_000).status == 0


def test_only_the_end_of_the_output_is_kept(room):
    ended = room.run("yes 0123456789 | head -c 50000004; echo end", limit=1000)
    assert len(ended.output) == 1000
    assert ended.output.endswith(b"\n0123456789end\n")
    assert ended.output_cut == 50_000_004 + 4 - 1000
    assert ended.status == 0


def test_huge_output_takes_no_memory(room):
    pid = room.nursery.process.pid
    before = psutil.Process(pid).memory_info().rss
    room.run("head -c 300000000 /dev/zero; head -c 300000000 /dev/zero >&2", limit=100_000)
    assert psutil.Process(pid).memory_info().rss - before < 5_000_000


def test_binary_output_is_kept_as_it_is(room):
    every = bytes(range(256))
    (room.folder / "data").write_bytes(every)
    assert room.run("cat data; cat data >&2").output == every
    assert "\\xff" in room.heard[-1]


def test_lines_without_an_end_and_progress_bars_are_cut(room):
    room.run("printf '10%%\\r20%%\\r'; head -c 9000 /dev/zero | tr '\\0' x >&2; printf 'last' >&2")
    assert "".join(room.heard) == "x" * 9000 + "last"
    assert max(map(len, room.heard)) <= 4000


def test_standard_error_in_the_log_is_bounded(room):
    ended = room.run("yes | head -c 1000000 >&2", limit=1000)
    assert sum(map(len, room.heard)) < 1100
    assert room.heard[-1].endswith("… and more, which is not logged")
    assert len(ended.errors) == 7000


@given(st.lists(st.binary(max_size=30)), st.integers(1, 40))
def test_a_tail_is_the_end_of_what_was_added(pieces, limit):
    tail = Tail(limit)
    for piece in pieces:
        tail.add(piece)
    whole = b"".join(pieces)
    assert tail.content() == whole[-limit:]
    assert tail.cut == max(0, len(whole) - limit)


@given(st.lists(st.text("ab\n", max_size=20)))
def test_lines_are_those_of_the_text_however_it_comes(pieces):
    lines = Lines(10_000)
    found = [line for piece in pieces for line in lines.add(piece.encode())] + lines.rest()
    assert found == [line for line in "".join(pieces).split("\n") if line]


# -- how it starts ----------------------------------------------------------------------------------------------------


def test_what_cannot_be_started_says_why(room):
    assert room.nursery.run(room.job("", program="/no/such"), print).problem == "/no/such: no such file or directory"
    assert room.nursery.run(room.job("", program="/etc"), print).problem == "/etc: permission denied"
    text = room.folder / "text"
    text.write_text("echo no interpreter\n")
    text.chmod(0o700)
    assert "exec format error" in room.nursery.run(room.job("", program=str(text)), print).problem
    nowhere = room.job("true")._replace(directory="/no/such/folder")
    assert (
        room.nursery.run(nowhere, print).problem == "its working directory /no/such/folder: no such file or directory"
    )
    too_much = room.job("x" * 3_000_000)
    assert "argument list too long" in room.nursery.run(too_much, print).problem
    assert room.run("echo fine").output == b"fine\n"


def test_it_has_a_session_and_only_its_own_environment_and_descriptors(room):
    ended = room.run("ps -o sid= -p $$; echo $$; env | sort; ls /proc/self/fd | wc -l")
    session, pid, *rest = ended.output.decode().split()
    assert session == pid
    assert {line.partition("=")[0] for line in rest[:-1]} <= {"HOME", "OLDPWD", "PATH", "PWD", "_", TASK, HOME, "SHLVL"}
    assert rest[-1] == "4"  # the three, and that of the listing


# -- how it ends ------------------------------------------------------------------------------------------------------


def test_a_time_out_ends_it(room):
    ended = room.run("echo begun; sleep 600", timeout=3.0)
    assert (ended.why, ended.status, ended.output) == ("timeout", -signal.SIGTERM, b"begun\n")


def test_one_that_ignores_sigterm_is_killed(room):
    began = time.monotonic()
    ended = room.run("trap '' TERM; while :; do sleep 0.1; done", timeout=3.0)
    assert (ended.why, ended.status) == ("timeout", -signal.SIGKILL)
    assert time.monotonic() - began > 4.0


def test_one_that_cleans_up_on_sigterm_has_the_time(room):
    answer = room.later("trap 'echo cleaned; exit 7' TERM; echo $$ > me; while :; do sleep 0.05; done")
    room.pid("me")
    room.nursery.end("", "timeout", grace=30.0)
    ended = answer()
    assert (ended.why, ended.status, ended.output) == ("timeout", 7, b"cleaned\n")


@pytest.mark.parametrize(
    "stray", ["sleep 300", "setsid sleep 300", "setsid sh -c 'trap \"\" TERM; touch deaf; sleep 300; sleep 300'"]
)
def test_grandchildren_end_with_it_on_time_out_in_whatever_session(room, stray):
    answer = room.later(f"({stray} & echo $! > stray); sleep 600")
    pid = room.pid("stray")
    if "deaf" in stray:
        eventually((room.folder / "deaf").exists, "it is deaf by now")
    room.nursery.end("", "timeout")
    assert answer().why == "timeout"
    assert gone(pid)


def test_what_it_leaves_running_is_ended_and_counted(room):
    ended = room.run("setsid sleep 300 & echo $! > stray; echo done")
    assert (ended.status, ended.why, ended.output, ended.left) == (0, "", b"done\n", 1)
    assert gone(room.pid("stray"))


def test_what_it_leaves_running_for_a_moment_may_end_by_itself(monkeypatch, tmp_path):
    monkeypatch.setattr(commandrun, "_LINGER", 60.0)  # the nursery is forked with it
    with opened(tmp_path) as room:
        ended = room.run("(sleep 0.1; echo later) & echo first")
    assert (ended.output, ended.left) == (b"first\nlater\n", 0)


def test_a_daemon_that_forks_twice_and_forgets_its_environment_is_found(room):
    program = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        for fd in range(3): os.close(fd)\n"
        "        open('stray', 'w').write(str(os.getpid()))\n"
        "        os.execve('/bin/sleep', ['sleep', '300'], {})\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "while not os.path.exists('stray'): time.sleep(0.01)\n"
    )
    (room.folder / "daemon.py").write_text(program)
    ended = room.run(f"exec {sys.executable} daemon.py")
    assert (ended.status, ended.left) == (0, 1)
    assert gone(room.pid("stray"))


def test_an_order_to_end_it_is_obeyed_and_given_a_reason(room):
    answer = room.later("echo $$ > me; sleep 60")
    pid = room.pid("me")
    assert room.nursery.end("test.1/x", "cancelled")
    ended = answer()
    assert (ended.why, ended.status) == ("cancelled", -signal.SIGTERM)
    assert gone(pid)
    assert not room.nursery.end("", "cancelled"), "nothing runs"
    assert room.run("echo next").output == b"next\n"


def test_an_order_for_another_job_has_no_effect(room):
    answer = room.later("echo $$ > me; sleep 0.3; echo done")
    room.pid("me")
    assert not room.nursery.end("test.1/y", "cancelled")
    assert answer().output == b"done\n"


def test_an_order_may_leave_it_some_time_and_another_grace(room):
    answer = room.later("trap '' TERM; echo $$ > me; while :; do sleep 0.05; done")
    room.pid("me")
    began = time.monotonic()
    room.nursery.end("", "stopped", after=0.5, grace=0.1)
    ended = answer()
    assert (ended.why, ended.status) == ("stopped", -signal.SIGKILL)
    assert time.monotonic() - began > 0.5


# -- the two processes ------------------------------------------------------------------------------------------------

OWNER = """
import sys
from pathlib import Path
from tests.actors.agents.test_nursery import Room
room = Room(Path(sys.argv[1]))
print(room.nursery.process.pid, flush=True)
room.run("setsid sh -c 'echo $$ > stray; trap \\"\\" TERM; sleep 300; sleep 300' & echo $$ > me; sleep 300")
"""


def test_the_death_of_the_agent_ends_everything_at_once(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ}
    )
    assert owner.stdout is not None
    nursery = int(owner.stdout.readline())
    pids = [nursery, pid_in(tmp_path / "me"), pid_in(tmp_path / "stray")]
    owner.kill()
    owner.wait()
    owner.stdout.close()
    eventually(lambda: all(map(gone, pids)), "all gone")


def test_the_death_of_the_nursery_is_noticed_and_what_it_ran_is_ended(room):
    answer = room.later("setsid sleep 300 & echo $! > stray; echo $$ > me; sleep 300")
    pids = [room.pid("me"), room.pid("stray")]
    os.kill(room.nursery.process.pid, signal.SIGKILL)
    assert isinstance(answer(), NurseryLostError)
    eventually(lambda: all(map(gone, pids)), "both gone")


def test_no_zombie_and_no_descriptor_is_left_over_200_runs(room):
    nursery = psutil.Process(room.nursery.process.pid)
    room.run("true")
    gc.collect()  # what an earlier test left may hold descriptors
    before = nursery.num_fds(), psutil.Process().num_fds()
    for number in range(200):
        script = ("true", "echo x; echo y >&2", "exit 1", "(sleep 0.01 &) ; true")[number % 4]
        room.run(script, stdin=b"x" * (number * 100))
        if number % 50 == 0:
            room.nursery.run(room.job("", program="/no/such"), print)
    assert nursery.children(recursive=True) == []
    assert (nursery.num_fds(), psutil.Process().num_fds()) == before


def test_a_command_that_starts_many_short_lived_children_leaves_no_zombies_meanwhile(room):
    answer = room.later("for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c : &); done; echo $$ > me; sleep 60")
    me = room.pid("me")
    nursery = psutil.Process(room.nursery.process.pid)
    eventually(lambda: [child.pid for child in nursery.children()] == [me], "only the command itself")
    room.nursery.end("", "cancelled")
    assert answer().left == 0
