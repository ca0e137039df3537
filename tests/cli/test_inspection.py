"""``squad inspect``: the tree, live and saved, piped and on a terminal."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

from squad.home import Home
from tests.cli.a_tree import ID, row, saved, tree
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway, refusal
from tests.cli.terminals import OnTerminal, on_terminal, plain
from tests.running import eventually


@pytest.fixture
def live(gateway: FakeGateway) -> FakeGateway:
    gateway.on("GET /v1/tree", lambda _: (200, tree()))
    return gateway


class TestPiped:
    def test_the_tree_is_drawn_and_nothing_is_left_out(self, run: Run, live: FakeGateway) -> None:
        result = run("inspect")
        assert (result.exit_code, result.stderr) == (0, "")
        lines = result.stdout.splitlines()
        titles = "NAME KIND PID STATE SINCE UP UPTIME RESTARTS CPU MEMORY QUEUE HAND TOKENS AGE CURRENT LAST ERROR"
        assert " ".join(lines[0].split()) == titles
        assert [line.partition("  ")[0].rstrip() for line in lines[1:]] == [
            "supervisor",
            "├─ storage",
            "├─ monitor",
            "├─ gateway",
            "├─ scanner",
            "├─ reporter",
            "└─ checker",
            "",
            "",
        ]
        assert lines[8].startswith("   ├─ checker-1")
        assert lines[9].startswith("   └─ checker-2")
        assert " ".join(lines[6].split()) == (
            "├─ reporter agent - quarantined 3m 2h 99.99% 4 2% 41.2 MB 7 0 - 1s - ValueError: no disk"
        )
        assert " ".join(lines[8].split()) == (
            f"├─ checker-1 worker 4193304 busy 3m 2h 99.99% 0 2% 41.2 MB - 1 - 1s check_file {ID} 5m -"
        )

    def test_the_age_of_every_row_is_shown(self, run: Run, live: FakeGateway) -> None:
        assert run("inspect").stdout.splitlines()[9].split()[-3:] == ["7s", "-", "-"]
        document = tree()
        for actor in document["actors"]:
            actor["age"] = 3.0
        live.on("GET /v1/tree", (200, document))
        lines = run("inspect").stdout.splitlines()
        at = lines[0].index(" AGE ")
        assert {line[at : at + 5].strip() for line in lines[1:]} == {"3s"}

    def test_one_actor_and_what_is_below_it(self, run: Run, live: FakeGateway) -> None:
        names = [line.split("  ")[0] for line in run("inspect", "checker").stdout.splitlines()[1:]]
        assert [name.strip("├└─ ") for name in names] == ["checker", "checker-1", "checker-2"]
        assert len(run("inspect", "checker-2").stdout.splitlines()) == 2

    def test_an_actor_that_there_is_not(self, run: Run, live: FakeGateway) -> None:
        result = run("inspect", "chekcer")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no actor 'chekcer' in the squad 'audit'" in result.stderr
        assert "did you mean 'checker'?" in result.stderr

    def test_as_json_it_is_what_the_gateway_said(self, run: Run, live: FakeGateway) -> None:
        document = json.loads(run("inspect", "-o", "json").stdout)
        expected = tree()
        assert document["live"] is True
        assert [actor["name"] for actor in document["actors"]] == [actor["name"] for actor in expected["actors"]]
        assert set(document["actors"][0]) == set(expected["actors"][0])

    def test_control_characters_are_escaped(self, run: Run, live: FakeGateway) -> None:
        live.on("GET /v1/tree", lambda _: (200, tree(last_error="\x1b[2Jboo\x9b\n  File")))
        assert "\\x1b[2Jboo\\x9b\n" in run("inspect").stdout  # and of a traceback only the error

    def test_rows_without_a_parent_and_rows_that_name_themselves_are_still_shown(
        self, run: Run, live: FakeGateway
    ) -> None:
        document = tree() | {"actors": [row("a", parent="gone"), row("b", parent="a")]}
        live.on("GET /v1/tree", (200, document))
        assert [line.split()[0] for line in run("inspect").stdout.splitlines()] == ["NAME", "a", "└─"]


class TestNotLive:
    def test_without_a_squad_the_saved_rows_are_shown_and_marked(self, run: Run, home: Home) -> None:
        home.tree.write_text(json.dumps(saved(tree(), 3600)))
        result = run("inspect")
        assert result.exit_code == 3
        assert "└─ checker" in result.stdout
        assert result.stderr == "no squad is running: this is how it was 1h ago\n"
        result = run("inspect", "-o", "json")
        assert result.exit_code == 3
        document = json.loads(result.stdout)
        assert document["live"] is False
        assert all(3600 <= actor["age"] < 4000 for actor in document["actors"])

    def test_what_was_saved_while_it_ended_has_ended(self, run: Run, home: Home) -> None:
        ending = [row("supervisor", "supervisor", state="draining"), row("scanner", state="stopped", pid=None)]
        home.tree.write_text(json.dumps(saved(tree() | {"actors": ending}, 60)))
        actors = json.loads(run("inspect", "-o", "json").stdout)["actors"]
        assert [(actor["state"], actor["pid"]) for actor in actors] == [("stopped", None)] * 2

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"squad": 1}', None])
    def test_without_saved_rows_it_is_an_error(self, run: Run, home: Home, content: str | None) -> None:
        if content is not None:
            home.tree.write_text(content)
        result = run("inspect")
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"no squad is running in {home.path}" in result.stderr

    def test_a_gateway_that_does_not_answer(self, run: Run, live: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("squad.cli.snapshot._ANSWER", 0.1)
        live.home.tree.write_text(json.dumps(saved(tree(), 130)))
        release = threading.Event()
        live.on("GET /v1/tree", lambda _: (200, tree()) if release.wait(60) else (500, {}))
        result = run("inspect")
        release.set()
        assert result.exit_code == 5
        assert "the gateway does not answer: this is how it was 2m ago" in result.stderr

    def test_a_gateway_that_is_away(self, run: Run, live: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("squad.cli.snapshot._PATIENCE", 0.1)
        live.home.tree.write_text(json.dumps(saved(tree(), 2)))
        live.vanish()
        result = run("inspect")
        assert result.exit_code == 5
        assert "the gateway does not answer" in result.stderr

    def test_a_supervisor_that_does_not_answer(self, run: Run, live: FakeGateway) -> None:
        live.on("GET /v1/tree", (200, saved(tree(), 550)))
        result = run("inspect")
        assert result.exit_code == 5
        assert "the supervisor does not answer: this is how it was 9m ago" in result.stderr

    def test_an_error_of_the_gateway_is_said(self, run: Run, live: FakeGateway) -> None:
        live.on("GET /v1/tree", refusal(500, "this is a bug in Squad", 1))
        result = run("inspect")
        assert (result.exit_code, result.stdout) == (1, "")


class TestOnTerminal:
    @pytest.fixture
    def folder(self, live: FakeGateway) -> Path:
        return live.home.path.parent

    def test_it_fits_into_80_columns_with_the_details_below(self, folder: Path) -> None:
        status, screen = on_terminal("inspect", cwd=folder)
        shown = plain(screen)
        assert status == 0
        assert max(map(len, shown.splitlines())) <= 80
        assert "…" not in shown
        for text in (
            "quarantined",
            "checker-1  check_file 1a869848d957 5m",
            "reporter  ValueError: no disk",
            "4193304",
        ):
            assert text in shown
        assert "\x1b[" in screen

    def test_one_actor_is_shown_with_its_uptime(self, folder: Path) -> None:
        shown = plain(on_terminal("inspect", "checker-1", cwd=folder)[1])
        assert "Up, and how much of the time ready\n  checker-1  2h 99.99%" in shown

    def test_a_wide_one_has_all_in_the_table(self, folder: Path) -> None:
        _, screen = on_terminal("inspect", cwd=folder, columns=200)
        head = next(line for line in plain(screen).splitlines() if "NAME" in line)
        assert head.split()[-3:] == ["CURRENT", "LAST", "ERROR"]

    def test_no_color(self, folder: Path) -> None:
        _, screen = on_terminal("inspect", cwd=folder, NO_COLOR="1")
        assert not any(f"\x1b[{code}m" in screen for code in (31, 32, 33, 36, "1;31"))

    def test_saved_rows_are_marked(self, folder: Path, live: FakeGateway) -> None:
        live.home.tree.write_text(json.dumps(saved(tree(), 60)))
        live.vanish()
        live.release_lock()
        status, screen = on_terminal("inspect", cwd=folder)
        assert status == 3
        assert plain(screen).startswith("no squad is running: this is how it was 1m ago\n")

    def test_watch_refreshes_and_leaves_the_terminal_as_it_was(self, folder: Path, live: FakeGateway) -> None:
        terminal = OnTerminal("inspect", "--watch", cwd=folder)
        eventually(lambda: len(live.requests) >= 2, "a second look")
        terminal.read_until(lambda screen: screen.count("supervisor") >= 2)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 130
        assert terminal.screen.index("\x1b[?1049h") < terminal.screen.index("\x1b[?1049l")  # the other screen, and back
        assert terminal.screen.rindex("\x1b[?25h") > terminal.screen.index("\x1b[?25l")  # the cursor is back
        after = terminal.screen[terminal.screen.rindex("\x1b[?1049l") :]
        assert "Traceback" not in after
        assert plain(after).strip() == ""

    def test_watch_goes_on_when_the_squad_stops(self, folder: Path, live: FakeGateway) -> None:
        live.home.tree.write_text(json.dumps(saved(tree(), 1)))
        terminal = OnTerminal("inspect", "checker", "--watch", cwd=folder)
        terminal.read_until(lambda screen: "check_file" in screen)
        live.vanish()
        live.release_lock()
        terminal.read_until(lambda screen: "no squad is running" in screen)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 130

    def test_control_characters_are_escaped(self, folder: Path, live: FakeGateway) -> None:
        live.on("GET /v1/tree", lambda _: (200, tree(last_error="\x1b]0;gotcha\x07 [red]x[/red] :smile:")))
        _, screen = on_terminal("inspect", cwd=folder)
        assert "\x1b]0;" not in screen
        assert "\\x1b]0;gotcha\\x07 [red]x[/red] :smile:" in plain(screen)


def test_watch_needs_a_terminal_and_draws_only_tables(run: Run, live: FakeGateway) -> None:
    for args in (("--watch",), ("--watch", "-o", "json")):
        result = run("inspect", *args)
        assert result.exit_code == 2
        assert "--watch needs a terminal" in result.stderr
    status, screen = on_terminal("inspect", "--watch", "-o", "json", cwd=live.home.path.parent)
    assert status == 2
    assert "draws a table only" in plain(screen)
