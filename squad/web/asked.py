"""What a page was asked for: its address, read, beside the squad and the reading that all share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from squad.durations import parse_duration
from squad.errors import UsageError
from squad.moments import parse_moment
from squad.web.charts import SPANS

if TYPE_CHECKING:
    from peewee import Database

    from squad.web.gate import Gate
    from squad.web.pulse import Reading

T = TypeVar("T")
_LONGEST = 1000  # characters of what is searched for


class MissingError(UsageError):
    """There is no such agent or message."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``names`` come from the path, ``query`` from what follows the question mark."""

    gate: Gate
    reading: Reading
    names: Mapping[str, str]
    query: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """What was asked for under this name; None for nothing. Raises UsageError when it is too long."""
        value = self.query.get(name, "").strip()
        if len(value) > _LONGEST:
            raise UsageError(f"{name} is longer than {_LONGEST:,} characters")
        return value or None

    def row(self, name: str) -> int | None:
        """A row of the table of messages. Raises UsageError for what is no whole number."""
        value = self.text(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise UsageError(f"{name} must be a whole number, not {value!r}")
        return int(value)

    def time(self, name: str) -> float | None:
        """Seconds since the epoch, from ``2h`` (ago) or ISO 8601. Raises UsageError for what is neither."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return self.reading.at - parse_duration(value)
        except ValueError:
            pass  # no duration, so a point in time
        try:
            return parse_moment(value)
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from None

    def given(self, *names: str) -> dict[str, str | None]:
        """What was asked for under these names, as a search shows it again."""
        return {name: self.text(name) for name in names}

    @property
    def span(self) -> str:
        """How far back the charts go."""
        value = self.query.get("span", "3h")
        return value if value in SPANS else "3h"

    @property
    def agents(self) -> list[str]:
        """Those to choose from."""
        return sorted(self.gate.config.recipients)

    async def stored(self, question: Callable[[Database], T]) -> T:
        """Ask the database, on another thread. Raises StoreError."""

        def ask() -> T:
            with self.gate.pool.connection() as database:
                return question(database)

        return await asyncio.to_thread(ask)
