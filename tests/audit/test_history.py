"""The program of the agent ``history``, with real repositories, and the agent in the default squad."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from squad.audit import history
from squad.audit.messages import LastChange
from squad.messages import type_of
from tests.running import RunningSquad

AT = "2024-05-06T07:08:09+02:00"
GIT = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Someone",
    "GIT_COMMITTER_EMAIL": "someone@example.org",
    "GIT_COMMITTER_DATE": AT,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **GIT})
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "--quiet")
    for name in ("a.py", "sub/b.py", "*.py"):
        (folder / name).write_text("x = 1\n")
    git(folder, "add", "a.py", "sub")
    git(folder, "commit", "--quiet", "-m", "First\n\nand more")
    (folder / "sub/b.py").write_text("x = 2\n")
    git(folder, "commit", "--quiet", "-a", "-m", "Second | `one`")
    return folder


def known(path: Path) -> dict[str, Any]:
    """What the program says, and that it is a message as declared."""
    said = history.last_change(path)
    made = type_of(LastChange).decode(json.dumps(said))
    assert made.path == str(path)
    return said


def test_git_knows_the_last_commit_of_each_file(checkout):
    first = known(checkout / "a.py")
    assert first == {
        "path": f"{checkout}/a.py",
        "source": "git",
        "at": "2024-05-06T05:08:09Z",
        "by": "Ada",
        "commit": git(checkout, "rev-parse", "HEAD^"),
        "subject": "First",
    }
    second = known(checkout / "sub/b.py")
    assert (second["commit"], second["subject"]) == (git(checkout, "rev-parse", "HEAD"), "Second | `one`")


def test_a_name_is_no_pattern_and_what_git_does_not_know_the_file_system_does(checkout):
    os.utime(checkout / "*.py", (0, 1_000_000_000))
    found = known(checkout / "*.py")
    assert (found["source"], found["at"]) == ("files", "2001-09-09T01:46:40Z")
    assert found["by"]


def test_outside_a_checkout_without_git_and_without_the_file(tmp_path, checkout, monkeypatch):
    (tmp_path / "file").write_text("")
    assert known(tmp_path / "file")["source"] == "files"
    gone = known(tmp_path / "gone")
    assert (gone["source"], gone["detail"]) == ("nowhere", "No such file or directory")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert known(tmp_path / "dangling")["source"] == "files"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert known(checkout / "a.py")["source"] == "files"


def test_a_time_that_no_calendar_has_and_an_owner_without_a_name(tmp_path, monkeypatch):
    assert history._iso(1e18) == ""
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    (tmp_path / "file").write_text("")
    assert known(tmp_path / "file")["by"] == f"user {os.getuid()}"


@pytest.mark.parametrize("arguments", [[], ["relative"], ["--"], ["/a", "/b"], [""]])
def test_a_path_that_makes_no_sense_is_refused(arguments, capsys):
    assert history.main(arguments) == 64
    assert "one absolute path" in capsys.readouterr().err


def test_the_programs_own_line(checkout, capsys):
    assert history.main(["--", str(checkout / "a.py")]) == 0
    message = json.loads(capsys.readouterr().out)
    assert (message["recipient"], message["type"], message["payload"]["source"]) == ("reporter", "last_change", "git")


def test_a_scan_with_history_in_the_default_squad(tmp_path, checkout):
    (checkout / "new.py").write_text("")
    with RunningSquad(tmp_path / "home", env={"GIT_CONFIG_GLOBAL": os.devnull}) as squad:
        scan = squad.send("scanner", "scan", {"path": str(checkout), "skip": [".git"], "history": True})
        squad.wait(scan, tree=True)
        refused = squad.send("history", "file_history", {"path": "relative"})
        squad.wait(refused)
        summary = squad.send("reporter", "summarize")
        squad.wait(summary)
        answer = json.loads(squad.task(summary)["result"])
        counts = squad.counts()
        assert squad.task(refused)["error_message"].startswith(
            f"{Path(sys.executable).name} ended with status 64: give"
        )
    assert answer["files"] == 4
    assert {source: answer["history"][source] for source in ("git", "files", "nowhere")} == {
        "git": 2, "files": 2, "nowhere": 0,
    }  # fmt: skip
    assert {change["subject"] for change in answer["history"]["latest"]} == {"First", "Second | `one`", ""}
    assert counts[("file_history", "completed")] == counts[("last_change", "completed")] == 4
