"""The ports that doors had, remembered in the home."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from squad.actors.gateway import doors
from squad.actors.gateway.doors import Doors
from squad.actors.gateway.ports import Port, Ports
from squad.config.schema import SquadConfig


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("SQUAD_MARK", "/a/home:with:colons:1234")
    return monkeypatch


def test_a_wish_holds_for_one_life_of_the_squad_and_the_port_for_good(tmp_path: Path, life: pytest.MonkeyPatch) -> None:
    Ports(tmp_path).keep("dashboard", Port(40_000, wished=True))
    assert Ports(tmp_path).last("dashboard") == (40_000, True)
    assert Ports(tmp_path).last("metrics") is None
    life.setenv("SQUAD_MARK", "/a/home:with:colons:5678")
    assert Ports(tmp_path).last("dashboard") == (40_000, False)
    life.delenv("SQUAD_MARK")
    Ports(tmp_path).keep("dashboard", Port(40_000, wished=True))
    assert Ports(tmp_path).last("dashboard") == (40_000, False)


@pytest.mark.parametrize("text", ["", "40000", "[]", '{"port": 80, "life": ""}', '{"port": "x", "life": ""}', "\xff"])
def test_what_was_changed_by_hand_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "dashboard.port").write_text(text, encoding="latin-1")
    assert Ports(tmp_path).last("dashboard") is None


def test_the_next_gateway_opens_the_door_where_it_was_or_elsewhere_if_that_is_taken(
    tmp_path: Path, life: pytest.MonkeyPatch
) -> None:
    async def listening(app: Any, listener: socket.socket, *more: Any) -> None:
        with listener:
            await asyncio.Event().wait()

    life.setattr(doors, "serve", listening)

    def opened(*, wished: bool) -> int:
        """By a gateway that ends then."""

        async def gateway() -> int:
            made = Doors(tmp_path, SquadConfig(), lambda name, policy: Starlette())
            if not wished:
                made.open_again()
                assert "dashboard" in made._opened
            port = made.open_dashboard().place.port
            await asyncio.sleep(0)  # what serves has begun
            return port

        return asyncio.run(gateway())

    port = opened(wished=True)
    assert opened(wished=False) == port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        elsewhere = opened(wished=False)
        assert elsewhere != port
    assert opened(wished=False) == elsewhere
