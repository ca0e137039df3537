"""What is kept of a schedule between its runs, the message of a run, and how both are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from squad.config.payloads import payload_of
from squad.config.schedules import ScheduleConfig
from squad.cron import CronError, Timetable
from squad.ids import derived_id
from squad.store.rows import NewTask
from squad.store.times import iso

_KEY = "schedule/"
_END = 2.5e11  # seconds since the epoch: about the year 9900, near the last that a datetime can say


@dataclass(frozen=True, slots=True)
class Kept:
    """A schedule's row in the keeper table. ``mark``: all planned times up to this moment have been dealt with.

    ``line`` is its cron line and time zone: with another one, times that passed are not missed. ``planned`` and
    ``task_id`` are of the last run; None and "" before the first.
    """

    mark: float  # seconds since the epoch, as all moments here
    line: str
    planned: float | None = None
    task_id: str = ""

    def text(self) -> str:
        last = None if self.planned is None else {"planned": self.planned, "id": self.task_id}
        return json.dumps({"mark": self.mark, "line": self.line, "last": last})

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for a text that is none: somebody changed the table by hand."""
        try:
            content = json.loads(text)
            last = content["last"] or {"planned": None, "id": ""}
            planned = None if last["planned"] is None else float(last["planned"])
            found = cls(float(content["mark"]), str(content["line"]), planned, str(last["id"]))
        except (KeyError, TypeError, ValueError):
            return None
        return found if 0 <= found.mark < _END and 0 <= (planned or 0) < _END else None

    def ran(self, planned: float, task_id: str) -> Kept:
        """After a run."""
        return Kept(planned, self.line, planned, task_id)


def keeper_key(name: str) -> str:
    """Under which a schedule's Kept is in the keeper table."""
    return f"{_KEY}{name}"


def line_of(schedule: ScheduleConfig) -> str:
    return f"{schedule.cron} {schedule.timezone}"


def task(squad: str, name: str, schedule: ScheduleConfig, planned: float) -> NewTask:
    """The message of a planned time: always the same id and key, so that it is stored once however often it is sent."""
    key = f"schedule/{name}/{iso(planned)}"
    return _task(derived_id(planned, f"{squad}/{key}"), name, schedule, key)


def task_by_hand(task_id: str, name: str, schedule: ScheduleConfig) -> NewTask:
    """The same message, for now."""
    return _task(task_id, name, schedule, None)


def _task(task_id: str, name: str, schedule: ScheduleConfig, key: str | None) -> NewTask:
    return NewTask(
        task_id,
        f"schedule:{name}",
        schedule.recipient,
        schedule.type,
        payload_of(schedule),
        schedule.priority,
        key=key,
    )


def listing(schedules: Mapping[str, ScheduleConfig], kept: Mapping[str, str], now: float) -> list[dict[str, Any]]:
    """Each schedule for people and programs. ``kept`` are texts of the keeper table by key."""
    return [_listed(name, schedule, kept.get(keeper_key(name)), now) for name, schedule in schedules.items()]


def _listed(name: str, schedule: ScheduleConfig, text: str | None, now: float) -> dict[str, Any]:
    kept = None if text is None else Kept.read(text)
    return {
        "name": name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "recipient": schedule.recipient,
        "type": schedule.type,
        "priority": schedule.priority,
        "missed": schedule.missed,
        **_times(Timetable(schedule.cron, schedule.timezone), kept, now),
    }


def remembered(kept: Mapping[str, str], now: float) -> list[dict[str, Any]]:
    """The same from the store alone: ``recipient``, ``type``, ``priority`` and ``missed`` are None.

    Schedules that have left the configuration are among them.
    """
    found = []
    for key, text in sorted(kept.items()):
        known = Kept.read(text) if key.startswith(_KEY) else None
        if known is None:
            continue
        cron, _, timezone = known.line.rpartition(" ")
        try:
            timetable = Timetable(cron, timezone)
        except CronError:  # somebody changed the table by hand
            continue
        unknown = dict.fromkeys(("recipient", "type", "priority", "missed"))
        found.append(
            {
                "name": key.removeprefix(_KEY),
                "cron": cron,
                "timezone": timezone,
                **unknown,
                **_times(timetable, known, now),
            }
        )
    return found


def _times(timetable: Timetable, kept: Kept | None, now: float) -> dict[str, Any]:
    upcoming = timetable.after(now if kept is None else max(kept.mark, now))
    last = None
    if kept is not None and kept.planned is not None:
        last = {"planned": iso(kept.planned), "id": kept.task_id}
    return {"next": None if upcoming is None else iso(upcoming), "last": last}
