"""What is on hold: the row, and what changes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.store.holds import Freeze, Holds, Pause, said

times = st.floats(0, 2e9)
pauses = st.builds(Pause, times, st.text(), st.text())
freezes = st.builds(Freeze, times, st.text(), st.text(), st.none() | times)
names = st.text(min_size=1, max_size=3)
everything = st.builds(Holds, st.dictionaries(names, pauses), st.none() | freezes)


@given(everything)
def test_what_is_written_is_what_is_read(holds: Holds) -> None:
    assert Holds.read(holds.text()) == holds
    assert bool(holds) == bool(holds.paused or holds.frozen)


@pytest.mark.parametrize(
    "text", [None, "", "null", "[]", "{}", '{"paused": {"a": 1}, "frozen": null}', '{"paused": {}, "frozen": {"x": 1}}']
)
def test_a_row_that_is_none_holds_nothing(text: str | None) -> None:
    assert Holds.read(text) == Holds()


@given(everything, st.lists(names), pauses)
def test_pausing_and_resuming(holds: Holds, wanted: list[str], pause: Pause) -> None:
    after, fresh = holds.pause(wanted, pause)
    assert set(fresh) == set(wanted) - holds.paused.keys()
    assert all(after.paused[name] == holds.paused.get(name, pause) for name in wanted)
    assert all(after.hold(name) for name in wanted)
    assert after.pause(wanted, pause) == (after, ())
    back, over = after.resume(fresh)
    assert (back == holds, over == fresh) if fresh else True
    nothing, _ = after.resume(())
    assert nothing.paused == {}


def test_a_freeze_can_be_hurried_and_not_put_off() -> None:
    holds = Holds().freeze(Freeze(1.0, "root", "why", None))
    assert (holds.hold("any"), holds.frozen) == (True, Freeze(1.0, "root", "why", None))
    holds = holds.freeze(Freeze(2.0, "other", "", 9.0))
    assert holds.frozen == Freeze(1.0, "root", "why", 9.0)
    assert holds.freeze(Freeze(3.0, until=20.0)).freeze(Freeze(3.0)) == holds
    assert holds.freeze(Freeze(3.0, until=4.0)).frozen == Freeze(1.0, "root", "why", 4.0)
    assert holds.thaw() == Holds()


def test_what_is_said_of_it() -> None:
    assert said(Pause(1.0)) == ""
    assert said(Pause(1.0, "root")) == "by root"
    assert said(Pause(1.0, "", "a look")) == "a look"
    assert said(Pause(1.0, "root", "a look")) == "by root: a look"
    assert Holds({"a": Pause(0.0)}).document() == {
        "frozen": None,
        "paused": [{"name": "a", "since": "1970-01-01T00:00:00.000Z", "by": None, "reason": None}],
    }
