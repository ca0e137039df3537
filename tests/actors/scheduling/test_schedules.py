from __future__ import annotations

import json
import uuid

import pytest

from squad.actors.scheduling.schedules import Kept, keeper_key, listing, task, task_by_hand
from squad.config.schedules import ScheduleConfig

NIGHTLY = ScheduleConfig(
    cron="0 3 * * *", timezone="Europe/Berlin", recipient="a", type="t", payload={"n": [1, "é"]}, priority=2
)
AT = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def test_the_message_of_a_planned_time_is_always_the_same() -> None:
    row = task("squad", "nightly", NIGHTLY, AT)
    assert row == task("squad", "nightly", NIGHTLY, AT)
    assert (row.sender, row.recipient, row.type) == ("schedule:nightly", "a", "t")
    assert (row.payload, row.priority) == ('{"n":[1,"é"]}', 2)
    assert row.key == "schedule/nightly/2027-01-15T08:00:00.000Z"
    made = uuid.UUID(row.task_id)
    assert (made.version, made.variant, made.int >> 80) == (7, uuid.RFC_4122, AT * 1000)


def test_no_two_planned_times_schedules_or_squads_share_an_id() -> None:
    rows = [
        task("squad", "nightly", NIGHTLY, AT),
        task("squad", "nightly", NIGHTLY, AT + 1),
        task("squad", "other", NIGHTLY, AT),
        task("other", "nightly", NIGHTLY, AT),
    ]
    assert len({row.task_id for row in rows}) == 4
    assert len({row.key for row in rows}) == 3  # a squad is alone in its store


def test_a_run_by_hand_takes_no_planned_one_s_place() -> None:
    row = task_by_hand("an-id", "nightly", NIGHTLY)
    assert row == task("squad", "nightly", NIGHTLY, AT)._replace(task_id="an-id", key=None)


@pytest.mark.parametrize("kept", [Kept(1.5, "* * * * * UTC"), Kept(AT, "x", AT, "an-id")])
def test_what_is_kept_is_read_again(kept: Kept) -> None:
    assert Kept.read(kept.text()) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"mark": 1, "line": ""}',
        '{"mark": null, "line": "", "last": null}',
        '{"mark": Infinity, "line": "", "last": null}',
        '{"mark": NaN, "line": "", "last": null}',
        '{"mark": -1, "line": "", "last": null}',
        '{"mark": 1, "line": "", "last": {"planned": 1e300, "id": ""}}',
        '{"mark": 1, "line": "", "last": {"planned": 1}}',
        '{"mark": 1, "line": "", "last": 7}',
    ],
)
def test_what_somebody_wrote_by_hand_is_nothing(text: str) -> None:
    assert Kept.read(text) is None


def test_the_list_says_when_each_runs_next() -> None:
    found = listing({"nightly": NIGHTLY}, {}, AT)
    assert found == [
        {
            "name": "nightly",
            "cron": "0 3 * * *",
            "timezone": "Europe/Berlin",
            "recipient": "a",
            "type": "t",
            "priority": 2,
            "missed": "once",
            "next": "2027-01-16T02:00:00.000Z",
            "last": None,
        }
    ]
    kept = {keeper_key("nightly"): Kept(AT + 90_000, "", AT, "an-id").text()}
    (after,) = listing({"nightly": NIGHTLY}, kept, AT)
    assert after["next"] == "2027-01-17T02:00:00.000Z"  # the clock was set back since
    assert after["last"] == {"planned": "2027-01-15T08:00:00.000Z", "id": "an-id"}
    assert json.dumps(after)
