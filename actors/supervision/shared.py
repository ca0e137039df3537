"""What the processes of a squad have in common: loaded once, before the first fork, and left alone from then on.

A forked process shares its parent's memory page by page until one of the two writes to a page. Python counts references
in the objects themselves, so it writes to whatever it runs or looks at. What an actor imports after its fork it has for
itself, and an import writes to far more than it brings.
"""

from __future__ import annotations

import contextlib
import gc

from squad.errors import StartError
from squad.messages import message, type_of


@message("squad.plain-sample")
class _Plain:
    text: str = ""


@message("squad.sample")
class _Sample:
    values: dict[str, list[int]]


def load() -> None:
    """Load what actors need, and keep the collector from ever walking over it, which would write to every object.

    For the launcher, while it has forked nobody. Raises StartError for another Thespian than ours.
    """
    from squad.actors.transport.version import require_thespian

    require_thespian()
    import squad
    import squad.actors.supervision.supervisor
    import squad.actors.transport.system_base
    from squad.actors.supervision.rehearsal import rehearse

    for name in squad.__all__:  # what users' modules import
        if name != "Client":
            getattr(squad, name)

    type_of(_Plain).decode("{}")  # and what is loaded late to check messages, by ourselves and by pydantic
    type_of(_Sample).decode('{"values": {}}')
    with contextlib.suppress(OSError, StartError):  # no room for its files, say: then agents only take more memory
        rehearse()
    gc.freeze()
