"""Squad: durable, typed messages between supervised agents, each in a process of its own.

What users import lives here and is loaded when it is first used, so that the command line starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Agent": "squad.actors.agents.handlers",
    "Alert": "squad.notices",
    "Bottlenecks": "squad.notices",
    "Client": "squad.client",
    "Context": "squad.actors.agents.context",
    "Quarantined": "squad.notices",
    "QueueFullError": "squad.errors",
    "RateLimitError": "squad.errors",
    "Refuse": "squad.errors",
    "RefusedError": "squad.errors",
    "Reply": "squad.replies",
    "RetryAfter": "squad.errors",
    "SquadError": "squad.errors",
    "handles": "squad.actors.agents.handlers",
    "message": "squad.messages",
}

__all__ = [
    "Agent",
    "Alert",
    "Bottlenecks",
    "Client",
    "Context",
    "Quarantined",
    "QueueFullError",
    "RateLimitError",
    "Refuse",
    "RefusedError",
    "Reply",
    "RetryAfter",
    "SquadError",
    "__version__",
    "handles",
    "message",
]

if TYPE_CHECKING:
    from squad.actors.agents.context import Context
    from squad.actors.agents.handlers import Agent, handles
    from squad.client import Client
    from squad.errors import QueueFullError, RateLimitError, Refuse, RefusedError, RetryAfter, SquadError
    from squad.messages import message
    from squad.notices import Alert, Bottlenecks, Quarantined
    from squad.replies import Reply


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'squad' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
