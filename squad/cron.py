"""The planned times of a cron line in a time zone, as cronsim reckons them.

Pure: whoever asks says what time it is. All moments are seconds since the epoch, and planned ones are whole seconds.
"""

from __future__ import annotations

import math
from datetime import datetime
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from squad.messages import did_you_mean

_FORM = "five fields: minute, hour, day of month, month, day of week; 0 9 * * 1 is Mondays at 9"
_SHORT_FORMS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = ("second", "minute", "hour", "day of month", "month", "day of week")
_LONGEST = 200  # characters of a cron line
_SHOWN = 60  # characters of what somebody wrote, in an error
_LOOKS = 10_000  # planned times that are looked through for one that is late enough; one or two are enough as a rule
_CHECKED_FROM = datetime(2024, 1, 1)  # noqa: DTZ001 - cronsim looks 50 years ahead: any date will do, always the same


class CronError(ValueError):
    """A cron line or a time zone that there cannot be. ``str()`` is the end of a sentence; ``hint`` what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class Timetable:
    """When a schedule is planned. Raises CronError for a line that is none or never comes, and for unknown zones."""

    def __init__(self, line: str, timezone: str = "UTC") -> None:
        check_line(line)
        self._line = line
        self._zone = find_zone(timezone)

    def after(self, moment: float) -> float | None:
        """The first planned time later than ``moment``; None when there is none within 50 years."""
        start = datetime.fromtimestamp(moment, self._zone)
        # Where clocks are set back, cronsim begins with the first of the two hours, even when that is over.
        for planned in islice(CronSim(self._line, start), _LOOKS):
            if (found := planned.timestamp()) > moment:
                return found
        return None

    def latest(self, since: float, until: float) -> float | None:
        """The last planned time later than ``since`` and not later than ``until``, however many there are."""
        low, high = math.floor(since), math.floor(until)
        if not self._any(low, high):
            return None
        while high - low > 1:  # planned times are whole seconds: the last one is in (low, high]
            middle = (low + high) // 2
            if self._any(middle, high):
                low = middle
            else:
                high = middle
        return float(high)

    def _any(self, since: float, until: float) -> bool:
        first = self.after(since)
        return first is not None and first <= until

    def count(self, since: float, until: float, limit: int) -> int:
        """How many planned times are later than ``since`` and not later than ``until``; counting ends at ``limit``."""
        found = 0
        planned = self.after(since)
        while planned is not None and planned <= until and found < limit:
            found += 1
            planned = self.after(planned)
        return found


def check_line(line: str) -> None:
    """Raises CronError for a text that is no cron line, and for one whose time never comes."""
    parts = line.split()
    if line.startswith("@"):
        meant = _SHORT_FORMS.get(line.casefold())
        hint = f'write "{meant}"' if meant else f"write {_FORM}"
        raise CronError(f"is {_shown(line)}, and there are no short forms here", hint)
    if len(parts) not in (5, 6) or len(line) > _LONGEST:
        count = "a single field" if len(parts) == 1 else f"{len(parts)} fields"
        raise CronError(f"is no cron line: it has {count}", f"write {_FORM}")
    if len(parts) == 5:
        parts.insert(0, "0")
    for place, name in enumerate(_FIELDS):
        alone = ["*"] * len(_FIELDS)
        alone[place] = parts[place]
        if not _readable(alone):
            raise CronError(f"is no cron line: {_shown(parts[place])} is no {name}", f"write {_FORM}")
    if not _readable(parts) or next(CronSim(" ".join(parts), _CHECKED_FROM), None) is None:
        raise CronError("never comes: no month that it names has such a day", "correct the day of month or the month")


def _readable(parts: list[str]) -> bool:
    try:
        CronSim(" ".join(parts), _CHECKED_FROM)
    except (CronSimError, ValueError):  # ValueError: a number of thousands of digits
        return False
    return True


@lru_cache
def in_words(line: str) -> str:
    """``At 06:00 on Monday through Friday``, of a cron line that was checked."""
    return str(CronSim(line, _CHECKED_FROM).explain())


@lru_cache
def find_zone(name: str) -> ZoneInfo:
    """The time zone of a name such as Europe/Berlin. Raises CronError for one that is not known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no name at all, such as ../x; a folder, such as Europe
        hint = _nearest_zone(name) or "write for example UTC or Europe/Berlin"
        raise CronError(f"is {_shown(name)}, which is no known time zone", hint) from None


def _nearest_zone(name: str) -> str:
    known = sorted(available_timezones())
    by_name = {zone.casefold(): zone for zone in known}
    by_place = {zone.rpartition("/")[2].casefold(): zone for zone in known}
    meant = by_name.get(name.casefold()) or by_place.get(name.casefold().replace(" ", "_"))
    return f"did you mean {meant!r}?" if meant else did_you_mean(name, known)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
