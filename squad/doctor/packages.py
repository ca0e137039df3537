"""What Squad needs installed, and in which versions."""

from __future__ import annotations

import re
import sys
from importlib import metadata

from squad.actors.transport.version import THESPIAN
from squad.doctor.finding import Finding, fail, ok
from squad.doctor.subject import Subject

DISTRIBUTION = "squad-runtime"

_NEEDED = re.compile(r"([A-Za-z0-9._-]+)([^;]*)(;.*)?")
_BOUND = re.compile(r"(==|>=|<)([0-9.]+)")


def packages(_: Subject) -> Finding:
    wrong = wrong_among(metadata.requires(DISTRIBUTION) or [])
    if wrong:
        return fail(f"{'; '.join(wrong)}", f"{sys.executable} -m pip install --upgrade {DISTRIBUTION}")
    return ok(f"all are there; Thespian {THESPIAN}, which Squad's transport is made for")


def wrong_among(requirements: list[str]) -> list[str]:
    """What is missing or of the wrong version, of requirements as a distribution's metadata has them.

    Only the kinds of bounds that Squad's own requirements use are known; requirements of extras are left out.
    """
    wrong = []
    for requirement in requirements:
        found = _NEEDED.fullmatch(requirement.strip())
        if found is None or "extra" in (found[3] or ""):
            continue
        name, bounds = found[1], found[2].strip()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is not installed")
            continue
        if not all(_meets(version, sign, bound) for sign, bound in _BOUND.findall(bounds)):
            wrong.append(f"{name} is {version}, and {bounds} is needed")
    return wrong


def _meets(version: str, sign: str, bound: str) -> bool:
    there, wanted = _numbers(version), _numbers(bound)
    length = max(len(there), len(wanted))
    there, wanted = (numbers + (0,) * (length - len(numbers)) for numbers in (there, wanted))
    return there == wanted if sign == "==" else there >= wanted if sign == ">=" else there < wanted


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: 2.11 of ``2.11rc1``."""
    found = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
