"""The audit's agents in Python: ``scanner`` finds the files, ``checker`` measures each, ``reporter`` adds up.

A fourth, ``history``, is a command: see ``squad.audit.history``.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from squad import Agent, Context, Refuse, handles
from squad.audit import totals
from squad.audit.find import Found, Pattern, find_files
from squad.audit.measure import measure_file
from squad.audit.messages import CheckFile, FileReport, LastChange, Scan, Summarize
from squad.audit.report import write_report

_MAX_NAMED = 100  # folders and files named in the scanner's answer as left out; all are counted


class Scanner(Agent):
    """Sends one ``check_file`` for each file of a folder, and a ``file_history`` if the scan is to have that too.

    The sends take effect together, when the scan is done.
    """

    @handles(Scan)
    def scan(self, msg: Scan, ctx: Context) -> dict[str, Any]:
        found = self._find(msg)
        for path in found.files:
            ctx.send("checker", CheckFile(path))
            if msg.history:
                ctx.send("history", "file_history", {"path": path})
        ctx.log.info("%d files to check under %s, %d left out", len(found.files), msg.path, len(found.left_out))
        named = [{"path": path, "reason": reason} for path, reason in found.left_out[:_MAX_NAMED]]
        return {"files": len(found.files), "left_out": len(found.left_out), "left_out_paths": named}

    def _find(self, msg: Scan) -> Found:
        root = Path(msg.path)
        if not root.is_absolute():
            raise Refuse(
                f"{msg.path!r} is not an absolute path, and agents do not run in your folder: give the whole path"
            )
        if "\0" in msg.path or not root.is_dir():
            raise Refuse(f"{msg.path!r} is not a folder on this machine")
        try:
            pattern = Pattern(msg.pattern)
        except ValueError as error:
            raise Refuse(str(error)) from None
        return find_files(root, pattern, msg.skip)


class Checker(Agent):
    """Measures one file, and sends a ``file_report``: always exactly one, whatever is wrong with the file."""

    @handles(CheckFile)
    def check_file(self, msg: CheckFile, ctx: Context) -> None:
        if not Path(msg.path).is_absolute():
            raise Refuse(
                f"{msg.path!r} is not an absolute path, and agents do not run in your folder: give the whole path"
            )
        ctx.send("reporter", measure_file(msg.path))


class Reporter(Agent):
    """Adds up all reports since the last ``summarize`` with ``reset``, in its durable state."""

    @handles(FileReport)
    def file_report(self, msg: FileReport, ctx: Context) -> None:
        if not ctx.state:
            ctx.state.update(totals.empty())
        totals.add(ctx.state, msg)

    @handles(LastChange)
    def last_change(self, msg: LastChange, ctx: Context) -> None:
        if not ctx.state:
            ctx.state.update(totals.empty())
        totals.add_change(ctx.state, msg)

    @handles(Summarize)
    def summarize(self, msg: Summarize, ctx: Context) -> dict[str, Any]:
        summary = copy.deepcopy(dict(ctx.state)) or totals.empty()
        reports = write_report(ctx.home / "reports", summary)
        if msg.reset:
            ctx.state.clear()
        return summary | {"reports": reports}
