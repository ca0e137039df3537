"""Maintenance by hand as HTTP; what it does is tested beside the storage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from squad.actors.protocol import Maintain
from squad.errors import StoreError
from tests.actors.gateway.stand_ins import Served


def post(served: Served, body: Any) -> tuple[int, dict[str, Any]]:
    status, document = served.call("POST", "/v1/maintenance", json.dumps(body))
    return status, document.get("error", document)


def test_it_reaches_the_storage(served: Served) -> None:
    status, document = post(served, {"what": "prune"})
    assert (status, document["began"], document["already"]) == (202, "2023-11-14T22:13:20.000Z", True)
    assert [order.what for order in served.inside.said if isinstance(order, Maintain)] == ["prune"]


def test_a_storage_that_cannot(served: Served) -> None:
    served.inside.maintain_error = StoreError("the disk is full", hint="make room")
    status, error = post(served, {"what": "run"})
    assert status >= 500
    assert (error["message"], error["hint"]) == ("the disk is full", "make room")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, 'what must be "run" or "prune"'),
        ({"what": "vacuum"}, 'what must be "run" or "prune"'),
        ({"what": ["run"]}, 'what must be "run" or "prune"'),
        ({"waht": "run"}, "waht"),
    ],
)
def test_what_makes_no_sense(served: Served, body: Any, said: str) -> None:
    status, error = post(served, body)
    assert status == 422
    assert said in error["message"]
