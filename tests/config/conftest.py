from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from squad.config.load import parse
from squad.errors import ConfigError

Mistakes = Callable[[str], list[str]]


@pytest.fixture
def mistakes() -> Mistakes:
    """The problems of a configuration text, as lines for people; empty when it loads."""

    def find(text: str) -> list[str]:
        try:
            parse(text, name="squad.yaml", base_dir=Path("/nowhere"))
        except ConfigError as error:
            assert error.problems
            return [str(problem) for problem in error.problems]
        return []

    return find


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
