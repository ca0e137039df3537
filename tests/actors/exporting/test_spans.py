"""What a trace says of a message."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from squad import trace
from squad.actors.exporting.spans import Span, spans_of
from squad.store.finished import Ended, Failure

ROOT, TASK = "01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"
OUTSIDE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECOND = 1_000_000_000


def at(second: int) -> str:
    return f"2027-01-15T08:00:{second:02d}.000Z"


def ended(**fields: Any) -> Ended:
    about = {
        "row": 2,
        "task_id": TASK,
        "parent_id": ROOT,
        "root_id": ROOT,
        "sender": "scout",
        "recipient": "smith",
        "type": "forge",
        "priority": 5,
        "traceparent": None,
        "created_at": at(0),
        "root_type": "scout",
        "status": "completed",
        "started_at": at(3),
        "ended_at": at(6),
        "duration_ms": 2000,
        "worker": "smith.1",
        "error": None,
        "attempt": 0,
        "payload": '{"secret":1}',
        "result": '"done"',
    }
    return Ended(**{**about, **fields})


def failure(number: int, second: int, error: str = "ValueError: no\n  File x", **fields: Any) -> Failure:
    about = {"id": number, "worker": "smith.1", "started_at": at(second), "outcome": "error", "final": 0}
    return Failure(number=number, ended_at=at(second + 1), error=error, **{**about, **fields})


def spans(one: Ended, *, content: bool = False, langfuse: bool = False) -> list[Span]:
    return spans_of(one, "trek", content=content, langfuse=langfuse)


def test_a_message_is_a_span_with_its_wait_and_its_attempt() -> None:
    own, attempt = spans(ended())

    assert (own.agent, own.name, own.kind) == ("smith", "process forge", "consumer")
    assert (own.trace_id, own.span_id) == (trace.trace_id(ROOT), trace.span_id(TASK))
    assert own.parent_id == trace.span_id(ROOT)
    assert own.end - own.start == 6 * SECOND
    assert own.attributes["squad.waiting_ms"] == 3000
    assert own.attributes["messaging.destination.name"] == "smith"
    assert own.error is None
    assert (attempt.name, attempt.parent_id) == ("attempt 1", own.span_id)
    assert (attempt.start - own.start, attempt.end - attempt.start) == (3 * SECOND, 2 * SECOND)


def test_payloads_stay_here_unless_they_are_wanted() -> None:
    assert "secret" not in str([span.attributes for span in spans(ended())])
    assert "secret" not in str([span.attributes for span in spans(ended(), langfuse=True)])
    assert spans(ended(), content=True)[0].attributes["squad.payload"] == '{"secret":1}'
    found = spans(ended(), content=True, langfuse=True)[0].attributes
    assert (found["langfuse.observation.input"], found["langfuse.observation.output"]) == ('{"secret":1}', '"done"')
    assert "squad.payload" not in found


def test_langfuse_is_told_of_which_trace_every_span_is() -> None:
    for span in spans(ended(failures=(failure(1, 0),)), langfuse=True):
        assert span.attributes["langfuse.trace.name"] == "scout"
        assert span.attributes["langfuse.trace.tags"] == ("trek",)
        assert span.attributes["langfuse.observation.type"] in ("agent", "span")


def test_failed_attempts_are_errors_with_their_exceptions() -> None:
    own, first, second = spans(ended(failures=(failure(1, 1),)))

    assert own.error is None
    assert (first.name, first.error) == ("attempt 1", "ValueError: no")
    (raised,) = first.exceptions
    assert raised.at == first.end
    assert raised.attributes == {
        "exception.type": "ValueError",
        "exception.message": "no",
        "exception.stacktrace": "ValueError: no\n  File x",
    }
    assert (second.name, second.error) == ("attempt 2", None)
    assert own.attributes["squad.attempts"] == 2


def test_a_dead_letter_is_an_error_and_its_replay_hangs_below_it() -> None:
    dead = (failure(1, 1), failure(2, 2, "its process died", outcome="crash", final=1))
    own, *attempts = spans(ended(status="failed", error="its process died", failures=dead, attempt=2))
    replay, third = spans(ended(replays=1, earlier=2, started_at=at(50), ended_at=at(59)))

    assert own.error == "its process died"
    assert [attempt.attributes["error.type"] for attempt in attempts] == ["ValueError", "crash"]
    assert (replay.name, replay.parent_id) == ("replay forge", own.span_id)
    assert (third.name, third.parent_id) == ("attempt 3", replay.span_id)
    assert replay.start == third.start
    assert len({own.span_id, replay.span_id, third.span_id, *(attempt.span_id for attempt in attempts)}) == 5


def test_what_was_never_handled_has_no_attempt() -> None:
    never = {"started_at": None, "duration_ms": None, "worker": None}
    (expired,) = spans(ended(status="expired", error="its time to live was over", **never))
    (cancelled,) = spans(ended(status="cancelled", error="cancelled", **never))

    assert (expired.error, cancelled.error) == ("its time to live was over", None)


def test_a_trace_that_began_outside_is_joined() -> None:
    root, _ = spans(ended(task_id=ROOT, parent_id=None, traceparent=OUTSIDE))
    child, _ = spans(ended(traceparent=trace.inherited(ROOT, OUTSIDE)))

    assert f"{root.trace_id:032x}" == OUTSIDE[3:35]
    assert f"{root.parent_id:016x}" == OUTSIDE[36:52]
    assert (child.trace_id, child.parent_id) == (root.trace_id, root.span_id)


def test_long_texts_are_cut() -> None:
    found = spans(ended(payload="x" * 200_000, result=None), content=True)[0].attributes

    assert len(str(found["squad.payload"])) < 100_100
    assert str(found["squad.payload"]).endswith("(100,000 characters more)")


times = st.none() | st.text() | st.integers(0, 59).map(at)


@given(
    st.fixed_dictionaries(
        {
            "task_id": st.text(),
            "root_id": st.text(),
            "parent_id": st.none() | st.text(),
            "traceparent": st.none() | st.text() | st.just(OUTSIDE),
            "created_at": st.integers(0, 59).map(at) | st.text(),
            "started_at": times,
            "duration_ms": st.none() | st.integers(0, 10**9),
            "status": st.sampled_from(["completed", "failed", "cancelled", "expired"]),
            "error": st.none() | st.text(),
            "replays": st.integers(0, 2),
            "failures": st.lists(st.builds(failure, st.integers(1, 9), st.integers(0, 50), st.text()), max_size=3).map(
                tuple
            ),
        }
    ),
    st.booleans(),
)
def test_whatever_a_row_says_it_becomes_spans_that_can_be_sent(fields: dict[str, Any], langfuse: bool) -> None:
    for span in spans(ended(**fields), langfuse=langfuse, content=True):
        assert 0 < span.trace_id < 2**128
        assert 0 < span.span_id < 2**64
        assert 0 <= span.start <= span.end
