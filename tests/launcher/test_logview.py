from __future__ import annotations

import json
import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from squad.actors import logs
from squad.logview import Follower, Line, Writer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON + 60)


def record(second: float, name: str, message: str, **more: str) -> bytes:
    at = datetime.fromtimestamp(NOON + second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"at": at, "level": "INFO", "name": name, "pid": 1, "message": message, **more}).encode() + b"\n"


def append(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(lines)


def messages(lines: list[Line]) -> list[str]:
    return [line.message for line in lines]


def test_it_begins_at_the_end_and_finds_new_lines_and_new_files(tmp_path: Path, clock: Clock) -> None:
    append(tmp_path / "a.jsonl", record(0, "a", "old"))
    follower = Follower(tmp_path, clock)
    assert follower.look() == []
    append(tmp_path / "a.jsonl", record(1, "a", "new"))
    append(tmp_path / "b.jsonl", record(2, "b", "first"))
    append(tmp_path / "thespian.log", b"not ours\n")
    assert follower.look() == [Line(NOON + 1, "a", "INFO", "new"), Line(NOON + 2, "b", "INFO", "first")]
    assert follower.look() == []


def test_files_are_merged_by_time(tmp_path: Path, clock: Clock) -> None:
    follower = Follower(tmp_path, clock)
    append(tmp_path / "a.jsonl", record(3, "a", "three"), record(5, "a", "five"))
    append(tmp_path / "b.jsonl", record(2, "b", "two"), record(4, "b", "four"))
    assert messages(follower.look()) == ["two", "three", "four", "five"]


def test_the_youngest_wait_for_what_may_still_come_before_them(tmp_path: Path, clock: Clock) -> None:
    follower = Follower(tmp_path, clock)
    append(tmp_path / "b.jsonl", record(60, "b", "second"))
    assert follower.look() == []
    append(tmp_path / "a.jsonl", record(59.999, "a", "first"))
    clock.now += 0.2
    assert messages(follower.look()) == ["first", "second"]


def test_a_line_from_the_future_is_not_kept_back(tmp_path: Path, clock: Clock) -> None:
    follower = Follower(tmp_path, clock)
    append(tmp_path / "a.jsonl", record(4000, "a", "the clock was set back"))
    assert messages(follower.look()) == ["the clock was set back"]


def test_the_rest_comes_without_waiting(tmp_path: Path, clock: Clock) -> None:
    follower = Follower(tmp_path, clock)
    append(tmp_path / "a.jsonl", record(60, "a", "held"))
    assert follower.look() == []
    append(tmp_path / "b.jsonl", record(59.995, "b", "last words"))
    assert messages(follower.rest()) == ["last words", "held"]
    assert follower.rest() == []


def test_half_a_line_waits_for_its_end(tmp_path: Path, clock: Clock) -> None:
    follower = Follower(tmp_path, clock)
    whole = record(1, "a", "whole")
    append(tmp_path / "a.jsonl", whole[:20])
    assert follower.look() == []
    append(tmp_path / "a.jsonl", whole[20:])
    assert messages(follower.look()) == ["whole"]


def everything(_: Line) -> bool:
    return True


def test_the_last_lines_of_all_by_time(tmp_path: Path, clock: Clock) -> None:
    append(tmp_path / "a.jsonl.1", record(0, "a", "zero"), record(1, "a", "one"))
    append(tmp_path / "a.jsonl", record(3, "a", "three"), record(3, "a", "three too"), record(6, "a", "six"))
    append(tmp_path / "b.jsonl", record(2, "b", "two"), record(4, "b", "four", level="DEBUG"), record(5, "b", "five"))
    follower = Follower(tmp_path, clock)
    append(tmp_path / "a.jsonl", record(7, "a", "after it began"))
    assert messages(follower.last(4, 0, everything)) == ["three too", "four", "five", "six"]
    assert messages(follower.last(4, 0, lambda line: line.level != "DEBUG")) == ["three", "three too", "five", "six"]
    assert messages(follower.last(100, NOON + 1, everything)) == messages(list(follower.since(NOON + 1)))
    assert messages(list(follower.since(NOON + 4))) == ["four", "five", "six"]
    assert len(follower.last(100, 0, everything)) == 8
    assert follower.last(0, 0, everything) == []
    assert messages(follower.look()) == ["after it began"]


def test_only_the_logs_that_are_wanted(tmp_path: Path, clock: Clock) -> None:
    append(tmp_path / "a.jsonl", record(0, "a", "a"))
    append(tmp_path / "b.jsonl", record(1, "b", "b"))
    follower = Follower(tmp_path, clock, lambda name: name in ("b", "c"))
    assert messages(follower.last(10, 0, everything)) == ["b"]
    append(tmp_path / "a.jsonl", record(2, "a", "more of a"))
    append(tmp_path / "c.jsonl", record(3, "c", "c"))
    assert messages(follower.look()) == ["c"]


def test_a_log_of_which_only_old_files_are_there_is_old(tmp_path: Path, clock: Clock) -> None:
    append(tmp_path / "a.jsonl.1", record(0, "a", "old"))
    follower = Follower(tmp_path, clock)
    assert messages(follower.last(10, 0, everything)) == ["old"]
    append(tmp_path / "a.jsonl", record(1, "a", "new"))
    assert messages(follower.look()) == ["new"]


def test_what_is_no_record_has_the_time_of_its_neighbour(tmp_path: Path, clock: Clock) -> None:
    append(tmp_path / "a.jsonl", record(1, "a", "one"), b"torn\n", record(3, "a", "three"))
    append(tmp_path / "b.jsonl", record(2, "b", "two"))
    follower = Follower(tmp_path, clock)
    assert messages(list(follower.since(0))) == ["one", "torn", "two", "three"]
    assert messages(follower.last(10, 0, everything)) == ["one", "two", "torn", "three"]


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"at": "0001-01-01", "name": "a", "level": "INFO", "message": ""}', b"1"]
)
def test_what_cannot_be_read_is_shown_as_it_is(tmp_path: Path, clock: Clock, raw: bytes) -> None:
    append(tmp_path / "a.jsonl", raw + b"\n")
    (line,) = Follower(tmp_path, clock).last(10, 0, everything)
    assert (line.level, line.message) == ("?", raw.decode())


def test_a_torn_line_is_shown_as_it_is(tmp_path: Path, clock: Clock) -> None:
    follower = Follower(tmp_path, clock)
    append(tmp_path / "a.jsonl", b'{"at": "2026-01-01T12:0\n', b"[1]\n", record(1, "a", "next"))
    lines = follower.look() + follower.rest()
    assert sorted(messages(lines)) == sorted(['{"at": "2026-01-01T12:0', "[1]", "next"])
    assert {line.name for line in lines} == {"a"}


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("every", [1, 7, 20])
def test_no_line_is_lost_or_doubled_by_rotation(tmp_path: Path, keep: int, every: int) -> None:
    """The real writer, looked at after ``every`` lines; its files hold about 40 lines each."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        settings = cast(Any, SimpleNamespace(level="INFO", max_size=4000, keep=keep))
        logs.configure(tmp_path, "busy", settings)
        follower = Follower(tmp_path / "logs")
        got = []
        for number in range(200):
            logging.getLogger().info("%d", number)
            if number % every == 0:
                got += messages(follower.look())
        got += messages(follower.rest())
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = before
        logging.captureWarnings(False)
    assert got == [str(number) for number in range(200)]
    assert (tmp_path / "logs" / "busy.jsonl.1").exists()


def test_a_burst_over_several_rotations_between_two_looks_is_read_whole(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "a.jsonl"
    append(path, record(0, "a", "old"))
    follower = Follower(tmp_path, clock)
    append(path, record(1, "a", "one"))
    path.rename(tmp_path / "a.jsonl.2")
    append(tmp_path / "a.jsonl.1", record(2, "a", "two"))
    append(path, record(3, "a", "three"))
    assert messages(follower.look()) == ["one", "two", "three"]


def test_a_truncated_file_is_read_from_its_beginning(tmp_path: Path, clock: Clock) -> None:
    append(tmp_path / "a.jsonl", record(0, "a", "a long line that was there before"))
    follower = Follower(tmp_path, clock)
    (tmp_path / "a.jsonl").write_bytes(record(1, "a", "new"))
    assert messages(follower.look()) == ["new"]


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path, clock: Clock) -> None:
    follower = Follower(tmp_path, clock)
    append(tmp_path / "a.jsonl", b"x" * 5_000_000 + b"\n")
    lengths = []
    for _ in range(10):
        clock.now += 1
        lengths += [len(line.message) for line in follower.look()]
    assert sum(lengths) == 5_000_000
    assert max(lengths) < 2_200_000


def test_an_idle_look_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        append(tmp_path / f"{name}.jsonl", record(0, name, "old"))
    os.utime(tmp_path, (NOON, NOON))
    follower = Follower(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("more than a stat")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "glob", refuse)
    assert follower.look() == []


def test_a_line_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Writer().text([Line(NOON + 3.25, "scanner", "INFO", "12 files")])
    assert re.fullmatch(r"\d\d:\d\d:03\.250 scanner  INFO    12 files\n", text)


def test_a_line_of_another_day_says_which_if_asked() -> None:
    line = Line(NOON + 3.25, "scanner", "INFO", "12 files")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:03\.250 scanner  INFO    12 files\n", Writer(dated=True).text([line])
    )
    today = Line(datetime.now(UTC).timestamp(), "scanner", "INFO", "12 files")
    assert Writer(dated=True).text([today]) == Writer().text([today])


def test_tracebacks_and_further_lines_are_indented() -> None:
    text = Writer().text([Line(NOON, "a", "ERROR", "failed:\nbadly\n", "Traceback:\n  File x\nValueError: no\n")])
    assert text.splitlines()[1:] == ["    badly", "    Traceback:", "      File x", "    ValueError: no"]


def test_nothing_steers_the_terminal() -> None:
    evil = "\x1b]0;title\x07\r\x9b2J\u202e"
    text = Writer().text([Line(NOON, f"a{evil}", evil, evil, evil)])
    assert "\\x1b" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_colour_is_by_name_and_only_when_asked() -> None:
    lines = [Line(NOON, name, "WARNING", "m") for name in ("scanner", "reporter", "scanner")]
    one, two, three = Writer(colour=True).text(lines).splitlines()
    assert one == three
    assert "\x1b[33mWARNING" in one
    assert re.findall(r"\x1b\[\d+m(?=scanner)", one) != re.findall(r"\x1b\[\d+m(?=reporter)", two)
    assert "\x1b" not in Writer().text(lines)


def test_a_huge_message_is_cut() -> None:
    text = Writer().text([Line(NOON, "a", "INFO", "x" * 50_000)])
    assert len(text) < 11_000
    assert "and 40000 more characters" in text
