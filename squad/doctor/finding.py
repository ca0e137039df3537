"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works, and may not for long or not as expected
    FAIL = "fail"  # it does not work, or data is in danger


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` was found, and ``todo``, what to do about it. ``name`` is the check's, put there by ``examine``."""

    verdict: Verdict
    what: str
    todo: str = ""
    fixable: bool = False
    name: str = ""


def ok(what: str) -> Finding:
    return Finding(Verdict.OK, what)


def warn(what: str, todo: str, *, fixable: bool = False) -> Finding:
    return Finding(Verdict.WARN, what, todo, fixable)


def fail(what: str, todo: str, *, fixable: bool = False) -> Finding:
    return Finding(Verdict.FAIL, what, todo, fixable)
