"""Every command with its own options and anything as their values: a squad that runs, and none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squad.cli.app import cli
from squad.config.schema import StoreConfig
from squad.errors import Exit
from squad.home import Home
from squad.store.writer import Writer
from tests.cli.a_store import Story
from tests.cli.test_program import COMMANDS
from tests.running import ROOT, RunningSquad

THOROUGH = settings.default.max_examples // 100  # how many times as much as usual: --hypothesis-profile fuzz
CONFIG = f"""
agents:
  quick: {{class: "{ROOT}/tests/faults/loading.py:Quick"}}
"""
# They start something, go on for ever, write where they are told to, open an editor, or end the squad under the test.
NEVER = ("start", "stop", "verify", "benchmark", "reload", "init", "schema", "backup", "restore", "edit")
NEVER_OPTIONS = {"--watch", "-w", "--into", "--output-file", "--follow", "-f", "--home", "--wait", "--file", "--plot"}
LEAVES = [
    (path.split()[1:], command)
    for path, command in COMMANDS
    if not isinstance(command, click.Group) and not set(path.split()) & set(NEVER)
]
WORDS = st.sampled_from(
    [
        *(
            "quick",
            "take",
            "json",
            "table",
            "auto",
            "0",
            "1",
            "-1",
            "5",
            "1.5",
            "nan",
            "inf",
            "1e400",
            "9" * 30,
            "10s",
            "-10s",
        ),
        *(
            "",
            " ",
            "-",
            "--",
            "@",
            "@/nonexistent",
            "{}",
            "[]",
            '{"text": "x"}',
            "{",
            "[" * 3000,
            "a" * 3000,
            "..",
            "../..",
            "/",
        ),
        *(
            "\x1b[2J",
            "\x00",
            "\udcff",
            "é",
            "🦑",
            "a\nb",
            "%s",
            "{payload}",
            "queued",
            "completed,failed",
            "2026-01-01",
            "now",
        ),
        *(
            "01a20066-4465-7000-a6f5-de2af55bb89b",
            "01a2",
            "quick-1",
            "storage",
            "INFO",
            "yesterday",
            "1d",
            "*",
            "'",
            '"',
        ),
    ]
) | st.text(max_size=8)


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command, some of its options with any values, and any arguments, in any order."""
    words, command = draw(st.sampled_from(LEAVES))
    parts: list[list[str]] = []
    options = [p for p in command.params if isinstance(p, click.Option) and not NEVER_OPTIONS & set(p.opts)]
    for option in draw(st.lists(st.sampled_from(options), max_size=3)) if options else ():
        name = draw(st.sampled_from([*option.opts, *option.secondary_opts]))
        parts.append([name] if option.is_flag or option.count else [name, draw(WORDS)])
    arguments = sum(abs(p.nargs) for p in command.params if isinstance(p, click.Argument))
    # An argument that is no option by chance: those have been chosen.
    parts += [
        [draw(WORDS.filter(lambda text: not text.startswith("-")))] for _ in range(draw(st.integers(0, arguments + 1)))
    ]
    return [*words, *(word for part in draw(st.permutations(parts)) for word in part)]


def few(number: int) -> settings:
    return settings(
        max_examples=number * THOROUGH,
        derandomize=THOROUGH == 1,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def assert_decent(line: list[str], home: Path) -> None:
    """It ends with a documented status; nobody sees a traceback, or an order for his terminal."""
    result = CliRunner().invoke(cli, line, input="{}", prog_name="squad", env={"SQUAD_HOME": str(home)})
    assert isinstance(result.exception, SystemExit | None), (line, result.exception)
    assert result.exit_code in set(Exit), (line, result.exit_code)
    assert "bug in Squad" not in result.output, (line, result.stderr)
    assert "Traceback" not in result.output, line
    assert not set(result.output) & {"\x1b", "\x00", "\x9b"}, (line, result.output)
    if result.exit_code not in (Exit.DONE, Exit.NOT_RUNNING):  # what there is to say of a squad that is down is output
        assert result.stderr.strip(), line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a squad that does not run, with a history."""
    made = Home(tmp_path / ".squad")
    made.prepare()
    with closing(Writer(made.database, StoreConfig())) as writer:
        Story(writer).sent("quick", "take", {"text": "\x1b[2J"})
    monkeypatch.chdir(tmp_path)
    return made.path


@given(lines())
@few(120)
def test_with_no_squad(home: Path, line: list[str]) -> None:
    assert_decent(line, home)


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "squad.yaml").write_text(CONFIG)
    with RunningSquad(folder / "home", folder / "squad.yaml") as made:
        yield made


@given(lines())
@few(120)
def test_with_a_squad(squad: RunningSquad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert_decent(line, squad.home)


def test_and_the_squad_still_works(squad: RunningSquad) -> None:
    squad.cli("thaw", status=None)
    squad.cli("resume", status=None)
    squad.wait(squad.send("quick", "take", {}, priority=1))


@pytest.mark.parametrize(
    "line",
    [
        *(["verify", "--minutes", value] for value in ("nan", "-1", "0", "x", "1e400", "")),
        *(["verify", "--kills", value] for value in ("0", "1.5", "x", "9" * 30)),
        *(["benchmark", "run", "--only", value] for value in ("", "x", "\x1b[2J", "throughput,x")),
        *(["benchmark", "run", "--repeat", value] for value in ("0", "-1", "x")),
        *(["benchmark", "report", "--file", value] for value in ("nonexistent", ".", "\udcff", "")),
        *(["maintenance", "restore", value] for value in ("nonexistent", ".", "\udcff", "", "/dev/null")),
        *(["start", "--config", value] for value in ("nonexistent", ".", "\udcff", "", "/dev/null")),
        *(["reload", "--config", value] for value in ("nonexistent", ".", "\udcff", "")),
    ],
    ids=lambda line: ascii(" ".join(line))[:60],
)
def test_a_value_that_cannot_be(home: Path, line: list[str]) -> None:
    """Of commands that would do much with a good one."""
    result = CliRunner().invoke(cli, line, prog_name="squad", env={"SQUAD_HOME": str(home)})
    assert result.exit_code in {Exit.FAILED, Exit.USAGE, Exit.NOT_RUNNING, Exit.CONFIG}, (line, result.output)
    assert_decent(line, home)
