"""What follows from a receiver's answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from squad.actors.exporting.pace import MOST, Answer, Pace

answers = st.builds(
    Answer,
    st.sampled_from(["taken", "away", "barred", "too large", "malformed"]),
    retry_after=st.none() | st.floats(0, 1e6),
)


def test_a_receiver_that_is_away_is_tried_again_ever_more_seldom_and_for_ever() -> None:
    pace = Pace()
    pauses = []
    for _ in range(10):
        assert pace.after(Answer("away"), 256) == "again"
        pauses.append(pace.pause)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert pace.size == MOST
    assert pace.after(Answer("taken"), 256) == "go on"
    assert pace.pause == 0


def test_wrong_keys_lose_nothing_either() -> None:
    pace = Pace()

    assert {pace.after(Answer("barred"), 1) for _ in range(100)} == {"again"}


def test_what_a_receiver_asks_for_is_kept_to() -> None:
    pace = Pace()

    pace.after(Answer("away", retry_after=30), 1)
    assert pace.pause == 30
    pace.after(Answer("away", retry_after=1e9), 1)
    assert pace.pause == 600


def test_a_message_that_it_does_not_understand_is_found_and_passed_over_while_it_takes_others() -> None:
    pace = Pace()
    poison, sent, here = 5, [], 0
    while here < 16:
        some = range(here, min(here + pace.size, 16))
        kind = "malformed" if poison in some else "taken"
        what = pace.after(Answer(kind), len(some))
        if what != "again":
            here = some[-1] + 1
            sent += [number for number in some if what == "go on"]

    assert sent == [number for number in range(16) if number != poison]


def test_one_that_understands_nothing_is_not_fed_message_after_message() -> None:
    pace = Pace()

    assert [pace.after(Answer("malformed"), 1) for _ in range(4)] == ["pass over", "again", "again", "again"]


def test_one_message_that_is_too_large_by_itself_is_passed_over() -> None:
    pace = Pace()

    assert [pace.after(Answer("too large"), count) for count in (4, 2, 1)] == ["again", "again", "pass over"]


@given(st.lists(answers))
def test_whatever_is_answered_something_is_sent_and_not_too_often(all_answers: list[Answer]) -> None:
    pace = Pace()
    for answer in all_answers:
        count = pace.size
        what = pace.after(answer, count)
        assert 1 <= pace.size <= MOST
        assert 0 <= pace.pause <= 600
        assert (what == "go on") == (answer.kind == "taken")
        if what == "again":
            assert pace.pause >= 1 or pace.size < count
