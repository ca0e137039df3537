"""The class of every agent: the user's own, or one that is made for its command. And the types that each handles."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from squad.actors.agents.command import command_class
from squad.actors.agents.handlers import Agent, bind, handled_types
from squad.config.classes import resolve
from squad.config.schema import SquadConfig
from squad.config.types import declared_types
from squad.messages import MessageType, type_of
from squad.notices import Alert, Bottlenecks, Quarantined
from squad.replies import Reply

BUILT_IN: dict[str, MessageType] = {kind.name: kind for kind in map(type_of, (Reply, Quarantined, Alert, Bottlenecks))}
"""Types that an agent may handle and that nobody declares."""


def agent_class(config: SquadConfig, recipient: str) -> type[Agent]:
    """The class of an agent or a convoy. Raises ConfigError when it does not import (any more)."""
    settings = config.recipient(recipient)
    if settings is None:
        raise KeyError(recipient)
    declared = {**BUILT_IN, **declared_types(config.types)}
    if settings.command is not None:
        return command_class(recipient, settings, config.base_dir, declared)
    assert settings.class_ is not None  # noqa: S101 - the schema wants one of both
    found: type[Agent] = resolve(settings.class_, config.base_dir, Agent)
    return bind(found, declared)


class Vocabulary:
    """The types that the agents of a configuration handle, looked up when they are first asked for.

    That loads the users' classes, and runs none of their handlers. For any thread.
    """

    def __init__(self, config: SquadConfig, reloaded: Callable[[], SquadConfig] | None = None) -> None:
        """``reloaded`` gives the configuration that took its place, after ``forget``."""
        self._config: SquadConfig | None = config
        self._reloaded = reloaded or (lambda: config)
        self._handled: dict[str, Mapping[str, MessageType]] = {}

    def forget(self) -> None:
        """The configuration was reloaded. It is read when somebody asks."""
        self._config, self._handled = None, {}

    def find(self, recipient: str, name: str) -> MessageType | None:
        """The type under which ``recipient`` handles ``name``. Raises ConfigError when its class does not import."""
        handled = self._handled
        if recipient not in handled:
            config = self._config = self._config or self._reloaded()
            if config.recipient(recipient) is None:
                return None
            handled[recipient] = handled_types(agent_class(config, recipient))
        return handled[recipient].get(name)
