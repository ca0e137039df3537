"""From verdicts to incidents: each begins once, is told again seldom, and ends when all has been well for a while.

What matters is rows of the store, which are handed in as they are there; remembered here is only since when something
has been bad, or well again. So whoever starts anew may wait a little longer, and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

from squad.actors.alerting.rules import Key, Verdict
from squad.store.alerts import Incident
from squad.store.times import seconds

_SAY_AGAIN = 30.0  # seconds after which what has had no effect is said again


class Decision(NamedTuple):
    """What has to be done. ``verdict`` is there for what is bad now, ``incident`` for all but ``fire``."""

    action: Literal["fire", "tell", "remind", "clear"]
    key: Key
    verdict: Verdict | None
    incident: Incident | None


class Tracking:
    """``clear_after`` and ``remind`` are seconds; ``remind`` 0: never."""

    def __init__(self, clear_after: float, remind: float) -> None:
        self._clear_after = clear_after
        self._remind = remind
        self._bad: dict[Key, float] = {}  # monotonic: since when
        self._well: dict[Key, float] = {}  # likewise, of those that are open
        self._said: dict[Key, tuple[str, float]] = {}  # what was decided last, and when

    @property
    def quiet(self) -> bool:
        """Nothing is on its way to anywhere: it is enough to look again when something has changed."""
        return not self._bad and not self._well and not self._said

    def decide(  # noqa: PLR0913 - all that there is to know
        self,
        verdicts: Iterable[Verdict],
        incidents: Mapping[Key, Incident],
        *,
        now: float,
        steady: float,
        unknown: Collection[str] = (),
        silenced: Collection[Key] = (),
        may_fire: bool = True,
    ) -> list[Decision]:
        """What follows from the verdicts of this moment. ``incidents`` are those that the store has as open.

        ``now`` is seconds since the epoch, ``steady`` monotonic. Of rules that are ``unknown`` nothing could be read:
        what is not judged is neither bad nor well. What is ``silenced`` is told to nobody, and is told later.
        """
        seen = {verdict.key: verdict for verdict in verdicts}
        decided: list[Decision] = []
        self._bad = {key: self._bad.get(key, steady) for key, verdict in seen.items() if verdict.bad}
        for key, verdict in seen.items():
            if verdict.bad and key not in incidents and may_fire and steady - self._bad[key] >= verdict.after:
                decided.append(Decision("fire", key, verdict, None))
        still: dict[Key, float] = {}
        for key, incident in incidents.items():
            if key not in seen and key[0] not in unknown:
                still[key] = self._well.get(key, steady)
                if steady - still[key] >= self._clear_after:
                    decided.append(Decision("clear", key, None, incident))
            elif key not in silenced and (action := self._news(incident, now)) is not None:
                decided.append(Decision(action, key, seen.get(key), incident))
        self._well = still
        return self._fresh(decided, steady)

    def _news(self, incident: Incident, now: float) -> Literal["tell", "remind"] | None:
        if incident.acked_at is not None:
            return None
        if incident.told_at is None:
            return "tell"
        last = seconds(incident.reminded_at or incident.told_at)
        return "remind" if self._remind and now - last >= self._remind else None

    def _fresh(self, decided: list[Decision], steady: float) -> list[Decision]:
        """Without those that were decided a moment ago: the store may not have them yet."""
        before, self._said = self._said, {}
        fresh = []
        for decision in decided:
            what = f"{decision.action} {decision.incident.reminders if decision.incident is not None else ''}"
            said, at = before.get(decision.key, ("", 0.0))
            if said != what or steady - at >= _SAY_AGAIN:
                fresh.append(decision)
                at = steady
            self._said[decision.key] = (what, at)
        return fresh
