"""Writes the audit's totals for people and for programs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any


def write_report(folder: Path, totals: dict[str, Any]) -> dict[str, str]:
    """Write ``report.md`` and ``report.json`` in ``folder``, which is made if need be. Their paths, by kind.

    Each file is replaced in one step: a reader sees the old one or the new one, whole.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {"schema_version": 1, **totals}
    written = {
        "markdown": _replace(folder / "report.md", as_markdown(totals)),
        "json": _replace(folder / "report.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"),
    }
    return {kind: str(path) for kind, path in written.items()}


def as_markdown(totals: dict[str, Any]) -> str:
    """The report as Markdown, with tables as GitHub draws them."""
    parts = ["# Audit of Python source\n", *_overview(totals)]
    if totals["longest_functions"]:
        rows = [[_code(f"{f['path']}:{f['line']}"), _code(f["name"]), f["lines"]] for f in totals["longest_functions"]]
        parts += ["\n## Longest functions\n", *_table(["where", "function", "lines"], rows)]
    if totals["largest_files"]:
        rows = [[_code(f["path"]), f["bytes"], f["lines"]] for f in totals["largest_files"]]
        parts += ["\n## Largest files\n", *_table(["file", "bytes", "lines"], rows)]
    if totals["problems"]:
        rows = [[_code(f"{p['path']}:{p['line']}"), p["kind"], _code(p["detail"])] for p in totals["problems"]]
        parts += ["\n## Files that could not be read or parsed\n", *_table(["where", "kind", "what is wrong"], rows)]
        unlisted = totals["syntax_errors"] + totals["other_problems"] - len(rows)
        parts += [f"\n{unlisted:,} more are not listed."] if unlisted else []
    if latest := totals.get("history", {}).get("latest"):
        rows = [
            [change["at"], _code(change["path"]), _code(change["by"]), _code(change["subject"])] for change in latest
        ]
        parts += ["\n## Latest changes\n", *_table(["at", "file", "by", "what"], rows)]
    return "\n".join(parts) + "\n"


def _overview(totals: dict[str, Any]) -> list[str]:
    names = ("files", "bytes", "lines", "functions", "classes", "syntax_errors", "other_problems")
    return _table(["what", "how many"], [[name.replace("_", " "), totals[name]] for name in names])


def _table(heads: list[str], rows: list[list[Any]]) -> list[str]:
    lines = [heads, ["---:" if rows and isinstance(cell, int) else "---" for cell in rows[0]], *rows]
    return ["| " + " | ".join(f"{c:,}" if isinstance(c, int) else str(c) for c in line) + " |" for line in lines]


def _code(text: str) -> str:
    """A code span that shows ``text`` as it is, whatever it holds, within a table's cell."""
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    longest = max((len(run) for run in re.findall("`+", visible)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if visible.startswith("`") or visible.endswith("`") or not visible else ""
    return (fence + pad + visible + pad + fence).replace("|", "\\|")


def _replace(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return path
