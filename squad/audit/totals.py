"""Adds up file reports. The result does not depend on their order, and stays small however many there are."""

from __future__ import annotations

from typing import Any

from squad.audit.messages import FileReport, LastChange

TOP = 10  # longest functions, largest files and latest changes kept
MAX_PROBLEMS = 100  # problems listed; all are counted

_COUNTERS = ("files", "bytes", "lines", "functions", "classes", "syntax_errors", "other_problems")


def empty() -> dict[str, Any]:
    """Totals of nothing: a JSON object."""
    return dict.fromkeys(_COUNTERS, 0) | {"longest_functions": [], "largest_files": [], "problems": []}


def add(totals: dict[str, Any], report: FileReport) -> None:
    """Add one file to ``totals``, which came from ``empty()``."""
    totals["files"] += 1
    for counter in ("bytes", "lines", "functions", "classes"):
        totals[counter] += getattr(report, counter)
    if report.functions:
        place = {"path": report.path, "line": report.longest_at, "name": report.longest_name}
        _keep(totals["longest_functions"], place | {"lines": report.longest_lines}, "lines")
    _keep(totals["largest_files"], {"path": report.path, "bytes": report.bytes, "lines": report.lines}, "bytes")
    if report.problem:
        totals["syntax_errors" if report.problem == "syntax" else "other_problems"] += 1
        problem = {"path": report.path, "line": report.problem_line, "kind": report.problem, "detail": report.detail}
        totals["problems"].append(problem)
        totals["problems"].sort(key=lambda item: item["path"])
        del totals["problems"][MAX_PROBLEMS:]


def add_change(totals: dict[str, Any], change: LastChange) -> None:
    """Add what is known of one file's last change. Totals to which none was added have no ``history``."""
    history = totals.setdefault("history", {"git": 0, "files": 0, "nowhere": 0, "latest": []})
    history[change.source] += 1
    if change.at:
        latest = {"path": change.path, "at": change.at, "by": change.by, "subject": change.subject}
        history["latest"].append(latest)
        history["latest"].sort(key=lambda known: known["path"])
        history["latest"].sort(key=lambda known: known["at"], reverse=True)
        del history["latest"][TOP:]


def _keep(best: list[dict[str, Any]], item: dict[str, Any], by: str) -> None:
    best.append(item)
    best.sort(key=lambda known: (-known[by], known["path"]))
    del best[TOP:]
