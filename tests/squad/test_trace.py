"""Which trace a message belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad import trace
from squad.ids import new_id

OUTSIDE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CHILD, ROOT = new_id(), new_id()


def test_a_messages_trace_has_the_id_of_its_root() -> None:
    own, above = trace.parent_of(ROOT, None, None)

    assert f"{own:032x}" == ROOT.replace("-", "")
    assert above is None
    assert trace.parent_of(ROOT, CHILD, None) == (own, trace.span_id(CHILD))
    assert trace.context_of(CHILD, ROOT, None).text() == f"00-{own:032x}-{trace.span_id(CHILD):016x}-01"


def test_a_trace_that_began_outside_is_passed_on_with_its_flags() -> None:
    unrecorded = OUTSIDE[:-2] + "00"

    assert trace.parent_of(ROOT, None, OUTSIDE) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    assert trace.context_of(CHILD, ROOT, OUTSIDE).text() == trace.inherited(CHILD, OUTSIDE)
    assert trace.inherited(CHILD, OUTSIDE) == f"{OUTSIDE[:36]}{trace.span_id(CHILD):016x}-01"
    assert str(trace.inherited(CHILD, unrecorded)).endswith("-00")
    assert trace.inherited(CHILD, None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        OUTSIDE.upper(),
        OUTSIDE[:-1],
        OUTSIDE + "-more",  # version 00 has no more
        "ff" + OUTSIDE[2:],
        "00-" + "0" * 32 + OUTSIDE[35:],
        OUTSIDE[:36] + "0" * 16 + "-01",
        OUTSIDE + "\n",
    ],
)
def test_what_is_no_place_in_a_trace_is_refused_or_passed_over(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|names no trace"):
        trace.parse(text)
    assert trace.usable(text.strip()) is None or text.strip() == OUTSIDE
    assert trace.inherited(CHILD, "junk") is None
    assert trace.parent_of(ROOT, None, "junk") == trace.parent_of(ROOT, None, None)


def test_a_later_version_is_read_as_far_as_it_agrees() -> None:
    assert trace.usable("cc" + OUTSIDE[2:] + "-what-the-future-brings") == OUTSIDE


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_what_is_written_can_be_read(trace_id: int, span_id: int, flags: int) -> None:
    place = trace.Parent(trace_id, span_id, flags)

    assert trace.parse(place.text()) == place


@given(st.text())
def test_any_id_has_a_trace_and_a_span(message_id: str) -> None:
    assert 0 < trace.trace_id(message_id) < 2**128
    assert 0 < trace.span_id(message_id, "attempt", 1) < 2**64
    assert trace.span_id(message_id) != trace.span_id(message_id, "attempt", 1)
