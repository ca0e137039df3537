"""The configuration as it was loaded, every default written out and every secret hidden."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from squad.web.asked import Asked
from squad.web.hiding import hidden

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig


class ConfigurationPage:
    path = "/configuration"
    template = "configuration.html"
    title = "Configuration"
    every = 10.0

    def __init__(self) -> None:
        self._written: tuple[SquadConfig, list[tuple[str, str]]] | None = None  # it takes a tenth of a second

    async def read(self, asked: Asked) -> dict[str, Any]:
        config = asked.gate.config
        if self._written is None or self._written[0] is not config:
            self._written = config, await asyncio.to_thread(written, config)
        return {"parts": self._written[1], "source": config.source, "home": asked.gate.home}


def written(config: SquadConfig) -> list[tuple[str, str]]:
    """Each section with its name, as YAML text."""
    from squad.config import reference

    shown = hidden(reference.show(config))
    return [(name, reference.as_yaml({name: part})) for name, part in shown.items()]
