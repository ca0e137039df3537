from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.gateway import intake as module
from squad.actors.gateway.intake import Batch, Intake
from squad.actors.gateway.reading import IntakeError, TooLargeError, is_id
from squad.store.rows import NewTask
from tests.actors.gateway.stand_ins import CATALOGUE, SCAN

NOW = 1_700_000_000.0
ID = "0190f3a4-0000-7000-8000-000000000001"
GOOD: dict[str, Any] = {"recipient": "scanner", "type": "scan", "payload": {"path": "x"}}

intake = Intake(CATALOGUE, 1000)


def one(**changes: Any) -> NewTask:
    return intake.one(json.dumps({**GOOD, **changes}).encode(), NOW)


def refused(body: bytes | str | dict[str, Any]) -> IntakeError:
    data = json.dumps(body) if isinstance(body, dict) else body
    with pytest.raises(IntakeError) as caught:
        intake.one(data if isinstance(data, bytes) else data.encode(), NOW)
    return caught.value


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


def test_a_message_with_nothing_but_what_is_needed() -> None:
    row = one()
    assert row == NewTask(row.task_id, "cli", "scanner", "scan", '{"path":"x"}', 5)
    assert is_id(row.task_id)


def test_a_message_with_everything() -> None:
    row = one(id=ID, priority=1, sender="tests of ours", delay=2.5, key="k")
    assert row == NewTask(ID, "tests of ours", "scanner", "scan", '{"path":"x"}', 1, not_before=NOW + 2.5, key="k")


def test_times() -> None:
    row = one(at="2023-11-14T23:30:00+01:00", ttl=90)
    assert (row.not_before, row.expires_at) == (NOW + 1000, NOW + 1090)  # it counts from when it may be handled
    row = one(delay=10, ttl=0.5)
    assert (row.not_before, row.expires_at) == (NOW + 10, NOW + 10.5)
    row = one(at=NOW - 5, ttl=90)  # a little late: clocks differ, and requests are repeated
    assert (row.not_before, row.expires_at) == (NOW - 5, NOW + 90)
    assert one(ttl=90).expires_at == NOW + 90


def test_the_payload_is_stored_compact_and_readable() -> None:
    body = '{"recipient": "scanner", "type": "scan", "payload": {"depth" :  2, "path" : "\\u00e9 \\u0000 \\" "}}'
    assert intake.one(body.encode(), NOW).payload == '{"depth":2,"path":"é \\u0000 \\" "}'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"priority": 0}, "priority must be a whole number from 1 (highest) to 10 (lowest), not 0"),
        ({"priority": 11}, "priority must be a whole number from 1 (highest) to 10 (lowest), not 11"),
        ({"priority": True}, "priority must be a whole number from 1 (highest) to 10 (lowest), not true"),
        ({"priority": 5.0}, "priority must be a whole number from 1 (highest) to 10 (lowest), not 5.0"),
        ({"priority": None}, "priority must be a whole number from 1 (highest) to 10 (lowest), not null"),
        ({"delay": -1}, "delay must be a number of seconds from 0 to 1,000,000,000, not -1"),
        ({"at": True}, "at must be a time: ISO 8601 with its zone, or seconds since the epoch, not true"),
        ({"at": "soon"}, "at 'soon' is no time: write for example 2026-01-31T09:30:00+01:00"),
        ({"at": "2030-01-31T09:30:00"}, "at '2030-01-31T09:30:00' has no time zone: write Z for UTC"),
        ({"at": "2020-01-31T09:30:00Z"}, "at '2020-01-31T09:30:00Z' has passed already"),
        ({"at": NOW - 60}, f"at '{NOW - 60}' has passed already"),
        ({"at": NOW + 60, "delay": 5}, "at cannot be given together with delay"),
        ({"at": 10**400}, "at '1000000000000000000000000000000000000000000000000000"),
        ({"at": "x" * 500}, "at 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' is no time"),
        ({"at": -1}, "at '-1' is no time: it must lie between the years 1970 and 9999"),
        ({"ttl": 0}, "ttl must be a number of seconds, more than 0, up to 1,000,000,000, not 0"),
        ({"ttl": "10s"}, "ttl must be a number of seconds, more than 0, up to 1,000,000,000, not '10s'"),
        ({"delay": "10s"}, "delay must be a number of seconds from 0 to 1,000,000,000, not '10s'"),
        ({"delay": 1e300}, "delay must be a number of seconds from 0 to 1,000,000,000, not 1e+300"),
        ({"delay": 10**400}, "delay must be a number of seconds from 0 to 1,000,000,000, not 1000000"),
        ({"key": ""}, "key must be 1 to 200 printable characters, not ''"),
        ({"key": "x" * 201}, "key must be 1 to 200 printable characters, not 'xxx"),
        ({"sender": "a\nb"}, r"sender must be 1 to 100 printable characters, not 'a\nb'"),
        ({"sender": "\ud800"}, r"sender must be 1 to 100 printable characters, not '\ud800'"),
        ({"sender": ["me"]}, "sender must be 1 to 100 printable characters, not a list"),
        ({"id": "7"}, "id must be a UUID in lower case, not '7'"),
        ({"payload": [1]}, "payload must be a JSON object, not a list"),
        ({"payload": "x"}, "payload must be a JSON object, not 'x'"),
        ({"recipient": 7}, "recipient must be text, not 7"),
        ({"type": {}}, "type must be text, not an object"),
        ({"recipient": "scaner"}, "no agent or convoy is called 'scaner'"),
        ({"type": "scna"}, "'scanner' handles no type 'scna'"),
        ({"recipient": "scanner", "type": "report"}, "'scanner' does not handle 'report'"),
        ({"payload": {"path": "\ud800"}}, "payload holds half a character"),
        ({"payload": {"path": 1e999}}, "this is not JSON: it has no number Infinity"),
    ],
)
def test_one_wrong_field_is_one_clear_sentence(changes: dict[str, Any], message: str) -> None:
    error = refused({**GOOD, **changes})
    assert error.message.startswith(message)
    assert error.message.isprintable()


@pytest.mark.parametrize("field", ["recipient", "type", "payload"])
def test_a_field_that_is_missing(field: str) -> None:
    assert refused(without(field)).message == f"{field} is missing"


def test_an_unknown_field_has_a_suggestion() -> None:
    error = refused({**GOOD, "prioritty": 3})
    assert (error.message, error.hint) == (
        "'prioritty' is not a field of a message",
        "did you mean 'priority'?",
    )


def test_all_mistakes_are_named_at_once() -> None:
    error = refused({"recipient": "scanner", "type": "scan", "priority": 0, "kee": 1, "payload": {"pth": 1}})
    assert [(problem.where, problem.what.split()[0]) for problem in error.problems] == [
        ("'kee'", "is"),
        ("priority", "must"),
        ("payload.path", "is"),
        ("payload.pth", "is"),
    ]


def test_every_wrong_field_of_the_payload_is_named() -> None:
    error = refused({**GOOD, "payload": {"depth": "deep", "paht": "x"}})
    assert error.message == "the payload does not fit the type 'scan'"
    assert [problem.where for problem in error.problems] == ["payload.path", "payload.depth", "payload.paht"]
    assert "did you mean 'path'?" in str(error.problems[2])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "this is not JSON: expecting value at line 1, column 1"),
        ('{"recipient":\n "x",}', "this is not JSON: "),
        ("[1]", "this must be a JSON object, not a list"),
        ("null", "this must be a JSON object, not null"),
        (b"\xff{}", "the text is not UTF-8 from byte 1 on"),
        (b"\xef\xbb\xbf{}", "this is not JSON: "),
        ('{"type": "a", "type": "b"}', "the key 'type' is given twice"),
        ('{"payload": {"a": {"\\u001b": 1, "\\u001b": 2}}}', r"the key '\x1b' is given twice"),
        ('{"delay": NaN}', "this is not JSON: it has no number NaN"),
        ('{"delay": -Infinity}', "this is not JSON: it has no number -Infinity"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ('{"delay": 1' + "0" * 10_000 + "}", "a number in the JSON has too many digits"),
        ('{"a": "\t"}', "this is not JSON: invalid control character at"),
        ("{} {}", "this is not JSON: extra data at line 1, column 4"),
    ],
)
def test_what_is_not_json(body: str | bytes, message: str) -> None:
    error = refused(body)
    assert error.message.startswith(message)
    assert error.status == 400


def test_numbers_that_no_float_holds() -> None:
    body = '{"recipient": "scanner", "type": "scan", "payload": {"path": "x", "depth": 1e999}}'
    assert refused(body).message == "payload holds a number that is too large"
    body = '{"recipient": "scanner", "type": "scan", "delay": 1e999, "payload": {"path": "x"}}'
    assert refused(body).message.startswith("delay must be a number of seconds")


def test_deep_payloads_are_refused_by_name() -> None:
    for depth in (150, 250, 900):
        body = f'{{"recipient": "scanner", "type": "scan", "payload": {{"path": {"[" * depth}{"]" * depth}}}}}'
        assert "payload" in str([*refused(body).problems, refused(body).message])


def test_a_payload_over_the_limit() -> None:
    fits = "x" * (1000 - len('{"path":""}'))
    assert len(one(payload={"path": fits}).payload) == 1000
    error = refused({**GOOD, "payload": {"path": fits + "y"}})
    assert error.status == 413
    assert error.message == "the payload is 1,001 bytes of JSON; at most 1,000 are allowed"
    assert refused({**GOOD, "payload": {"path": "é" * 500}}).status == 413  # bytes, not characters


def test_the_mistakes_of_a_very_wrong_payload_are_not_all_listed() -> None:
    take = Intake(CATALOGUE, 100_000).one
    wrong = {"path": "x", "y" * 5000: 1, **{f"x{number}": 1 for number in range(1000)}}
    with pytest.raises(IntakeError) as caught:
        take(json.dumps({**GOOD, "payload": wrong}).encode(), NOW)
    assert len(caught.value.problems) == 101
    assert str(caught.value.problems[-1]) == "payload: has 901 more mistakes"
    assert max(len(problem.where) for problem in caught.value.problems) < 200


def test_a_type_whose_own_check_raises_is_no_bug_of_ours() -> None:
    error = refused({"recipient": "scanner", "type": "moody", "payload": {"value": 1}})
    assert error.message == "payload cannot be checked: the type 'moody' raised KeyError: 'its own mistake'"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
fields = ["id", "recipient", "type", "payload", "priority", "sender", "delay", "at", "ttl", "key", "odd"]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(fields, values)), st.booleans())
def test_any_message_is_taken_or_refused_by_name(message: dict[str, Any], known: bool) -> None:
    body = {**message, "recipient": "scanner", "type": "scan"} if known else message
    try:
        row = intake.one(json.dumps(body).encode(), NOW)
    except IntakeError as error:
        assert error.message
        assert all(problem.what for problem in error.problems)
    else:
        assert row.task_id and row.recipient == "scanner" and 1 <= row.priority <= 10
        SCAN.decode(row.payload)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(IntakeError):
        intake.one(data, NOW)


# -- batches ---------------------------------------------------------------------------------------------------------


def batch(*pieces: bytes) -> list[NewTask]:
    taken = Batch(intake, NOW)
    for piece in pieces:
        taken.feed(piece)
    return taken.finish()


def line(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


@given(st.lists(st.integers(0, 400), max_size=6), st.booleans(), st.booleans())
def test_a_batch_is_the_same_however_it_arrives(cuts: list[int], last_newline: bool, blanks: bool) -> None:
    ids = [f"0190f3a4-0000-7000-8000-00000000000{number}" for number in range(4)]
    gap = b"\n\r\n  \n" if blanks else b"\n"
    data = gap.join(line(id=task_id, payload={"path": "é"}) for task_id in ids) + (b"\n" if last_newline else b"")
    marks = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    rows = batch(*[data[begin:end] for begin, end in pairwise(marks)])
    assert [row.task_id for row in rows] == ids


def test_every_wrong_line_is_named_with_its_mistakes() -> None:
    lines = [line(), line(priority=0), b"", b"{", line(payload={"depth": "x"}), line(recipient="scaner")]
    with pytest.raises(IntakeError) as caught:
        batch(b"\n".join(lines))
    assert caught.value.message == "4 of 6 lines are wrong; nothing is queued"
    assert [problem.where for problem in caught.value.problems] == [
        "line 2",
        "line 4",
        "line 5: payload.path",
        "line 5: payload.depth",
        "line 6",
    ]
    assert "did you mean 'scanner'?" in str(caught.value.problems[-1])
    assert "column 2" in str(caught.value.problems[1])


def test_only_the_first_hundred_wrong_lines_are_named() -> None:
    with pytest.raises(IntakeError) as caught:
        batch(b"{\n" * 250)
    assert caught.value.message == "250 of 250 lines are wrong; nothing is queued"
    assert len(caught.value.problems) == 100


def test_an_id_that_is_used_twice_in_a_batch() -> None:
    with pytest.raises(IntakeError) as caught:
        batch(b"\n".join([line(id=ID), line(), line(id=ID)]))
    assert str(caught.value.problems[0]) == "line 3: id is that of line 1 as well"


def test_an_empty_batch() -> None:
    for data in (b"", b"\n\n", b" "):
        with pytest.raises(IntakeError, match="the batch is empty"):
            batch(data)


def test_a_line_that_is_too_long_ends_the_batch_before_it_is_all_there() -> None:
    taken = Batch(intake, NOW)
    taken.feed(line() + b"\n")
    with pytest.raises(TooLargeError, match="line 2 is over"):
        for _ in range(100):
            taken.feed(b"x" * 10_000)
    with pytest.raises(TooLargeError, match="line 2 is over"):
        batch(line() + b"\n" + b"x" * (intake.max_request + 1) + b"\n")


def test_a_batch_over_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 3)
    assert len(batch(b"\n".join([line()] * 3))) == 3
    with pytest.raises(TooLargeError, match="over 3 lines"):
        batch(b"\n".join([line()] * 4))
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    with pytest.raises(TooLargeError, match="over 100 bytes"):
        batch(line() * 2)
