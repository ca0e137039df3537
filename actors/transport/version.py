"""The one version of Thespian whose process handling is mended here."""

from __future__ import annotations

from importlib.metadata import version

from squad.errors import StartError

THESPIAN = "4.0.1"


def require_thespian() -> None:
    """Raise StartError unless exactly the version is installed that the mends were written for and tried with."""
    found = version("thespian")
    if found != THESPIAN:
        raise StartError(
            f"Thespian {found} is installed, and Squad mends the process handling of {THESPIAN} only",
            hint=f"pip install thespian=={THESPIAN}",
        )
