"""Log records of plain actors of Thespian, by the ``logDefs`` that an ActorSystem is given.

Thespian's other bases send each record to a process of its own, which blocks who logs. Here each process has the
handlers itself, so a file must be one that several may append to. Squad's own actors have ``squad.actors.logs``.
"""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Mapping
from typing import Any


def configure(definitions: Mapping[str, Any], address: object) -> None:
    """Log as ``definitions`` (of logging.config.dictConfig) say. Records bear their actor's address, as Thespian's do:
    ``actorAddress``, for filters and formats."""
    make = logging.LogRecord

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.actorAddress = str(address)
        return record

    logging.setLogRecordFactory(made)
    logging.config.dictConfig(dict(definitions))
