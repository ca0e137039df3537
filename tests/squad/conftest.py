from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from squad import Client
from squad.home import Home
from tests.cli.fake_gateway import FakeGateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    with FakeGateway(Home(tmp_path / ".squad")) as running:
        yield running


@pytest.fixture
def squad(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.home, patience=30) as client:
        yield client
