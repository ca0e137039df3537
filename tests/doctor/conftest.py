from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from squad.config.schema import StoreConfig
from squad.doctor import Subject
from squad.home import Home
from squad.store.writer import Writer
from tests.cli.a_store import Story


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home in which nothing runs, beside the folder that the test is in."""
    made = Home(tmp_path / ".squad")
    made.prepare()
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def subject(home: Home) -> Subject:
    return Subject(home)


@pytest.fixture
def story(home: Home) -> Iterator[Story]:
    """A real store in the home."""
    with closing(Writer(home.database, StoreConfig())) as writer:
        yield Story(writer)
