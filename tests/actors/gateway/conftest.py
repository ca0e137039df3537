from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.gateway.stand_ins import Served


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    made = Served(home)
    yield made
    made.close()
