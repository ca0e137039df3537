"""Squads for the tests of the actors: real ones, in a home of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.running import RunningSquad

AGENTS = Path(__file__).parent / "squads" / "agents.py"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], RunningSquad]]:
    """Start a squad from configuration text in which AGENTS stands for the file of test agents."""
    with ExitStack() as stack:

        def make(text: str) -> RunningSquad:
            config = tmp_path / "squad.yaml"
            config.write_text(text.replace("AGENTS", str(AGENTS)))
            return stack.enter_context(RunningSquad(tmp_path / "home", config))

        yield make
