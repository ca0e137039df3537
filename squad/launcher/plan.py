"""What the process that checks a squad hands to the launcher's own: through memory, so that nothing is read twice."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path

from squad.config.schema import SquadConfig


@dataclass(frozen=True, slots=True)
class Plan:
    """A squad that may be started: it was checked, and its home is locked."""

    home: Path  # absolute
    config: SquadConfig
    recipients: dict[str, frozenset[str]]  # every agent and convoy, and the types that it handles
    only: frozenset[str] | None  # the agents and convoys to start; None: all
    detached: bool

    def share(self) -> int:
        """A descriptor which a program that is executed next inherits and gives to ``receive``."""
        descriptor = os.memfd_create("squad-plan", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            pickle.dump(self, file)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.set_inheritable(descriptor, True)
        return descriptor


def receive(descriptor: int) -> Plan:
    """The plan that ``share`` left in a descriptor, which is closed."""
    with os.fdopen(descriptor, "rb") as file:
        plan = pickle.load(file)  # noqa: S301 - from our own memory, see share
    if not isinstance(plan, Plan):
        raise TypeError(f"not a plan but {type(plan).__name__}")
    return plan
