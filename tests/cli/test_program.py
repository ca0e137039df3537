"""The program as a whole: starting quickly, help, errors, and leaving without noise."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squad.cli.app import SECTIONS, cli
from squad.cli.command import Command, Group
from squad.cli.documentation import document
from squad.home import Home
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway
from tests.running import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("pydantic", "peewee", "rich", "yaml", "thespian", "psutil", "starlette", "uvicorn", "setproctitle")


def squad(*args: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("SQUAD_")}
    env |= options.pop("env", {})
    defaults = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [sys.executable, "-m", "squad.cli", *args],
        cwd=cwd,
        env=env,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **defaults | options,
    )


def every_command() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []

    def walk(path: str, command: click.Command, context: click.Context) -> None:
        found.append((path, command))
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                walk(f"{path} {name}", below, click.Context(below, info_name=name, parent=context))

    walk("squad", cli, click.Context(cli, info_name="squad"))
    return found


COMMANDS = every_command()


class TestQuickStart:
    def test_sending_imports_nothing_heavy(self, gateway: FakeGateway) -> None:
        code = (
            "import sys\n"
            "from squad.cli.app import cli\n"
            "try:\n    cli(['send', 'scanner', 'scan', '--data', '{}'])\n"
            f"finally:\n    print([name for name in {HEAVY} if name in sys.modules])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=gateway.home.path.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        sent, heavy = done.stdout.splitlines()
        assert (sent, heavy) == (gateway.requests[0].json["id"], "[]"), done.stderr

    def test_help_imports_nothing_heavy_and_no_network(self) -> None:
        names = (*HEAVY, "http.client", "sqlite3", "asyncio")
        code = (
            "import sys\nfrom squad.cli.app import cli\n"
            f"try:\n    cli(['--help'])\nfinally:\n    print([name for name in {names} if name in sys.modules])\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.splitlines()[-1] == "[]"


class TestHelp:
    @pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
    def test_every_command_ends_its_help_with_examples_that_can_be_typed(
        self, run: Run, path: str, command: click.Command
    ) -> None:
        assert isinstance(command, Command | Group)
        words = path.split()[1:]
        shown = run(*words, "--help")
        assert shown.exit_code == 0
        assert shown.stdout.endswith("\n".join(["Examples:", *(f"  {example}" for example in command.examples), ""]))
        for example in command.examples:
            first, *others = (part.partition(" > ")[0] for part in example.split(" || "))
            assert first.startswith(path)
            for line in (first, *others):
                parse(line)

    def test_every_line_fits_into_80_columns(self, run: Run) -> None:
        for path, _ in COMMANDS:
            shown = run(*path.split()[1:], "--help").stdout
            options = shown.partition("Examples:")[0]
            assert max(map(len, options.splitlines())) <= 80, path

    def test_each_command_has_one_line_in_the_list(self, run: Run) -> None:
        shown = run("--help").stdout
        for names in SECTIONS.values():
            for name in names:
                (line,) = [line for line in shown.splitlines() if line.startswith(f"  {name} ")]
                assert line.endswith("."), f"{name} needs a second line"

    def test_commands_that_take_a_home_say_so(self) -> None:
        for path, command in COMMANDS:
            takes = any(parameter.name == "home" for parameter in command.params)
            assert takes != isinstance(command, click.Group) or path == "squad", path

    def test_no_command_prints_the_help(self, run: Run) -> None:
        result = run()
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Run a squad:" in result.stderr

    def test_the_version(self, run: Run) -> None:
        assert run("--version").stdout.startswith("squad 0.")

    def test_a_misspelt_command(self, run: Run) -> None:
        result = run("inpsect")
        assert (result.exit_code, result.stdout) == (2, "")
        assert (
            result.stderr == "squad: 'inpsect' is no command of squad (did you mean 'inspect'?)\nhint: squad --help\n"
        )
        assert "did you mean 'resize'?" in run("convoy", "rezise", "checker", "4").stderr

    def test_the_page_of_commands_is_up_to_date(self) -> None:
        written = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
        assert written == document(), "run: python -m squad.cli.documentation > docs/commands.md"


def parse(line: str) -> None:
    """Raise what click raises when the program does not understand this command line; nothing is run."""
    words = shlex.split(line)
    depth = max(n for n in range(1, len(words) + 1) if " ".join(words[:n]) in dict(COMMANDS))
    command = dict(COMMANDS)[" ".join(words[:depth])]
    assert not isinstance(command, click.Group), line
    command.make_context(words[depth - 1], words[depth:], parent=click.Context(cli, info_name="squad"))


class TestHome:
    def test_it_is_looked_for_upward(self, run: Run, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        deep = gateway.home.path.parent / "a" / "b"
        deep.mkdir(parents=True)
        monkeypatch.chdir(deep)
        assert run("send", "a", "t").exit_code == 0

    @pytest.mark.parametrize("where", ["before", "after", "environment"])
    def test_it_can_be_named_before_and_after_the_command_and_outside(
        self, run: Run, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        monkeypatch.chdir("/")
        home = str(gateway.home.path)
        if where == "before":
            result = run("--home", home, "send", "a", "t")
        elif where == "after":
            result = run("send", "a", "t", "--home", home)
        else:
            result = run("send", "a", "t", SQUAD_HOME=home)
        assert result.exit_code == 0

    def test_what_stands_after_the_command_wins(self, run: Run, gateway: FakeGateway) -> None:
        home = str(gateway.home.path)
        assert run("--home", "/nowhere", "send", "a", "t", "--home", home, SQUAD_HOME="/other").exit_code == 0

    def test_none_is_a_squad_that_does_not_run(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        (tmp_path / ".squad").rmdir()
        monkeypatch.chdir(empty)
        for args in (("status",), ("stop",), ("queue",), ("send", "a", "t"), ("message", "list"), ("inspect",)):
            result = run(*args)
            assert (result.exit_code, result.stdout) == (3, ""), args
            assert f"no .squad folder in {empty} or above it" in result.stderr
            assert "hint: squad start" in result.stderr

    def test_one_that_others_may_read_is_closed_with_a_message(self, run: Run, gateway: FakeGateway) -> None:
        gateway.home.path.chmod(0o755)
        result = run("send", "a", "t")
        assert result.exit_code == 0
        assert "its mode was 0755 and is 0700 now" in result.stderr
        assert gateway.home.path.stat().st_mode & 0o777 == 0o700

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_one_of_somebody_else_is_refused(self, run: Run, home: Home) -> None:
        os.chown(home.path, 65534, 65534)
        for args in (("status",), ("send", "a", "t"), ("stop",)):
            result = run(*args)
            assert result.exit_code == 1
            assert "belongs to nobody, and you are root" in result.stderr


class TestFailures:
    def test_a_bug_is_one_line_and_a_file(self, run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any) -> None:
            raise RuntimeError("wires\x1b crossed\nbadly")

        monkeypatch.setattr("squad.cli.payload.read_payload", broken)
        monkeypatch.setattr("squad.cli.send.read_payload", broken)
        home.logs.mkdir()
        result = run("send", "a", "t")
        assert (result.exit_code, result.stdout) == (1, "")
        first, second = result.stderr.splitlines()
        assert first == "squad: this is a bug in Squad: RuntimeError: wires\\x1b crossed"
        (kept,) = home.logs.glob("crash-*.txt")
        assert second == f"hint: its traceback is in {kept}"
        assert 'raise RuntimeError("wires' in kept.read_text()
        assert kept.stat().st_mode & 0o777 == 0o600

    def test_without_a_home_the_file_is_a_temporary_one(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def broken(*_: Any) -> None:
            raise RuntimeError("no")

        monkeypatch.setattr("squad.cli.send.read_payload", broken)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert run("send", "a", "t").exit_code == 1
        (kept,) = tmp_path.glob("squad-crash-*.txt")
        assert "RuntimeError: no" in kept.read_text()

    def test_colour_only_on_a_terminal(self, tmp_path: Path) -> None:
        for env in ({}, {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}):
            done = squad("status", cwd=tmp_path, env=env)
            assert "\x1b" not in done.stderr + done.stdout

    def test_a_reader_that_goes_away_is_no_error(self, home: Home, story: Story) -> None:
        story.sent("a", "t", {"text": "x" * 1_000_000})
        reading, writing = os.pipe()
        os.close(reading)
        done = squad("message", "list", "-o", "json", cwd=home.path.parent, stdout=writing)
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, "")

    def test_a_full_disk_is_said(self, home: Home, story: Story) -> None:
        story.sent("a", "t")
        with Path("/dev/full").open("w") as full:
            done = squad("message", "list", cwd=home.path.parent, stdout=full)
        assert done.returncode == 1
        assert done.stderr == "squad: the output cannot be written: No space left on device\n"

    def test_ctrl_c_is_quiet(self, gateway: FakeGateway, story: Story) -> None:
        task = story.sent("a", "t")
        gateway.on("POST /v1/messages", (201, {"id": task, "duplicate": False}))
        gateway.on(
            f"GET /v1/messages/{task}/wait", lambda _: eventually(lambda: stopped, "stopped") and (200, {"done": True})
        )
        stopped: list[int] = []
        process = subprocess.Popen(
            [sys.executable, "-m", "squad.cli", "send", "a", "t", "--wait"],
            cwd=gateway.home.path.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: len(gateway.requests) == 2, "waiting")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        stopped.append(1)
        assert (process.returncode, out) == (130, "")
        assert err.split() == f"no longer waiting; the message goes on: squad message show {task}".split()

    def test_an_encoding_that_cannot_say_it_all(self, home: Home, story: Story) -> None:
        task = story.sent("a", "t", {"text": "→"})
        shown = squad("message", "show", task, cwd=home.path.parent, env={"PYTHONIOENCODING": "latin-1"})
        assert (shown.returncode, shown.stderr) == (0, "")
        assert '"text": "\\u2192"' in shown.stdout


def test_the_shell_can_complete(tmp_path: Path) -> None:
    asked = {"_SQUAD_COMPLETE": "bash_complete", "COMP_WORDS": "squad convoy re", "COMP_CWORD": "2"}
    assert squad(cwd=tmp_path, env=asked).stdout == "plain,resize\n"


WORDS = sorted(
    {name for path, _ in COMMANDS for name in path.split()[1:]}
    | {option for _, command in COMMANDS for parameter in command.params for option in parameter.opts}
    | {
        "json",
        "table",
        "auto",
        "-",
        "@",
        "{}",
        "[]",
        "10s",
        "-1",
        "0",
        "99999999999999999999",
        "\x00",
        "\x1b[2J",
        "\udcff",
    }
)
# Starts something, takes minutes, never ends, writes anywhere, or prints the same for half a second.
NEVER = {"benchmark", "verify", "start", "--watch", "-w", "--into", "schema", "--plot"}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(args=st.lists(st.sampled_from([word for word in WORDS if word not in NEVER]) | st.text(max_size=8), max_size=7))
def test_no_command_line_ends_in_a_traceback(args: list[str], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.path.parent)
    result = CliRunner().invoke(cli, args, input="{}", prog_name="squad", env={"SQUAD_HOME": str(home.path)})
    assert isinstance(result.exception, SystemExit | None), (args, result.exception)
    assert result.exit_code in (0, 1, 2, 3, 4, 5), args
    assert "bug in Squad" not in result.stderr, (args, result.stderr)
    assert "Traceback" not in result.output
    assert result.exit_code in (0, 3) or result.stderr.startswith(("squad: ", "Usage: ")), (args, result.stderr)
    assert not set(result.stderr) & {"\x1b", "\x00", "\x9b"}


def test_json_goes_to_standard_output_alone(run: Run, story: Story) -> None:
    for args in (("queue",), ("message", "list"), ("config", "show"), ("config", "schema"), ("config", "check")):
        result = run(*args, "-o", "json")
        assert json.loads(result.stdout)["schema_version"] == 1
        assert result.stderr == ""
