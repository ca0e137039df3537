"""``squad top`` as a user has it: on a terminal of its own, and where there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

from squad.home import Home
from tests.cli.a_meter import a_busy_squad
from tests.cli.a_store import Story
from tests.cli.a_tree import saved, tree
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway
from tests.cli.terminals import OnTerminal, on_terminal
from tests.cli.top.a_look import crowd


class Top(OnTerminal):
    """``squad top``, with what is on the screen now as ``lines``."""

    def __init__(self, home: Home, columns: int = 80, rows: int = 24, *, below: bool = False) -> None:
        super().__init__("top", cwd=home.path.parent, columns=columns, rows=rows, below=below)
        self._picture = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._picture)
        self._drawn = 0
        self.modes = termios.tcgetattr(self._mine)

    @property
    def lines(self) -> list[str]:
        self._stream.feed(self.screen[self._drawn :])
        self._drawn = len(self.screen)
        return [line.rstrip() for line in self._picture.display]

    def until(self, shown: Callable[[list[str]], bool]) -> None:
        self.read_until(lambda _: shown(self.lines))

    def resize(self, columns: int, rows: int) -> None:
        self._picture.resize(rows, columns)
        self.set_size(columns, rows)

    def restored(self) -> bool:
        """Whether the terminal is as it was: its modes, its screen, its cursor."""
        other, cursor = self.screen.rfind("\x1b[?1049l"), self.screen.rfind("\x1b[?25h")
        left = other > self.screen.rfind("\x1b[?1049h") and cursor > self.screen.rfind("\x1b[?25l")
        return left and termios.tcgetattr(self._mine) == self.modes


@pytest.fixture
def live(gateway: FakeGateway, story: Story) -> FakeGateway:
    gateway.on("GET /v1/tree", lambda _: (200, tree()))
    a_busy_squad(gateway.home.database)
    return gateway


@pytest.fixture
def start(live: FakeGateway) -> Iterator[Callable[..., Top]]:
    started: list[Top] = []

    def begin(*args: Any, **named: Any) -> Top:
        started.append(Top(live.home, *args, **named))
        return started[-1]

    yield begin
    for top in started:
        top.end()


def is_drawn(lines: list[str]) -> bool:
    return lines[0].startswith(" audit ") and "q leave" in lines[-1]


class TestOnATerminal:
    def test_it_is_live_and_left_with_q(self, live: FakeGateway, start: Callable[..., Top]) -> None:
        top = start()
        top.until(is_drawn)
        assert any("checker-1 busy" in line for line in top.lines)
        assert any(line.split()[-3:-2] == ["size"] or "size 2/3" in line for line in top.lines)
        live.on("GET /v1/tree", lambda _: (200, tree(state="draining")))
        top.until(lambda lines: any("draining" in line for line in lines))
        top.type("q")
        assert top.finish(close=False) == 0
        assert top.restored()
        assert top.screen[top.screen.rindex("\x1b[?1049l") :].strip("\r\n") in ("\x1b[?1049l\x1b[?25h", "\x1b[?1049l")

    def test_percentiles_come_from_the_metrics(self, start: Callable[..., Top]) -> None:
        top = start(columns=160)
        top.until(is_drawn)
        (line,) = [line for line in top.lines if line.startswith("└─ checker")]
        assert "2.0s" in line
        assert "40ms" in line
        top.type("q")
        assert top.finish() == 0

    def test_keys_sort_fold_and_help(self, start: Callable[..., Top]) -> None:
        top = start()
        top.until(is_drawn)
        top.type("u")
        top.until(lambda lines: "QUEUE▾" in lines[4] and lines[5].startswith("checker"))
        top.type("tf")
        top.until(lambda lines: "f unfold" in lines[-1] and not any("checker-1" in line for line in lines))
        top.type("h")
        top.until(lambda lines: lines[-1].strip() == "any key: back")
        top.type("\x1b")
        top.until(lambda lines: "f unfold" in lines[-1])
        top.type("q")
        assert top.finish() == 0

    def test_more_agents_than_lines_are_scrolled(self, live: FakeGateway, start: Callable[..., Top]) -> None:
        live.on("GET /v1/tree", (200, crowd(60)))
        top = start()
        top.until(lambda lines: "1-18 of 61" in lines[-1])
        top.type("\x1b[6~")
        top.until(lambda lines: "18-35 of 61" in lines[-1])
        top.type("G")
        top.until(lambda lines: lines[-2].startswith("└─ agent-059"))
        top.type("q")
        assert top.finish() == 0

    def test_it_follows_the_size_of_the_terminal(self, live: FakeGateway, start: Callable[..., Top]) -> None:
        live.on("GET /v1/tree", (200, crowd(60)))
        top = start()
        top.until(lambda lines: "1-18 of 61" in lines[-1])
        top.resize(120, 40)
        top.until(lambda lines: "1-34 of 61" in lines[-1] and "TREND" in lines[4])
        top.resize(40, 10)
        top.until(lambda lines: len(lines) == 10 and lines[4].startswith("NAME"))
        top.type("q")
        assert top.finish() == 0

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
    def test_signals_end_it_and_the_terminal_is_as_it_was(
        self, live: FakeGateway, start: Callable[..., Top], number: signal.Signals, status: int
    ) -> None:
        top = start()
        top.until(is_drawn)
        top.process.send_signal(number)
        assert top.finish(close=False) == status
        assert top.restored()
        assert "Traceback" not in top.screen

    def test_a_terminal_that_goes_away_ends_it(self, start: Callable[..., Top]) -> None:
        top = start()
        top.until(is_drawn)
        top.hang_up()
        assert top.process.wait(60) == 129

    def test_suspended_it_gives_the_terminal_back(self, start: Callable[..., Top]) -> None:
        top = start(below=True)  # as of a shell: a process that nobody could wake is not stopped
        top.until(is_drawn)
        pid = int(Path(f"/proc/{top.process.pid}/task/{top.process.pid}/children").read_text())
        os.kill(pid, signal.SIGTSTP)
        top.read_until(lambda _: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        top.read_until(lambda _: top.restored())
        shown = len(top.screen)
        os.kill(pid, signal.SIGCONT)
        top.read_until(lambda screen: "\x1b[?1049h" in screen[shown:] and "q leave" in screen[shown:])
        top.type("q")
        assert top.finish() == 0

    def test_it_goes_on_when_the_squad_stops(self, live: FakeGateway, start: Callable[..., Top]) -> None:
        live.home.tree.write_text(json.dumps(saved(tree(), 1)))
        top = start()
        top.until(is_drawn)
        live.vanish()
        live.release_lock()
        top.until(lambda lines: any("no squad is running" in line for line in lines))
        top.type("q")
        assert top.finish() == 0

    def test_a_squad_that_answers_late_holds_up_no_key(self, live: FakeGateway, start: Callable[..., Top]) -> None:
        answers = [tree()]

        def late(_: Any) -> tuple[int, Any]:
            if answers:
                return 200, answers.pop()
            time.sleep(2)
            return 200, tree()

        live.on("GET /v1/tree", late)
        top = start()
        top.until(is_drawn)
        top.type("s")
        top.until(lambda lines: "sort: CPU" in lines[-1])
        top.type("q")
        assert top.finish() == 0

    def test_what_cannot_be_read_is_told_on_the_screen_as_it_was(
        self, live: FakeGateway, start: Callable[..., Top]
    ) -> None:
        top = start()
        top.until(is_drawn)
        other = live.home.path / "other"
        other.write_bytes(b"no database" * 1000)
        other.replace(live.home.database)
        assert top.finish(close=False) == 1
        assert top.restored()
        assert "the database" in top.screen[top.screen.rindex("\x1b[?1049l") :]


class TestPiped:
    def test_it_is_printed_once(self, run: Run, live: FakeGateway) -> None:
        result = run("top")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(" audit  up 2h")
        assert "checker-1" in result.stdout

    def test_a_terminal_that_cannot_be_drawn_on_is_none(self, live: FakeGateway) -> None:
        status, screen = on_terminal("top", cwd=live.home.path.parent, TERM="dumb")
        assert status == 0
        assert "checker" in screen
        assert "\x1b" not in screen

    def test_as_a_document(self, run: Run, live: FakeGateway) -> None:
        document = json.loads(run("top", "-o", "json").stdout)
        actors = {actor["name"]: actor for actor in document["actors"]}
        assert (document["live"], document["rate"]) == (True, 0.0)
        assert actors["checker"]["handling_ms"]["p99"] == pytest.approx(2000, rel=0.05)
        assert actors["checker"]["rate"] == 0
        assert (actors["storage"]["rate"], actors["checker-1"]["handling_ms"]) == (None, None)

    def test_without_a_squad_the_last_rows_are_shown(self, run: Run, home: Home, story: Story) -> None:
        home.tree.write_text(json.dumps(saved(tree(), 200)))
        result = run("top")
        assert result.exit_code == 3
        assert "no squad is running: this is how it was 3m ago" in result.stderr

    def test_where_no_squad_has_run(self, run: Run, home: Home) -> None:
        result = run("top")
        assert result.exit_code == 3
        assert "squad start" in result.stderr

    def test_keys_from_a_file_are_no_terminal(self, live: FakeGateway) -> None:
        """The output is a terminal, the input is not: there is nobody to press q."""
        done = subprocess.run(
            [sys.executable, "-m", "squad.cli", "top"],
            cwd=live.home.path.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={key: value for key, value in os.environ.items() if key != "SQUAD_HOME"},
        )
        assert "\x1b" not in done.stdout
