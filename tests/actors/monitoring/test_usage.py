"""Readings of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from squad.actors.monitoring import usage
from squad.actors.monitoring.usage import Meter
from tests.running import eventually

Run = Callable[[str], subprocess.Popen[bytes]]
READY = "print(flush=True)\n"
BUSY = READY + "while True: pass\n"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])\n"
SHORT = "import time\nwhile time.process_time() < 0.1: pass\n"
BURST = f"""
import subprocess, sys
def run():
    for _ in range(5):
        subprocess.run([sys.executable, '-IS', '-c', {SHORT!r}])
    print(flush=True)
"""
BURSTS = BURST + READY + "while input(): run()\n"
NURSERY = f"""
import os
from setproctitle import setproctitle
{BURST}
if os.fork() == 0:
    setproctitle("squad: someone: commands")
    data = b"x" * 50_000_000
    {READY}
    while input(): run()
os.wait()
"""
STARTER = f"""
import subprocess, sys, time
CHILD = "import time\\nwhile time.process_time() < 0.5: pass\\nprint(flush=True); input()"
{READY}
input()
until = time.process_time() + 0.05  # so that it is looked below of
while time.process_time() < until: pass
child = subprocess.Popen([sys.executable, "-IS", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
{READY}
input()
{READY}
input()
child.communicate(b"end\\n")
{READY}
input()
"""
LARGE = "data = b'x' * 50_000_000\n" + READY + "input()\n"


@pytest.fixture
def run() -> Iterator[Run]:
    """Run a program of Python until it has printed a line."""
    running = []

    def make(program: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield make
    for each in running:
        with suppress(ProcessLookupError):
            os.killpg(each.pid, signal.SIGKILL)
        each.communicate()


def readings(meter: Meter, pid: int) -> tuple[float, int] | None:
    meter.next_round()
    return meter.read(pid)


def test_memory_is_what_psutil_says(run: Run) -> None:
    pid = run(LARGE).pid
    found = readings(Meter(), pid)
    assert found is not None
    assert found[1] > 50_000_000
    assert found[1] == pytest.approx(psutil.Process(pid).memory_info().rss, rel=0.1)
    assert usage.resident(pid) == pytest.approx(found[1], rel=0.1)


def test_a_new_process_has_no_cpu_and_a_busy_one_has_some(run: Run) -> None:
    meter, pid = Meter(), run(BUSY).pid
    first = readings(meter, pid)
    assert first is not None
    assert first[0] == 0
    assert eventually(lambda: (found := readings(meter, pid)) and found[0] > 5, "the CPU that it uses")


def test_what_a_process_has_started_counts_as_its_own(run: Run) -> None:
    meter, pid = Meter(), run(PARENT).pid
    assert eventually(lambda: (found := readings(meter, pid)) and found[0] > 5, "the CPU of its child")
    own = psutil.Process(pid).memory_info().rss
    found = readings(meter, pid)
    assert found is not None
    assert found[1] > own * 1.5


@pytest.mark.parametrize("program", [BURSTS, NURSERY], ids=["its own", "its nursery's"])
def test_what_came_and_went_between_two_readings_counts(run: Run, program: str) -> None:
    meter, process = Meter(), run(program)
    since = time.monotonic()
    readings(meter, process.pid)
    for _ in range(2):
        burst(process)
    found = readings(meter, process.pid)
    assert found is not None
    assert found[0] / 100 * (time.monotonic() - since) >= 0.9  # seconds of ten processes, of a tenth each
    assert found[1] < 40_000_000  # without the nursery's
    eventually(lambda: (readings(meter, process.pid) or (None,))[0] == 0, "nothing more")


def burst(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()


def test_the_whole_time_of_one_that_began_since_the_last_reading_counts_and_once(run: Run) -> None:
    meter, process = Meter(), run(STARTER)
    since = time.monotonic()
    readings(meter, process.pid)
    burst(process)  # its child has used half a second, and waits
    found = readings(meter, process.pid)
    assert found is not None
    assert found[0] / 100 * (time.monotonic() - since) >= 0.5
    burst(process)  # the child used nothing more
    readings(meter, process.pid)
    since = time.monotonic()
    burst(process)  # its time moves to its parent's account
    until = time.monotonic()
    after = readings(meter, process.pid)
    assert after is not None
    assert after[0] / 100 * (until - since) < 0.45


def test_one_that_has_ended_is_told(run: Run) -> None:
    meter, process = Meter(), run(LARGE)
    assert readings(meter, process.pid) is not None
    process.communicate()
    assert readings(meter, process.pid) is None
    assert usage.resident(process.pid) is None


def test_an_idle_process_costs_one_file_in_most_rounds(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pid, read, content = run(LARGE).pid, [], usage._content
    monkeypatch.setattr(usage, "_content", lambda path: (read.append(path), content(path))[1])
    meter = Meter()
    readings(meter, pid)
    read.clear()

    for _ in range(50):
        readings(meter, pid)

    assert read.count(f"/proc/{pid}/stat") == 50
    assert 50 < len(read) <= 62  # it is looked below of in each fifth round, and if the start was still in the first


def test_another_process_with_the_same_number_is_not_compared_with_the_first(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, pid = Meter(), run(BUSY).pid
    readings(meter, pid)
    stat = usage._stat
    monkeypatch.setattr(usage, "_stat", lambda pid: (found := stat(pid)) and found._replace(started=1, ticks=10**9))
    assert (readings(meter, pid) or (None,))[0] == 0
