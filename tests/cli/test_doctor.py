"""``squad doctor`` as it is seen. What each check finds is in tests/doctor."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from squad.doctor import CHECKS, Subject, Verdict
from squad.doctor import checks as table
from squad.doctor.finding import Finding, fail, ok, warn
from squad.home import Home
from tests.cli.conftest import Run
from tests.cli.terminals import on_terminal, plain

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs/doctor.md").read_text(encoding="utf-8")


def finds(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    """Let the examination find these, whatever is there."""

    def looking(finding: Finding) -> Callable[[Subject], Finding]:
        return lambda _: finding

    made = [table.Check(f"check {number}", looking(finding)) for number, finding in enumerate(findings)]
    monkeypatch.setattr("squad.doctor.examine", lambda subject: table.examine(subject, made))


@pytest.mark.parametrize(
    ("findings", "status", "last"),
    [
        ((ok("fine"),), 0, "all is well"),
        ((ok("fine"), warn("hm", "look")), 0, "1 warning"),
        ((warn("hm", "look"), warn("hm", "look")), 0, "2 warnings"),
        ((fail("no", "mend"), warn("hm", "look")), 1, "1 failed and 1 warning"),
        ((fail("no", "mend", fixable=True),), 1, "1 failed; squad doctor --fix repairs what it can"),
    ],
)
def test_the_exit_status_and_the_last_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, findings: tuple[Finding, ...], status: int, last: str
) -> None:
    finds(monkeypatch, *findings)
    result = run("doctor")
    assert (result.exit_code, result.stderr) == (status, f"{last}\n")
    assert len(result.stdout.splitlines()) == sum(2 if finding.todo else 1 for finding in findings)


def test_what_is_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, ok("fine"), fail("a\x1b[2Jb", "type this"))
    assert run("doctor").stdout == "ok    check 0  fine\nfail  check 1  a\\x1b[2Jb\n               → type this\n"


def test_without_a_home_and_without_a_squad(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / ".squad").rmdir()
    monkeypatch.chdir(empty)
    result = run("doctor", "-o", "json")
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert found["home"]["what"] == f"no squad was started in {empty}/.squad yet"
    assert not {"files", "database", "running", "leftover processes"} & found.keys()
    assert list(empty.iterdir()) == []


def test_a_home_that_is_named_and_not_there(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--home", str(tmp_path / "x"))
    assert f"no squad was started in {tmp_path}/x yet" in result.stdout


def test_looking_changes_nothing_and_fix_says_what_it_did(run: Run, home: Home) -> None:
    home.path.chmod(0o755)
    looked = run("doctor")
    assert (looked.exit_code, home.path.stat().st_mode & 0o777) == (1, 0o755)
    assert f"→ chmod 700 {home.path}" in looked.stdout
    assert "squad doctor --fix repairs" in looked.stderr
    fixed = run("doctor", "--fix")
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert f"closed {home.path} to others: its mode was 0755 and is 0700 now\n" in fixed.stderr
    assert f"{home.path} is yours alone" in fixed.stdout


def test_on_a_terminal_it_is_coloured_and_folded(home: Home) -> None:
    home.path.chmod(0o755)
    status, screen = on_terminal("doctor", cwd=home.path.parent, columns=80)
    assert status == 1
    assert "\x1b[31m\x1b[1mfail" in screen
    assert "\x1b[32mok" in screen
    lines = plain(screen).splitlines()
    long = [line for line in lines if len(line) > 80 and "/" not in line]  # a path is not broken
    assert long == []
    assert "\x1b" not in on_terminal("doctor", cwd=home.path.parent, NO_COLOR="1")[1]


def test_the_page_lists_every_check_in_its_order_and_says_what_fix_does() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == [check.name for check in CHECKS]
    for (name, repair), check in zip(rows, CHECKS, strict=True):
        assert (repair != "no") is (check.repair is not None), name


def test_the_worst_decides() -> None:
    assert table.worst([]) == Verdict.OK
    assert table.worst([ok(""), warn("", ""), fail("", ""), ok("")]) == Verdict.FAIL
