"""Convoys out of the rows of the actor tree."""

from __future__ import annotations

from typing import Any

import pytest

from squad import convoys
from squad.errors import UsageError
from tests.actors.gateway.stand_ins import TREE

TAKEN: dict[str, Any] = {"squad": "test", "live": True, "taken_at": "2025-01-02T03:04:05.678Z"}


def test_a_list_with_their_workers() -> None:
    assert convoys.listed({**TAKEN, "actors": TREE}) == {
        **TAKEN,
        "convoys": [
            {
                "name": "checker",
                "state": "ready",
                "size": 2,
                "target": 2,
                "min": 2,
                "max": 8,
                "pinned": False,
                "queue_depth": None,
                "in_hand": 0,
                "reason": "at its start",
                "workers": ["checker-1", "checker-2"],
            }
        ],
    }


def test_one_of_them_and_one_that_there_is_not() -> None:
    shown = convoys.shown({**TAKEN, "actors": TREE}, "checker", [])
    assert shown["convoy"] == next(row for row in TREE if row["name"] == "checker")
    assert [row["name"] for row in shown["workers"]] == ["checker-1", "checker-2"]
    with pytest.raises(UsageError, match="there is no convoy 'cheker'") as caught:
        convoys.shown({**TAKEN, "actors": TREE}, "cheker", [])
    assert caught.value.hint == "did you mean 'checker'?"
