"""``squad config``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from squad.config.load import load, parse
from squad.home import Home
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway

GOOD = """\
name: mine
agents:
  echo: {class: './agents.py:Echo', timeout: 90s}
convoys:
  pool: {class: './agents.py:Echo', min: 1, max: 3}
"""
AGENTS = """\
from squad import Agent, Context, handles, message

@message("say")
class Say:
    text: str

class Echo(Agent):
    @handles(Say)
    def say(self, msg: Say, ctx: Context) -> dict:
        return {"text": msg.text}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "agents.py").write_text(AGENTS)
    (tmp_path / "squad.yaml").write_text(GOOD)
    return tmp_path / "squad.yaml"


class TestCheck:
    def test_in_order(self, run: Run, file: Path) -> None:
        result = run("config", "check", "squad.yaml")
        assert (result.exit_code, result.stderr) == (0, "squad.yaml is in order: 1 agent, 1 convoy\n")
        assert [line.split() for line in result.stdout.splitlines()] == [
            ["AGENT", "RUNS", "HANDLES"],
            ["echo", "./agents.py:Echo", "say"],
            ["pool", "./agents.py:Echo", "say"],
        ]
        document = json.loads(run("config", "check", "squad.yaml", "-o", "json").stdout)
        assert document["agents"] == [{"name": "echo", "class": "./agents.py:Echo", "command": None, "types": ["say"]}]
        assert (document["ok"], document["problems"]) == (True, [])

    def test_all_mistakes_at_once_by_line(self, run: Run, file: Path) -> None:
        file.write_text(GOOD.replace("timeout", "timeuot").replace("min: 1", "min: 0") + "name: again\n")
        result = run("config", "check", "squad.yaml")
        assert (result.exit_code, result.stdout) == (4, "")
        for text in ("squad.yaml:3: ", "did you mean 'timeout'?", "squad.yaml:5: ", "squad.yaml:6: "):
            assert text in result.stderr
        result = run("config", "check", "squad.yaml", "-o", "json")
        assert result.exit_code == 4
        document = json.loads(result.stdout)
        assert document["ok"] is False
        assert [problem["where"] for problem in document["problems"]] == [f"squad.yaml:{n}" for n in (3, 5, 6)]

    def test_a_class_that_does_not_import(self, run: Run, file: Path, tmp_path: Path) -> None:
        (tmp_path / "agents.py").write_text("import nothing_of_that_name\n")
        result = run("config", "check", "squad.yaml")
        assert result.exit_code == 4
        assert "squad.yaml:3: " in result.stderr
        assert "nothing_of_that_name" in result.stderr

    def test_a_warning_is_no_mistake(self, run: Run, file: Path) -> None:
        file.write_text(file.read_text() + "metrics: {enabled: false}\n")
        result = run("config", "check", str(file))
        assert result.exit_code == 0
        assert "warning: squad.yaml:" in result.stderr and "slow_p95, failed_tasks, failure_rate" in result.stderr

    def test_no_such_file(self, run: Run, home: Home) -> None:
        result = run("config", "check", "missing.yaml")
        assert result.exit_code == 4
        assert "missing.yaml" in result.stderr

    def test_without_a_file_it_is_the_squad_that_comes_with_squad(self, run: Run, home: Home) -> None:
        result = run("config", "check")
        assert result.exit_code == 0
        assert "audit.yaml is in order" in result.stderr

    def test_without_a_file_it_is_the_running_squads(
        self, run: Run, home: Home, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from squad.home import Launcher

        monkeypatch.setattr(Home, "launcher", lambda _: Launcher(1, "mine", str(file), ""))
        assert json.loads(run("config", "check", "-o", "json").stdout)["file"] == str(file)


class TestShow:
    def test_what_is_shown_loads_to_the_same(self, run: Run, file: Path) -> None:
        shown = run("config", "show", "squad.yaml").stdout
        assert "max_payload" in shown
        assert parse(shown, name="shown", base_dir=file.parent) == load(file)

    def test_as_json(self, run: Run, file: Path) -> None:
        document = json.loads(run("config", "show", "squad.yaml", "-o", "json").stdout)
        assert document["config"]["agents"]["echo"]["timeout"] == "1m 30s".replace(" ", "")

    def test_mistakes(self, run: Run, file: Path) -> None:
        file.write_text("agents: 7\n")
        result = run("config", "show", "squad.yaml")
        assert (result.exit_code, result.stdout) == (4, "")


class TestSchema:
    def test_of_the_configuration(self, run: Run) -> None:
        schema = json.loads(run("config", "schema").stdout)
        assert "agents" in schema["properties"]
        assert json.loads(run("config", "schema", "-o", "json").stdout)["schema"] == schema

    def test_of_a_message_type_by_the_classes(self, run: Run, file: Path) -> None:
        schema = json.loads(run("config", "schema", "say", "--config", "squad.yaml").stdout)
        assert schema["required"] == ["text"]
        document = json.loads(run("config", "schema", "say", "-c", "squad.yaml", "-o", "json").stdout)
        assert document == {"schema_version": 1, "type": "say", "handled_by": ["echo", "pool"], "schema": schema}

    def test_of_a_message_type_of_the_squad_that_comes_with_squad(self, run: Run, home: Home) -> None:
        assert "path" in json.loads(run("config", "schema", "scan").stdout)["properties"]

    def test_of_a_message_type_of_the_running_squad(self, run: Run, gateway: FakeGateway) -> None:
        types = [{"name": "scan", "schema": {"title": n}, "handled_by": [n]} for n in ("b", "a")]
        gateway.on("GET /v1/types", (200, {"types": types}))
        document = json.loads(run("config", "schema", "scan", "-o", "json").stdout)
        assert document["schema"] == {"anyOf": [{"title": "b"}, {"title": "a"}]}
        assert document["handled_by"] == ["a", "b"]

    def test_a_type_that_there_is_not(self, run: Run, file: Path) -> None:
        result = run("config", "schema", "sya", "--config", "squad.yaml")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "hint: did you mean 'say'?" in result.stderr
        assert "hint: there are: say" in run("config", "schema", "other", "--config", "squad.yaml").stderr

    def test_a_class_that_does_not_import(self, run: Run, file: Path, tmp_path: Path) -> None:
        (tmp_path / "agents.py").write_text("import nothing_of_that_name\n")
        result = run("config", "schema", "say", "--config", "squad.yaml")
        assert result.exit_code == 4
        assert "nothing_of_that_name" in result.stderr

    def test_a_file_without_a_type(self, run: Run, file: Path) -> None:
        assert run("config", "schema", "--config", "squad.yaml").exit_code == 2


def test_check_names_what_exporters_need(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGFUSE_PUBLIC_KEY", raising=False)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    (tmp_path / "agents.py").write_text(AGENTS)
    path = tmp_path / "squad.yaml"
    path.write_text("agents: {a: {class: './agents.py:Echo'}}\nexporters:\n  cloud: {kind: langfuse}\n")

    result = run("config", "check", str(path))

    assert result.exit_code == 4
    assert "squad.yaml:3: exporters.cloud.public_key_env: LANGFUSE_PUBLIC_KEY is not set" in result.stderr
