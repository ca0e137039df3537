"""Finding what keeps a squad from running well, and mending what can be mended safely.

finding        what a check says
subject        what is looked at: a home, who runs in it, its configuration
checks         the table of all checks, and the examination
machine        system, Python, SQLite, limits
packages       what Squad needs installed
place          the home: owner, permissions, file system, space, logs
contents       the database, and who else writes to it
settings       the configuration, and the open files and processes that it needs
life           the squad that runs here, and what a killed one left
repairs        what ``--fix`` does
"""

from __future__ import annotations

from squad.doctor.checks import CHECKS, examine, mend, worst
from squad.doctor.finding import Finding, Verdict
from squad.doctor.subject import Subject

__all__ = ["CHECKS", "Finding", "Subject", "Verdict", "examine", "mend", "worst"]
