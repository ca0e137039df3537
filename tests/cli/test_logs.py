"""``squad logs``: filters, and following real writers through rotations, kills and restarts."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from squad.home import Home
from tests.cli.conftest import Run
from tests.cli.followers import Following
from tests.cli.terminals import on_terminal, plain
from tests.running import eventually

ROOT = Path(__file__).resolve().parent.parent.parent


def record(seconds_ago: float, name: str, message: str, level: str = "INFO", **more: str) -> str:
    at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"at": at, "level": level, "name": name, "pid": 1, "message": message, **more}) + "\n"


@pytest.fixture
def logs(home: Home) -> Path:
    """Logs of two agents, a convoy's two workers and the storage; one of them rotated."""
    home.logs.mkdir()
    written = {
        "scanner.jsonl.1": [record(14_400, "scanner", "hours ago")],
        "scanner.jsonl": [record(3600, "scanner", "an hour ago"), record(120, "scanner", "odd", "WARNING")],
        "reporter.jsonl": [record(1800, "reporter", "boom", "ERROR", error="File x\nValueError: no")],
        "checker-1.jsonl": [record(3000, "checker-1", "first worker")],
        "checker-12.jsonl": [record(2400, "checker-12", "twelfth worker", "DEBUG")],
        "storage.jsonl": [record(1200, "storage", "committed")],
    }
    for name, lines in written.items():
        (home.logs / name).write_text("".join(lines))
    home.tree.write_text(json.dumps({"actors": [{"name": "silent"}]}))
    return home.logs


def shown(run: Run, *args: str) -> list[str]:
    result = run("logs", "-o", "json", *args)
    assert (result.exit_code, result.stderr) == (0, ""), result.stderr
    return [json.loads(line)["message"] for line in result.stdout.splitlines()]


ALL = ["hours ago", "an hour ago", "first worker", "twelfth worker", "boom", "committed", "odd"]


class TestWhatIsThere:
    def test_all_by_time(self, run: Run, logs: Path) -> None:
        assert shown(run) == ALL

    def test_as_text(self, run: Run, logs: Path) -> None:
        lines = run("logs", "--since", "2h").stdout.splitlines()
        assert lines[3].split()[-3:] == ["reporter", "ERROR", "boom"]  # after the time, or the day and the time
        assert lines[4:6] == ["    File x", "    ValueError: no"]
        assert "\x1b" not in "".join(lines)

    def test_by_name(self, run: Run, logs: Path) -> None:
        assert shown(run, "reporter", "storage") == ["boom", "committed"]
        assert shown(run, "checker-12") == ["twelfth worker"]

    def test_the_name_of_a_convoy_means_its_workers(self, run: Run, logs: Path) -> None:
        assert shown(run, "checker") == ["first worker", "twelfth worker"]

    def test_one_that_has_not_logged_anything_yet(self, run: Run, logs: Path) -> None:
        assert shown(run, "silent") == []

    def test_a_name_that_there_is_not(self, run: Run, logs: Path) -> None:
        result = run("logs", "reportr")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.endswith("hint: did you mean 'reporter'?\n")
        assert "there are: checker, checker-1, " in run("logs", "zzz").stderr

    def test_by_level(self, run: Run, logs: Path) -> None:
        assert shown(run, "--level", "warning") == ["boom", "odd"]
        assert shown(run, "--level", "INFO") == [text for text in ALL if text != "twelfth worker"]

    def test_by_time(self, run: Run, logs: Path) -> None:
        assert shown(run, "--since", "45m") == ALL[3:]
        at = (datetime.now(UTC) - timedelta(minutes=35)).isoformat()
        assert shown(run, "--since", at) == ALL[4:]
        assert run("logs", "--since", "soon").exit_code == 2

    def test_the_last_ones(self, run: Run, logs: Path) -> None:
        assert shown(run, "--tail", "2") == ["committed", "odd"]
        assert shown(run, "--tail", "2", "--level", "ERROR") == ["boom"]
        assert shown(run, "--tail", "2", "scanner") == ["an hour ago", "odd"]
        assert shown(run, "--tail", "9", "--since", "25m") == ["committed", "odd"]
        assert shown(run, "--tail", "0") == []

    def test_fifty_unless_something_else_is_said(self, run: Run, logs: Path) -> None:
        (logs / "busy.jsonl").write_text("".join(record(100 - n / 10, "busy", str(n)) for n in range(200)))
        assert len(shown(run, "busy")) == 50
        assert len(shown(run, "busy", "--since", "1h")) == 200
        assert len(shown(run, "busy", "--tail", "120")) == 120

    def test_a_line_from_another_day_has_its_date(self, run: Run, logs: Path) -> None:
        line = record(3 * 86400, "old", "long ago")
        (logs / "old.jsonl").write_text(line)
        here = datetime.fromisoformat(json.loads(line)["at"]).astimezone()  # whose offset need not be today's
        assert run("logs", "old").stdout.startswith(f"{here:%Y-%m-%d} ")

    def test_json_lines_are_as_they_are_in_the_files(self, run: Run, logs: Path) -> None:
        assert run("logs", "scanner", "-o", "json").stdout == (
            (logs / "scanner.jsonl.1").read_text() + (logs / "scanner.jsonl").read_text()
        )

    def test_more_logs_than_files_may_be_open_at_first(self, home: Home) -> None:
        home.logs.mkdir()
        for number in range(200):
            for rotated in ("", ".1"):
                (home.logs / f"agent-{number}.jsonl{rotated}").write_text(record(60, f"agent-{number}", "here"))
        command = [sys.executable, "-m", "squad.cli", "logs", "--since", "1h", "-o", "json"]
        limited = f"ulimit -S -n 64 && exec {shlex.join(command)}"
        done = subprocess.run(
            ["/bin/sh", "-c", limited], cwd=home.path.parent, capture_output=True, text=True, timeout=60, check=True
        )
        assert len(done.stdout.splitlines()) == 400

    def test_what_is_no_record_becomes_one(self, run: Run, logs: Path) -> None:
        (logs / "torn.jsonl").write_bytes(b'{"at": "2026\n\xff\x1b[2J\n' + record(0, "torn", "\x9b2J").encode())
        result = run("logs", "torn", "-o", "json")
        found = [json.loads(line) for line in result.stdout.splitlines()]
        assert [(entry["level"], entry["name"]) for entry in found] == [("?", "torn"), ("?", "torn"), ("INFO", "torn")]
        assert result.stdout.isascii()
        assert not set(run("logs", "torn").stdout) & {"\x1b", "\x9b"}

    def test_before_the_first_start(self, run: Run, home: Home) -> None:
        result = run("logs")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "no squad has run here yet" in result.stderr

    def test_names_have_the_colours_of_the_launchers_stream(self, logs: Path) -> None:
        status, screen = on_terminal("logs", cwd=logs.parent.parent)
        assert status == 0
        assert "\x1b[33mWARNING" in screen
        assert "scanner" in plain(screen)
        assert "\x1b" not in on_terminal("logs", cwd=logs.parent.parent, NO_COLOR="1")[1]


def numbers(following: Following, name: str) -> list[int]:
    found = [entry for entry in following.documents if entry["name"] == name]
    return [int(entry["message"]) for entry in found]


BATCH = 300  # lines: a file and a half


class Loggers:
    """Writer processes; each takes up where the one before it of the same name was killed."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._started: list[subprocess.Popen[bytes]] = []
        self._allowed: dict[subprocess.Popen[bytes], tuple[str, int]] = {}  # up to which line each may write

    def start(  # noqa: PLR0917 - as the program has it
        self, name: str, first: int, count: int, size: int = 20_000, keep: int = 3, batch: int = 0
    ) -> subprocess.Popen[bytes]:
        """With ``batch``, it writes so many lines at a time, when ``go_on`` says so."""
        arguments = [str(self.home.path), name, *map(str, (first, count, size, keep, batch))]
        command = [sys.executable, "-m", "tests.cli.a_logger", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        self._started.append(process)
        if batch:
            self._allowed[process] = (name, first)
        return process

    def go_on(self, following: Following) -> None:
        """Let those write more all of whose lines have been shown: so none is rotated away before it could be."""
        for process, (name, number) in self._allowed.items():
            if process.stdin is not None and len(numbers(following, name)) >= number:
                with contextlib.suppress(OSError):  # it has written all, or was killed
                    os.write(process.stdin.fileno(), b"\n")
                self._allowed[process] = (name, number + BATCH)

    def last(self, name: str) -> int:
        """The number of the last line that is whole in its log."""
        for path in (self.home.logs / f"{name}.jsonl", self.home.logs / f"{name}.jsonl.1"):
            if path.exists() and (whole := [line for line in path.read_bytes().split(b"\n")[:-1] if line]):
                return int(json.loads(whole[-1])["message"])
        return -1

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate(timeout=60)


@pytest.fixture
def loggers(home: Home) -> Iterator[Loggers]:
    made = Loggers(home)
    yield made
    made.end()


class TestFollowing:
    def test_no_line_is_lost_or_doubled_through_rotations_kills_and_restarts(
        self, home: Home, loggers: Loggers
    ) -> None:
        """Each file holds about 200 lines: 1,500 of each writer are half a dozen rotations while they are followed."""
        loggers.start("early", 0, 50).wait(60)
        following = Following(home, "logs", "-f", "-o", "json", "--tail", "1000")
        eventually(lambda: len(numbers(following, "early")) == 50, "what was there")
        loggers.start("steady", 0, 1500, batch=BATCH)
        killed = loggers.start("killed", 0, 1500, batch=BATCH)
        eventually(
            lambda: loggers.go_on(following) or len(numbers(following, "killed")) > 400,
            "some lines of the one that is killed",
        )
        killed.kill()
        killed.wait(60)
        again = loggers.last("killed") + 1
        loggers.start("killed", again, 1500 - again, batch=BATCH)
        loggers.start("late", 0, 50)
        wanted = {"early": 50, "steady": 1500, "killed": 1500, "late": 50}
        eventually(
            lambda: (
                loggers.go_on(following)
                or all(len(numbers(following, name)) >= count for name, count in wanted.items())
            ),
            "all lines",
            120,
        )
        status, err = following.end()
        assert (status, err) == (130, "")
        for name, count in wanted.items():
            assert numbers(following, name) == list(range(count)), name
        assert (home.logs / "steady.jsonl.3").exists()

    def test_history_goes_over_into_following_without_a_seam(self, home: Home, loggers: Loggers) -> None:
        """It begins in the middle of a writer's work, again and again."""
        writer = loggers.start("busy", 0, 2000, keep=20)
        eventually(lambda: loggers.last("busy") > 200, "some lines")
        several = [Following(home, "logs", "-f", "-o", "json", "--since", "1h") for _ in range(3)]
        writer.wait(60)
        for following in several:
            eventually(lambda f=following: len(numbers(f, "busy")) >= 2000, "all lines")  # type: ignore[misc]
            following.end()
            assert numbers(following, "busy") == list(range(2000))

    def test_only_what_was_asked_for(self, home: Home, logs: Path) -> None:
        following = Following(home, "logs", "-f", "checker", "--level", "WARNING", "-o", "json", "--tail", "0")
        eventually(lambda: following.waits, "waiting")
        (logs / "checker-3.jsonl").write_text(
            record(0, "checker-3", "too low") + record(0, "checker-3", "high", "ERROR")
        )
        with (logs / "scanner.jsonl").open("a") as scanner:
            scanner.write(record(0, "scanner", "another", "ERROR"))
        eventually(lambda: following.lines, "a line")
        assert following.end()[0] == 130
        assert [json.loads(line)["message"] for line in following.lines] == ["high"]

    def test_it_notices_at_once_that_nobody_reads_any_more(self, home: Home, logs: Path) -> None:
        command = [sys.executable, "-m", "squad.cli", "logs", "-f"]
        with subprocess.Popen(command, cwd=home.path.parent, stdout=subprocess.PIPE) as following:
            assert following.stdout is not None
            assert following.stdout.readline()
            following.stdout.close()
            assert following.wait(60) == 141

    def test_it_sleeps_while_nothing_happens(self, home: Home, logs: Path) -> None:
        following = Following(home, "logs", "-f")
        eventually(lambda: following.waits, "waiting")
        before = _processor_time(following.process.pid)
        eventually(lambda: _switches(following.process.pid) > 12, "a few looks")
        assert _processor_time(following.process.pid) - before < 0.2
        following.end()


def _switches(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
