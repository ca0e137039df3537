"""The logs on a terminal, a pipe or a file, which may be slow or gone."""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path

import pytest

from squad.launcher.stream import Stream


def log(folder: Path, count: int, text: str = "message") -> None:
    with (folder / "a.jsonl").open("a") as file:
        for number in range(count):
            record = {"at": "2026-01-01T12:00:00.000Z", "level": "INFO", "name": "a", "message": f"{text} {number}"}
            file.write(json.dumps(record) + "\n")


def read_all(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    data = b""
    while select.select([descriptor], [], [], 0.05)[0] and (chunk := os.read(descriptor, 1 << 20)):
        data += chunk
    return data


def test_it_shows_what_is_new_on_a_pipe_without_colour(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log(tmp_path, 1, "old")
    stream = Stream(tmp_path, writer)
    log(tmp_path, 2)
    stream.tick()
    lines = read_all(reader).decode().splitlines()
    assert [line.split(" ", 1)[1].split() for line in lines] == [["a", "INFO", "message", f"{n}"] for n in range(2)]
    stream.finish(1.0)


def test_a_reader_that_stands_still_holds_up_nobody_and_loses_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stream = Stream(tmp_path, writer)
    log(tmp_path, 20_000)
    for _ in range(10):
        stream.tick()
    assert stream.blocked_on is not None
    assert os.get_blocking(writer), "the descriptor that others share is left as it is"
    shown = b""
    while stream.blocked_on is not None:
        shown += read_all(reader)
        stream.tick()
    stream.finish(1.0)
    shown += read_all(reader)
    assert [int(line.split()[-1]) for line in shown.decode().splitlines()] == list(range(20_000))


def test_the_end_waits_only_so_long(tmp_path: Path) -> None:
    _reader, writer = os.pipe()
    stream = Stream(tmp_path, writer)
    log(tmp_path, 20_000)
    began = time.monotonic()
    stream.finish(0.2)
    assert time.monotonic() - began >= 0.2


def test_a_reader_that_went_away_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stream = Stream(tmp_path, writer)
    os.close(reader)
    log(tmp_path, 3)
    stream.tick()
    log(tmp_path, 3)
    stream.tick()
    assert stream.blocked_on is None
    stream.finish(1.0)


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    for name, value in ({"TERM": "xterm", "NO_COLOR": ""} | variables).items():
        monkeypatch.setenv(name, value)
    terminal, slave = os.openpty()
    stream = Stream(tmp_path, slave)
    log(tmp_path, 1)
    stream.finish(60.0)
    shown = b""
    while b"message 0" not in shown:  # the kernel hands on what is written to a terminal in its own time
        shown += os.read(terminal, 4096)
    assert (b"\x1b[" in shown) is coloured


def test_a_file_gets_all_of_it_in_order(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with (tmp_path / "out").open("ab") as out:
        out.write(b"before\n")
        out.flush()
        stream = Stream(tmp_path / "logs", out.fileno())
        log(tmp_path / "logs", 5_000)
        stream.finish(1.0)
        out.write(b"after\n")
    lines = (tmp_path / "out").read_text().splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("before", 5_002, "after")
