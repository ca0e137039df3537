"""What the audit's agents say to each other, and what they are asked."""

from __future__ import annotations

from typing import Literal

from squad.messages import message

Problem = Literal["", "syntax", "unreadable", "too large", "too deep"]


@message("scan")
class Scan:
    """To ``scanner``: audit the regular files under the folder ``path`` which ``pattern`` matches.

    ``path`` is absolute. ``pattern`` is relative to it: ``*``, ``?`` and ``[...]`` within one name, ``**`` for any
    number of folders. Folders with one of the names in ``skip`` are not entered, nor are symbolic links to folders.
    With ``history`` the agent ``history`` is asked for the last change of each file as well.
    """

    path: str
    pattern: str = "**/*.py"
    skip: tuple[str, ...] = ()
    history: bool = False


@message("check_file")
class CheckFile:
    """To ``checker``: measure this file, and tell ``reporter``. ``path`` is absolute."""

    path: str


@message("file_report")
class FileReport:
    """To ``reporter``: what was found in one file.

    Functions include methods and nested functions, but no lambdas. ``longest_name`` is the dotted name of the
    longest one, ``longest_lines`` its length from ``def`` to its last line, ``longest_at`` the line of its ``def``.
    With a ``problem`` only ``bytes`` and ``lines`` are measured, as far as they could be; ``detail`` says what is
    wrong, on ``problem_line`` (0: not known).
    """

    path: str
    bytes: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    longest_name: str = ""
    longest_lines: int = 0
    longest_at: int = 0
    problem: Problem = ""
    problem_line: int = 0
    detail: str = ""


@message("last_change")
class LastChange:
    """To ``reporter``, from the command of the agent ``history``: when a file was changed last, and by whom.

    ``source`` says who knows: ``git``, then there is a ``commit`` with a ``subject``; the file system (``files``), then
    ``by`` is the file's owner; or nobody (``nowhere``), and ``detail`` says why. ``at`` is ISO 8601, UTC.
    """

    path: str
    source: Literal["git", "files", "nowhere"]
    at: str = ""
    by: str = ""
    commit: str = ""
    subject: str = ""
    detail: str = ""


@message("summarize")
class Summarize:
    """To ``reporter``: answer with the totals, and write the report. With ``reset`` count from nothing afterwards."""

    reset: bool = False
