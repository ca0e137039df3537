from __future__ import annotations

import json
import logging
import os
import re
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from squad.actors import logs


def settings(level: str = "INFO", max_size: int = 1_000_000, keep: int = 3) -> Any:
    return SimpleNamespace(level=level, max_size=max_size, keep=keep)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_record_is_one_line_with_the_documented_fields(tmp_path: Path) -> None:
    before = time.time()
    logs.configure(tmp_path, "scanner", settings())
    logs.logger("scanner").info("read %d files", 12)
    (line,) = lines(tmp_path / "logs" / "scanner.jsonl")
    at = line.pop("at")
    assert line == {"level": "INFO", "name": "scanner", "pid": os.getpid(), "message": "read 12 files"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert before - 0.001 <= datetime.fromisoformat(at).timestamp() <= time.time()


def test_a_traceback_stays_on_the_line(tmp_path: Path) -> None:
    logs.configure(tmp_path, "scanner", settings())
    try:
        int("twelve")
    except ValueError:
        logging.getLogger("anything").exception("cannot go on")
    (line,) = lines(tmp_path / "logs" / "scanner.jsonl")
    assert line["message"] == "cannot go on"
    assert line["error"].startswith("Traceback (most recent call last):\n")
    assert line["error"].endswith("ValueError: invalid literal for int() with base 10: 'twelve'")


def test_no_control_character_reaches_the_file(tmp_path: Path) -> None:
    logs.configure(tmp_path, "scanner", settings())
    nasty = "\x1b[2J\x07\x7f\x9b\u202e\ud800\nnext"
    logging.getLogger().warning(nasty)
    raw = (tmp_path / "logs" / "scanner.jsonl").read_bytes()
    assert raw.endswith(b"\n")
    assert all(32 <= byte < 127 for byte in raw[:-1])
    assert json.loads(raw)["message"] == nasty


def test_files_and_folder_are_closed_to_others(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        logs.configure(tmp_path, "scanner", settings(max_size=100))
        for _ in range(3):
            logging.getLogger().info("x" * 60)
    finally:
        os.umask(old)
    folder = tmp_path / "logs"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "scanner.jsonl": 0o600,
        "scanner.jsonl.1": 0o600,
        "scanner.jsonl.2": 0o600,
    }


def test_rotation_bounds_size_and_number_and_loses_nothing_else(tmp_path: Path) -> None:
    logs.configure(tmp_path, "scanner", settings(max_size=2000, keep=2))
    for number in range(200):
        logging.getLogger().info("line %d", number)
    folder = tmp_path / "logs"
    names = ["scanner.jsonl.2", "scanner.jsonl.1", "scanner.jsonl"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert all((folder / name).stat().st_size <= 2000 for name in names)
    kept = [int(line["message"].split()[1]) for name in names for line in lines(folder / name)]
    assert kept == list(range(kept[0], 200))
    assert len(kept) > 30


def test_a_file_that_another_program_moves_away_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As logrotate does it without copytruncate."""
    logs.configure(tmp_path, "scanner", settings())
    logging.getLogger().info("before")
    file = tmp_path / "logs" / "scanner.jsonl"
    file.rename(tmp_path / "moved")
    _a_second_later(monkeypatch)
    logging.getLogger().info("after")
    logging.getLogger().info("at once")
    assert [line["message"] for line in lines(tmp_path / "moved")] == ["before"]
    assert [line["message"] for line in lines(file)] == ["after", "at once"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_another_program_cuts_counts_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As logrotate does it with copytruncate."""
    logs.configure(tmp_path, "scanner", settings(max_size=1000))
    for _ in range(5):
        logging.getLogger().info("x" * 60)
    file = tmp_path / "logs" / "scanner.jsonl"
    os.truncate(file, 0)
    _a_second_later(monkeypatch)
    for number in range(5):
        logging.getLogger().info("%d %s", number, "x" * 60)
    assert [line["message"][0] for line in lines(file)] == list("01234")
    assert not file.with_name("scanner.jsonl.1").exists()


def _a_second_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_EVERY", 0.0)


def test_with_nothing_to_keep_the_file_begins_anew(tmp_path: Path) -> None:
    logs.configure(tmp_path, "scanner", settings(max_size=1000, keep=0))
    for number in range(100):
        logging.getLogger().info("line %d", number)
    folder = tmp_path / "logs"
    assert [path.name for path in folder.iterdir()] == ["scanner.jsonl"]
    assert (folder / "scanner.jsonl").stat().st_size <= 1000
    assert lines(folder / "scanner.jsonl")[-1]["message"] == "line 99"


def test_a_file_that_is_there_is_continued_and_its_size_counts(tmp_path: Path) -> None:
    logs.configure(tmp_path, "scanner", settings(max_size=300))
    logging.getLogger().info("a" * 100)
    logs.configure(tmp_path, "scanner", settings(max_size=300))
    logging.getLogger().info("b" * 100)
    assert (tmp_path / "logs" / "scanner.jsonl.1").exists()
    assert [line["message"][0] for line in lines(tmp_path / "logs" / "scanner.jsonl")] == ["b"]


def test_what_is_below_the_level_is_not_even_formatted(tmp_path: Path) -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("was formatted")

    logs.configure(tmp_path, "scanner", settings(level="WARNING"))
    logs.logger("scanner").info("%s", Costly())
    assert (tmp_path / "logs" / "scanner.jsonl").read_bytes() == b""


def test_it_takes_the_place_of_other_handlers(tmp_path: Path, root_logger: logging.Logger) -> None:
    class Closing(logging.Handler):
        closed = False

        def close(self) -> None:
            self.closed = True
            super().close()

    other = Closing()
    root_logger.addHandler(other)
    logs.configure(tmp_path, "one", settings())
    logs.configure(tmp_path, "two", settings())
    logging.getLogger().info("to two")
    assert other.closed
    assert len(root_logger.handlers) == 1
    assert (tmp_path / "logs" / "one.jsonl").read_bytes() == b""
    assert lines(tmp_path / "logs" / "two.jsonl")[0]["message"] == "to two"


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    logs.configure(tmp_path, "../checker-2/1f", settings())
    logging.getLogger().info("here")
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["___checker-2_1f.jsonl"]


def test_warnings_are_logged(tmp_path: Path) -> None:
    logs.configure(tmp_path, "scanner", settings())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)  # pytest's own recorder took its place
        warnings.warn("old habit", DeprecationWarning, stacklevel=1)
    (line,) = lines(tmp_path / "logs" / "scanner.jsonl")
    assert "old habit" in line["message"]
    assert line["level"] == "WARNING"


def test_a_wrong_log_call_says_where_it_is(tmp_path: Path) -> None:
    logs.configure(tmp_path, "scanner", settings())
    logging.getLogger().info("%d files", "twelve")
    (line,) = lines(tmp_path / "logs" / "scanner.jsonl")
    assert "cannot be formatted" in line["message"]
    assert "test_logs.py:" in line["message"]


def test_a_fork_writes_but_does_not_turn_the_file_over(tmp_path: Path) -> None:
    logs.configure(tmp_path, "launcher", settings(max_size=300))
    child = os.fork()
    if child == 0:
        for _ in range(5):
            logging.getLogger().info("z" * 200)
        os._exit(0)
    os.waitpid(child, 0)
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["launcher.jsonl"]
    assert len(lines(tmp_path / "logs" / "launcher.jsonl")) == 5


def test_a_full_disk_is_said_once_and_work_goes_on(tmp_path: Path) -> None:
    program = """
import logging, resource, signal, sys
from pathlib import Path
from types import SimpleNamespace
from squad.actors import logs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
logs.configure(Path(sys.argv[1]), "scanner", SimpleNamespace(level="INFO", max_size=10**6, keep=1))
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
for _ in range(20):
    logging.getLogger().info("y" * 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
logging.getLogger().info("room again")
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "done\n"
    assert done.stderr.count("cannot be written") == 1
    assert "Traceback" not in done.stderr
    assert "room again" in (tmp_path / "logs" / "scanner.jsonl").read_text().splitlines()[-1]
