"""``squad start``, ``stop`` and ``restart``: what they ask the launcher and the gateway to do.

The launcher itself is tested in ``tests/launcher``, with real squads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from squad.errors import AlreadyRunningError, ConfigError, Problem, StartError, WaitTimeoutError
from squad.home import Home
from squad.launcher import Stopped, Unfinished
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway, refusal


class TestStart:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """What the launcher was asked to start."""
        calls: list[Any] = []
        monkeypatch.setattr("squad.launcher.start", lambda *args, **options: calls.append((args, options)) or 0)
        return calls

    def test_without_options(self, run: Run, asked: list[Any], tmp_path: Path) -> None:
        assert run("start").exit_code == 0
        assert asked == [((None, tmp_path / ".squad"), {"detach": False, "debug": False, "agents": None})]

    def test_the_home_is_beside_the_configuration(self, run: Run, asked: list[Any], tmp_path: Path) -> None:
        run("start", "--config", "deploy/squad.yaml", "--detach", "--debug", "--agents", "a, b")
        ((config, home), options) = asked[0]
        assert (config, home) == (Path("deploy/squad.yaml"), tmp_path / "deploy" / ".squad")
        assert options == {"detach": True, "debug": True, "agents": ["a", "b"]}

    def test_a_home_that_is_named_wins(self, run: Run, asked: list[Any], tmp_path: Path) -> None:
        run("start", "--config", "deploy/squad.yaml", SQUAD_HOME=str(tmp_path / "one"))
        run("start", "--home", "two", SQUAD_HOME=str(tmp_path / "one"))
        assert [home for (_, home), _ in asked] == [tmp_path / "one", tmp_path / "two"]

    def test_it_does_not_look_upward_for_a_home(
        self, run: Run, asked: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        run("start")
        assert asked[0][0][1] == tmp_path / "below" / ".squad"

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (ConfigError("squad.yaml has a mistake", problems=[Problem("squad.yaml:3", "x", "did you mean y?")]), 4),
            (AlreadyRunningError("a squad already runs", hint="squad stop"), 1),
            (StartError("not every agent was ready", problems=[Problem("reporter", "is not ready")]), 1),
        ],
    )
    def test_its_errors(self, run: Run, monkeypatch: pytest.MonkeyPatch, error: Any, status: int) -> None:
        def refuse(*_: Any, **__: Any) -> int:
            raise error

        monkeypatch.setattr("squad.launcher.start", refuse)
        result = run("start")
        assert (result.exit_code, result.stdout) == (status, "")
        assert result.stderr.startswith(f"squad: {error.message}\n")
        for problem in error.problems:
            assert f"  {problem}\n" in result.stderr

    def test_a_configuration_with_mistakes_names_each_by_line(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "squad.yaml").write_text("agnets: {}\nagents:\n  a: {clas: x}\n")
        result = run("start", "--config", "squad.yaml")
        assert (result.exit_code, result.stdout) == (4, "")
        assert "squad.yaml:1: " in result.stderr
        assert "squad.yaml:3: " in result.stderr
        assert "did you mean 'agents'?" in result.stderr


class TestStop:
    @staticmethod
    def ends(monkeypatch: pytest.MonkeyPatch, stopped: Stopped | Exception) -> list[Any]:
        calls: list[Any] = []

        def stop(home: Path, *, force: bool = False) -> Stopped:
            calls.append((home, force))
            if isinstance(stopped, Exception):
                raise stopped
            return stopped

        monkeypatch.setattr("squad.launcher.stop", stop)
        return calls

    def test_nothing_left_to_say(self, run: Run, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = self.ends(monkeypatch, Stopped())
        result = run("stop")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == (
            "stopping audit: running handlers may finish first (squad stop --force: at once)\nstopped\n"
        )
        assert calls == [(gateway.home.path, False)]

    def test_what_was_not_finished_is_named(self, run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        stopped = Stopped((Unfinished("checker", "some-id", "check_file"),), forced=True, leftovers=2)
        calls = self.ends(monkeypatch, stopped)
        result = run("stop", "--force")
        assert result.exit_code == 0
        assert [line.split() for line in result.stdout.splitlines()][1:] == [["checker", "some-id", "check_file"]]
        assert "1 unfinished and queued again" in result.stderr
        assert "2 processes that were left over have been ended" in result.stderr
        assert calls == [(home.path, True)]
        document = json.loads(run("stop", "--force", "-o", "json").stdout)
        assert document == {
            "schema_version": 1,
            "forced": True,
            "unfinished": [{"agent": "checker", "id": "some-id", "type": "check_file"}],
            "leftovers": 2,
        }

    def test_not_in_time(self, run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends(monkeypatch, WaitTimeoutError("the squad has not stopped within 40s", hint="squad stop --force"))
        result = run("stop")
        assert result.exit_code == 5
        assert "hint: squad stop --force" in result.stderr

    def test_none_running(self, run: Run, home: Home) -> None:
        result = run("stop")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr == f"squad: no squad is running in {home.path}\nhint: squad start\n"


class TestRestart:
    def test_the_gateway_is_told(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/agents/reporter/restart", (200, {"name": "reporter"}))
        result = run("restart", "reporter")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "restarting reporter" in result.stderr
        assert json.loads(run("restart", "reporter", "-o", "json").stdout)["name"] == "reporter"

    def test_an_agent_that_there_is_not(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/agents/reportr/restart", refusal(404, "no agent 'reportr'", 2, "did you mean 'reporter'?"))
        result = run("restart", "reportr")
        assert (result.exit_code, result.stderr) == (2, "squad: no agent 'reportr'\nhint: did you mean 'reporter'?\n")

    def test_none_running(self, run: Run, home: Home) -> None:
        assert run("restart", "reporter").exit_code == 3
