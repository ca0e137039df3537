from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from squad.cli.app import cli
from squad.config.schema import StoreConfig
from squad.home import Home
from squad.store.writer import Writer
from tests.cli.a_store import Story
from tests.cli.fake_gateway import FakeGateway

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home in which nothing runs."""
    made = Home(tmp_path / ".squad")
    made.prepare()
    return made


@pytest.fixture
def gateway(home: Home) -> Iterator[FakeGateway]:
    with FakeGateway(home) as running:
        yield running


@pytest.fixture
def story(home: Home) -> Iterator[Story]:
    """A real store in the home, with messages whose lives a test tells."""
    with closing(Writer(home.database, StoreConfig())) as writer:
        yield Story(writer)


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in the folder of the home, as ``squad ARGS`` there would."""
    monkeypatch.chdir(home.path.parent)

    def invoke(*args: str, input: str | bytes | None = None, **env: str) -> Result:  # noqa: A002 - as click calls it
        result = CliRunner().invoke(cli, list(args), input=input, env=env, prog_name="squad")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke
