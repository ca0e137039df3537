"""What the audit's handlers send and answer, with the real Context and no actors around them."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest

from squad import Context, Refuse
from squad.actors.agents.context import StateCell
from squad.actors.agents.handlers import handled_types
from squad.audit import totals
from squad.audit.agents import Checker, Reporter, Scanner
from squad.audit.messages import CheckFile, FileReport, LastChange, Scan, Summarize
from squad.declared import Field, FieldsType, annotation_of
from squad.store.rows import Lease


@pytest.fixture
def context(tmp_path):
    """context(state="{}") -> a Context as a handler gets it; ``state=None`` is that of a convoy's worker."""
    recipients = {cls.__name__.lower(): frozenset(handled_types(cls)) for cls in (Scanner, Checker, Reporter)}
    recipients["history"] = frozenset({"file_history"})
    file_history = FieldsType("file_history", {"path": Field(annotation_of("str"))})

    def make(state: str | None = "{}") -> Context:
        return Context(
            agent="tested",
            lease=Lease(1, 1, "id", "clients", "scan", "{}", 5, 1, "id"),
            home=tmp_path / "home",
            log=logging.getLogger("tested"),
            recipients=recipients,
            rate=None,
            state=None if state is None else StateCell(0, state),
            cancelled=threading.Event(),
            max_payload=2**20,
            find_type=lambda recipient, name: file_history if recipient == "history" else None,
        )

    return make


def payloads(ctx: Context) -> list[tuple[str, str, dict[str, Any]]]:
    return [(task.recipient, task.type, json.loads(task.payload)) for task in ctx.sends]


def test_a_scan_sends_one_message_for_each_file(context, tmp_path):
    source = tmp_path / "source"
    for name in ("b.py", "a.py", "sub/c.py", "venv/d.py", "e.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("")
    ctx = context()
    answer = Scanner().scan(Scan(str(source), skip=("venv",)), ctx)
    assert answer == {"files": 3, "left_out": 0, "left_out_paths": []}
    assert payloads(ctx) == [("checker", "check_file", {"path": f"{source}/{n}"}) for n in ("a.py", "b.py", "sub/c.py")]


def test_a_scan_with_history_asks_for_that_of_each_file_too(context, tmp_path):
    (tmp_path / "a.py").write_text("")
    ctx = context()
    Scanner().scan(Scan(str(tmp_path), history=True), ctx)
    file = {"path": f"{tmp_path}/a.py"}
    assert payloads(ctx) == [("checker", "check_file", file), ("history", "file_history", file)]


@pytest.mark.parametrize(
    ("path", "pattern", "reason"),
    [
        ("source", "*.py", "not an absolute path"),
        ("~/source", "*.py", "not an absolute path"),
        ("", "*.py", "not an absolute path"),
        ("/no/such/folder", "*.py", "not a folder"),
        ("/dev/null", "*.py", "not a folder"),
        ("/tmp\0", "*.py", "not a folder"),
        ("/", "../*.py", "names no files"),
    ],
)
def test_a_scan_that_makes_no_sense_is_refused(context, path, pattern, reason):
    ctx = context()
    with pytest.raises(Refuse, match=reason):
        Scanner().scan(Scan(path, pattern), ctx)
    assert ctx.sends == []


def test_a_check_sends_exactly_one_report_whatever_the_file(context, tmp_path):
    for name, problem in (("good.py", ""), ("bad.py", "syntax"), ("gone.py", "unreadable")):
        path = tmp_path / name
        if problem != "unreadable":
            path.write_text("x = (" if problem else "x = 1")
        ctx = context(None)
        Checker().check_file(CheckFile(str(path)), ctx)
        [(recipient, kind, payload)] = payloads(ctx)
        assert (recipient, kind, payload["path"], payload["problem"]) == ("reporter", "file_report", str(path), problem)


def test_a_check_of_a_relative_path_is_refused(context):
    with pytest.raises(Refuse, match="absolute"):
        Checker().check_file(CheckFile("setup.py"), context(None))


def test_reports_add_up_in_the_state_and_a_summary_with_reset_starts_anew(context, tmp_path):
    reports = [FileReport("/a.py", bytes=3, lines=1), FileReport("/b.py", problem="syntax", problem_line=2)]
    expected = totals.empty()
    state, reporter = "{}", Reporter()
    for report in reports:
        ctx = context(state)
        reporter.file_report(report, ctx)
        state = ctx.changed_state()
        totals.add(expected, report)
    assert json.loads(state) == expected

    change = LastChange("/a.py", "git", at="2026-01-02T03:04:05Z", by="me", commit="abc", subject="why")
    ctx = context(state)
    reporter.last_change(change, ctx)
    totals.add_change(expected, change)
    state = ctx.changed_state()
    assert json.loads(state) == expected

    ctx = context(state)
    answer = reporter.summarize(Summarize(), ctx)
    assert ctx.changed_state() is None
    folder = tmp_path / "home/reports"
    assert answer == {**expected, "reports": {"markdown": f"{folder}/report.md", "json": f"{folder}/report.json"}}
    assert json.loads((folder / "report.json").read_text())["files"] == 2

    ctx = context(state)
    assert reporter.summarize(Summarize(reset=True), ctx) == answer
    assert ctx.changed_state() == "{}"
    assert reporter.summarize(Summarize(), context("{}"))["files"] == 0
