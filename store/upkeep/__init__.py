"""Looking after a database as a whole: is it sound, a copy of it, and back from a copy.

examining   is the file whole, and does what is in it agree with itself
rules       what must be true of the rows of a sound database
copying     a copy of a database that may be in use
restoring   a copy in the place of the database
latest      which copy was made last
course      what is old leaves and the file is tidied, in slices
terms       how long what is kept
report      how large it is, what is in it, and what would leave it
alone       all of that at once, in a database that nobody else uses
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from squad.store.upkeep import copying, examining, latest, restoring
from squad.store.upkeep.copying import Copy
from squad.store.upkeep.examining import Examination, Fault
from squad.store.upkeep.latest import Latest
from squad.store.upkeep.restoring import Candidate, Restored

__all__ = ["Candidate", "Copy", "Examination", "Fault", "Latest", "Restored", "Upkeep"]


class Upkeep:
    """Of the database at ``path``. What fails raises StoreError, which says what to do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def examine(self, *, full: bool = False, workers: Collection[str] | None = None) -> Examination:
        """Look for damage and for rows that contradict each other; it only reads, and may run beside a squad.

        ``workers``: those that live now, when one does.
        """
        return examining.examine(self.path, full=full, workers=workers)

    def back_up(self, target: Path, *, force: bool = False) -> Copy:
        """Copy the database, of a squad that runs or not, as it is at one moment. ``force`` replaces a file."""
        made = copying.copy(self.path, target, force=force)
        latest.remember(self.path, made)
        return made

    def candidate(self, file: Path) -> Candidate:
        """What is in a copy that may be restored. Raises StoreError when it is none."""
        return restoring.candidate(file, self.path)

    def restore(self, candidate: Candidate) -> Restored:
        """Put a copy in the database's place, and that aside. The caller sees to it that no squad runs."""
        return restoring.restore(candidate, self.path)
