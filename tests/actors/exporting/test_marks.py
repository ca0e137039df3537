"""How far each exporter is, as it is kept."""

from __future__ import annotations

import json

import pytest

from squad.actors.exporting import marks
from squad.actors.exporting.marks import Mark
from squad.store.finished import Place

EARLY = Mark(Place("2027-01-15T08:00:00.000Z", 7, 3), 10, 1)
LATE = Mark(Place("2027-01-15T09:00:00.000Z", 9, 3), 20)


def test_what_is_kept_is_read_again() -> None:
    both = {"jaeger": EARLY, "langfuse": LATE}

    assert marks.read(marks.text(both, both)) == both
    assert EARLY.moved(Place("x", 1, 1), sent=2, skipped=1) == Mark(Place("x", 1, 1), 12, 2)


def test_until_is_when_all_that_are_configured_have_sent_everything() -> None:
    both = {"jaeger": EARLY, "langfuse": LATE}

    assert json.loads(marks.text(both, both))["until"] == EARLY.place.at
    assert json.loads(marks.text(both, ["langfuse"]))["until"] == LATE.place.at
    assert json.loads(marks.text(both, ["langfuse", "one that has not begun"]))["until"] == ""


@pytest.mark.parametrize("text", [None, "", "null", "[]", "{}", '{"marks": 3}', '{"marks": {"jaeger": {"at": "x"}}}'])
def test_what_is_no_mark_is_none(text: str | None) -> None:
    assert marks.read(text) == {}
