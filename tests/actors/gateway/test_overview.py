from __future__ import annotations

from typing import Any

import pytest

from squad.actors.gateway import overview
from tests.actors.gateway.stand_ins import TREE, row


def health(*changed: dict[str, Any]) -> dict[str, Any]:
    names = {item["name"] for item in changed}
    return overview.health("test", [item for item in TREE if item["name"] not in names] + list(changed))


def test_a_squad_that_is_up() -> None:
    assert health() == {
        "squad": "test",
        "pid": 7,
        "ready": True,
        "frozen": None,
        "waiting_for": [],
        "failed": [],
    }


@pytest.mark.parametrize("state", ["waiting", "starting", "restarting", "hung"])
def test_those_that_are_not_there_yet_are_named(state: str) -> None:
    found = health(row("scanner", "agent", "supervisor", state), row("checker-2", "worker", "checker", state))
    assert (found["ready"], found["waiting_for"]) == (False, ["scanner", "checker-2"])


def test_those_that_will_not_come_are_named_with_their_error() -> None:
    found = health(row("scanner", "agent", "supervisor", "quarantined", last_error="it crashed"))
    assert (found["ready"], found["failed"]) == (False, [{"name": "scanner", "error": "it crashed"}])


def test_a_convoy_that_shrinks_is_ready_and_a_squad_that_stops_is_not() -> None:
    convoy = next(item for item in TREE if item["kind"] == "convoy")
    assert health({**convoy, "state": "resizing"}, row("checker-2", "worker", "checker", "draining"))["ready"]
    assert not health(row("supervisor", "supervisor", None, "draining"))["ready"]
    assert not overview.health("test", [])["ready"]


def test_depths_are_of_recipients_and_tokens_of_the_gateway() -> None:
    rows = {item["name"]: item for item in overview.with_depths(TREE, {"scanner": 4}, 7.5)}
    assert {name: item["queue_depth"] for name, item in rows.items()} == {
        "supervisor": None,
        "storage": None,
        "gateway": None,
        "scanner": 4,
        "checker": 0,
        "checker-1": None,
        "checker-2": None,
    }
    assert rows["gateway"]["tokens"] == 7.5
    assert all(item["queue_depth"] is None for item in overview.with_depths(TREE, None, None))


def test_rows_age() -> None:
    assert {item["age"] for item in overview.aged(TREE, 2.25)} == {2.8}
