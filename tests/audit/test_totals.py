"""Totals do not depend on the order of the reports and stay small; the written report is whole and harmless."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from squad.audit import totals
from squad.audit.messages import FileReport, LastChange
from squad.audit.report import as_markdown, write_report

_reports = st.builds(
    FileReport,
    path=st.text("ab/", min_size=1, max_size=4),
    bytes=st.integers(0, 5),
    lines=st.integers(0, 5),
    functions=st.integers(0, 2),
    classes=st.integers(0, 2),
    longest_name=st.sampled_from(["f", "g"]),
    longest_lines=st.integers(0, 5),
    longest_at=st.integers(1, 3),
    problem=st.sampled_from(["", "", "syntax", "unreadable"]),
)


def add_all(reports: list[FileReport]) -> dict[str, Any]:
    result = totals.empty()
    for report in reports:
        totals.add(result, report)
    return result


@given(st.lists(_reports, max_size=40, unique_by=lambda report: report.path), st.randoms(use_true_random=False))
def test_any_order_gives_the_same(reports: list[FileReport], chance: random.Random) -> None:
    mixed = reports[:]
    chance.shuffle(mixed)
    assert add_all(mixed) == add_all(reports)


def test_counts_and_bounded_lists():
    reports = [
        FileReport(
            f"/src/{n:04}.py", bytes=n, lines=1, functions=2, classes=1, longest_name="f", longest_lines=n, longest_at=3
        )
        for n in range(300)
    ]
    broken = [FileReport(f"/bad/{n:04}.py", problem="syntax", problem_line=n, detail="x") for n in range(150)]
    result = add_all([*reports, *broken, FileReport("/gone.py", problem="unreadable", detail="No such file")])
    assert {key: value for key, value in result.items() if isinstance(value, int)} == {
        "files": 451,
        "bytes": sum(range(300)),
        "lines": 300,
        "functions": 600,
        "classes": 300,
        "syntax_errors": 150,
        "other_problems": 1,
    }
    assert [item["lines"] for item in result["longest_functions"]] == list(range(299, 289, -1))
    assert [item["bytes"] for item in result["largest_files"]] == list(range(299, 289, -1))
    assert [item["path"] for item in result["problems"]] == [f"/bad/{n:04}.py" for n in range(100)]
    assert len(json.dumps(result)) < 20_000


def test_the_report_is_written_in_both_forms(tmp_path):
    result = add_all(
        [FileReport("/a.py", bytes=9, lines=2, functions=1, longest_name="f", longest_lines=2, longest_at=1)]
    )
    for _ in range(2):  # the second replaces the first
        paths = write_report(tmp_path / "reports", result)
    assert paths == {
        kind: str(tmp_path / "reports" / f"report.{end}") for kind, end in (("markdown", "md"), ("json", "json"))
    }
    assert json.loads((tmp_path / "reports/report.json").read_text()) == {"schema_version": 1, **result}
    assert (tmp_path / "reports/report.md").read_text() == as_markdown(result)
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["report.json", "report.md"]
    assert (tmp_path / "reports").stat().st_mode & 0o777 == 0o700


def test_markdown_says_what_was_found():
    result = add_all(
        [
            FileReport("/a.py", bytes=12345, lines=2, functions=1, longest_name="A.f", longest_lines=2, longest_at=1),
            FileReport("/b.py", bytes=1, lines=1, problem="syntax", problem_line=7, detail="invalid syntax"),
        ]
    )
    text = as_markdown(result)
    assert "| files | 2 |" in text
    assert "| bytes | 12,346 |" in text
    assert "| `/a.py:1` | `A.f` | 2 |" in text
    assert "| `/b.py:7` | syntax | `invalid syntax` |" in text
    assert "more are not listed" not in text


def test_markdown_of_hostile_names_keeps_its_shape():
    path = "/a|b`c``d\n\x1b[31m<b>.py"
    text = as_markdown(add_all([FileReport(path, problem="syntax", problem_line=1, detail="`|")]))
    row = next(line for line in text.splitlines() if "syntax |" in line and "kind" not in line)
    assert "\x1b" not in text
    assert row == r"| ```/a\|b`c``d\n\x1b[31m<b>.py:1``` | syntax | `` `\| `` |"


def test_unlisted_problems_are_counted():
    result = add_all([FileReport(f"/{n}.py", problem="syntax") for n in range(103)])
    assert "3 more are not listed." in as_markdown(result)


def test_markdown_of_nothing():
    assert "| files | 0 |" in as_markdown(totals.empty())


_changes = st.builds(
    LastChange,
    path=st.text("ab/", min_size=1, max_size=4),
    source=st.sampled_from(["git", "files", "nowhere"]),
    at=st.sampled_from(["", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]),
    by=st.sampled_from(["", "me"]),
)


@given(st.lists(_changes, max_size=40, unique_by=lambda change: change.path), st.randoms(use_true_random=False))
def test_any_order_of_changes_gives_the_same(changes: list[LastChange], chance: random.Random) -> None:
    def added(some: list[LastChange]) -> dict[str, Any]:
        result = totals.empty()
        for change in some:
            totals.add_change(result, change)
        return result

    mixed = changes[:]
    chance.shuffle(mixed)
    assert added(mixed) == added(changes)
    history = added(changes).get("history", {"git": 0, "files": 0, "nowhere": 0, "latest": []})
    assert history["git"] + history["files"] + history["nowhere"] == len(changes)
    assert len(history["latest"]) <= totals.TOP


def test_the_latest_changes_are_in_the_report():
    result = totals.empty()
    assert "Latest changes" not in as_markdown(result)
    for year in range(2000, 2026):
        totals.add_change(
            result, LastChange(f"/{year}.py", "git", at=f"{year}-01-01T00:00:00Z", by="me|", subject="`why`")
        )
    assert [change["path"] for change in result["history"]["latest"]] == [f"/{y}.py" for y in range(2025, 2015, -1)]
    table = as_markdown(result).partition("## Latest changes")[2]
    assert "| 2025-01-01T00:00:00Z | `/2025.py` | `me\\|` | `` `why` `` |" in table
