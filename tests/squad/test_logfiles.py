"""One process's log, read through rotations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squad import logfiles
from squad.logfiles import LogFile


def text(lines: Iterator[bytes]) -> list[str]:
    return [line.decode() for line in lines]


class Log:
    """Writes numbered lines and rotates as the real writer does, keeping so many old files."""

    def __init__(self, path: Path, keep: int = 3) -> None:
        self.path = path
        self.keep = keep
        self.number = 0

    def write(self, count: int = 1, end: str = "\n") -> None:
        with self.path.open("a") as file:
            for _ in range(count):
                file.write(f"line {self.number}{end}")
                self.number += 1

    def rotate(self) -> None:
        for number in range(self.keep - 1, 0, -1):
            self.rename(number, number + 1)
        self.rename(0, 1)
        self.path.touch()

    def rename(self, number: int, to: int) -> None:
        if self.old(number).exists():
            self.old(number).replace(self.old(to))

    def old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "a.jsonl")


def lines(*numbers: int) -> list[str]:
    return [f"line {number}" for number in numbers]


STEPS = st.lists(st.sampled_from(["write", "write", "rotate", "look"]), max_size=40)


@settings(max_examples=60)
@given(steps=STEPS, keep=st.integers(1, 4))
def test_nothing_is_lost_or_doubled(tmp_path_factory: pytest.TempPathFactory, steps: list[str], keep: int) -> None:
    """As long as no more is rotated away between two looks than is kept, in whatever order things happen."""
    log = Log(tmp_path_factory.mktemp("logs") / "a.jsonl", keep)
    log.write()
    file = LogFile(log.path)
    file.to_end()
    got: list[str] = []
    since_look = 0
    for step in steps:
        if step == "rotate" and since_look == keep:
            step = "look"  # noqa: PLW2901 - one more would lose what nobody has seen
        if step == "write":
            log.write()
        elif step == "rotate":
            log.rotate()
            since_look += 1
        else:
            got += text(file.news())
            since_look = 0
    got += text(file.news())
    assert got == lines(*range(1, log.number))


def test_a_new_file_with_the_number_of_a_deleted_one_is_not_taken_for_it(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems give inode numbers again at once; here all files have the same one."""
    log.keep = 1
    log.write(3)
    file = LogFile(log.path)
    assert text(file.news()) == lines(0, 1, 2)
    log.rotate()
    log.write(1)
    log.rotate()  # the file that was read is deleted
    log.write(5)
    number = log.path.stat().st_ino
    monkeypatch.setattr(logfiles, "_inode", lambda _: number)
    monkeypatch.setattr(logfiles, "_inode_at", lambda path: number if path.exists() else 0)
    file._file = logfiles._Identity(number, file._file.beginning)
    assert text(file.news()) == lines(3, 4, 5, 6, 7, 8)


def test_a_torn_line_at_the_end_is_not_skipped(log: Log) -> None:
    log.write(2)
    log.write(1, end="")
    file = LogFile(log.path)
    file.to_end()
    assert text(file.back()) == lines(1, 0)
    assert text(file.news()) == []
    with log.path.open("a") as opened:
        opened.write(" is whole now\n")
    assert text(file.news()) == ["line 2 is whole now"]


def test_what_a_killed_writer_left_unfinished_is_a_line_of_its_own(log: Log) -> None:
    log.path.write_bytes(b'{"at": "2026-01-01T12:00:00.000Z", "mess{"at": "2026-01-01T12:00:01.000Z"}\n')
    expected = ['{"at": "2026-01-01T12:00:00.000Z", "mess', '{"at": "2026-01-01T12:00:01.000Z"}']
    file = LogFile(log.path)
    assert text(file.news()) == expected
    assert text(file.back()) == expected[::-1]
    assert text(file.onward(0.0, lambda _: 1.0)) == expected


def test_a_torn_end_of_a_rotated_file_is_not_lost(log: Log) -> None:
    file = LogFile(log.path)
    log.write(1)
    log.write(1, end="")
    assert text(file.news()) == lines(0)
    log.rotate()
    log.write()
    assert text(file.news()) == lines(1, 2)


def test_backwards_through_all_files_up_to_the_place(log: Log) -> None:
    for _ in range(3):
        log.write(2)
        log.rotate()
    log.write(2)
    file = LogFile(log.path)
    file.to_end()
    log.write(2)
    log.rotate()
    log.write(2)
    assert text(file.back()) == lines(7, 6, 5, 4, 3, 2)  # the oldest two are rotated away
    assert text(file.news()) == lines(8, 9, 10, 11)
    assert text(file.back()) == lines(11, 10, 9, 8, 7, 6, 5, 4, 3, 2)


def test_backwards_over_lines_longer_than_a_block(log: Log) -> None:
    long = ["x" * length for length in (1, 70_000, 3, 200_000, 65_536, 65_535)]
    log.path.write_text("\n".join(long) + "\n")
    file = LogFile(log.path)
    file.to_end()
    assert text(file.back()) == long[::-1]


@pytest.mark.parametrize("start", [0, 1, 4999, 5000, 12_345, 29_999, 30_000])
def test_onward_begins_shortly_before(log: Log, start: int) -> None:
    """Found without reading what is older: 30,000 lines in three files, one a second, some without a time."""
    for part in range(3):
        with log.path.open("w") as file:
            for number in range(part * 10_000, (part + 1) * 10_000):
                file.write(f"{number:06d} {'x' * 60}\n" + ("no record\n" if number % 100 == 0 else ""))
        if part < 2:
            log.rotate()
    asked = 0

    def time_of(raw: bytes) -> float | None:
        nonlocal asked
        asked += 1
        return None if raw.startswith(b"no") else float(raw[:6])

    file = LogFile(log.path)
    file.to_end()
    found = [int(line[:6]) for line in text(file.onward(start, time_of)) if line != "no record"]
    assert found == list(range(found[0], 30_000)) if found else start == 30_000
    assert start == 30_000 or start - 3000 < found[0] <= start
    assert asked < 200


def test_no_file_is_no_news(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "a.jsonl")
    file.to_end()
    assert (text(file.news()), text(file.back()), text(file.onward(0, lambda _: 0.0))) == ([], [], [])
    (tmp_path / "a.jsonl").write_text("first\n")
    assert text(file.news()) == ["first"]


def test_in_the_middle_of_a_rotation_nothing_is_lost(log: Log) -> None:
    """The writer has renamed its file and not yet opened the next one."""
    log.write(2)
    file = LogFile(log.path)
    file.to_end()
    log.write(1)
    log.rename(1, 2)
    log.rename(0, 1)
    assert text(file.news()) == []
    log.write(1)
    assert text(file.news()) == lines(2, 3)


def test_who_comes_in_the_middle_of_a_rotation_takes_the_old_file_for_old(log: Log) -> None:
    log.write(2)
    log.rename(0, 1)
    file = LogFile(log.path)
    file.to_end()
    log.write(1)
    assert text(file.news()) == lines(2)
    assert text(file.back()) == lines(2, 1, 0)


def test_a_log_that_is_emptied_in_place_is_read_from_its_beginning_and_its_old_files_are_not(log: Log) -> None:
    log.write(2)
    log.rotate()
    log.write(3)
    file = LogFile(log.path)
    file.to_end()
    os.truncate(log.path, 0)
    log.write(1)
    assert text(file.news()) == lines(5)
