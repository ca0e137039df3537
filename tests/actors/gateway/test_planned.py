"""The routes about schedules, on a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from squad.actors.protocol import Submit
from squad.actors.scheduling.schedules import Kept, keeper_key
from squad.config.pace import RateConfig
from squad.config.schedules import ScheduleConfig
from squad.ids import new_id
from tests.actors.gateway.stand_ins import Served

NIGHTLY = ScheduleConfig(cron="0 3 * * *", recipient="scanner", type="scan", payload={"path": "é"}, priority=3)


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    made = Served(home, schedules={"nightly": NIGHTLY})
    yield made
    made.close()


def run(served: Served, task_id: object, name: str = "nightly") -> tuple[int, dict[str, object]]:
    return served.call("POST", f"/v1/schedules/{name}/run", json.dumps({"id": task_id}))


def test_they_are_listed_with_their_next_and_their_last_run(served: Served) -> None:
    before = time.time()
    (listed,) = served.call("GET", "/v1/schedules")[1]["schedules"]
    upcoming = datetime.fromisoformat(listed.pop("next"))
    assert before < upcoming.timestamp() <= time.time() + 86400
    assert (upcoming.hour, upcoming.minute, upcoming.second) == (3, 0, 0)
    assert listed == {
        "name": "nightly",
        "cron": "0 3 * * *",
        "timezone": "UTC",
        "recipient": "scanner",
        "type": "scan",
        "priority": 3,
        "missed": "once",
        "last": None,
    }
    task_id = new_id()
    served.inside.kept[keeper_key("nightly")] = Kept(1.8e9, "", 1.8e9, task_id).text()
    (listed,) = served.call("GET", "/v1/schedules")[1]["schedules"]
    assert listed["last"] == {"planned": "2027-01-15T08:00:00.000Z", "id": task_id}


def test_after_the_clock_was_set_back_the_next_run_is_after_the_last(served: Served) -> None:
    served.inside.kept[keeper_key("nightly")] = Kept(4e9, "").text()
    (listed,) = served.call("GET", "/v1/schedules")[1]["schedules"]
    assert listed["next"] == "2096-10-03T03:00:00.000Z"


def test_what_somebody_put_into_the_table_by_hand_does_no_harm(served: Served) -> None:
    for text in ("", "{}", "[]", '{"mark": NaN, "line": "", "last": null}', '{"mark": "x", "line": "", "last": null}'):
        served.inside.kept[keeper_key("nightly")] = text
        status, document = served.call("GET", "/v1/schedules")
        assert status == 200
        assert document["schedules"][0]["last"] is None


def test_one_is_run_by_hand(served: Served) -> None:
    task_id = new_id()
    assert run(served, task_id) == (201, {"schema_version": 1, "schedule": "nightly", "id": task_id})
    row = served.inside.stored[task_id]
    assert (row.sender, row.recipient, row.type) == ("schedule:nightly", "scanner", "scan")
    assert (row.payload, row.priority, row.key, row.not_before) == ('{"path":"é"}', 3, None, None)
    assert run(served, task_id)[0] == 201
    assert len(served.inside.stored) == 1
    (submit, _) = [said for said in served.inside.said if isinstance(said, Submit)]
    assert submit.put == ()  # the planned runs stay as they are


def test_what_cannot_be_run(served: Served) -> None:
    status, error = served.error("POST", "/v1/schedules/nihgtly/run", json.dumps({"id": new_id()}))
    assert (status, error["exit"]) == (404, 2)
    assert error["message"] == "no schedule is called 'nihgtly'"
    assert error["hint"] == "did you mean 'nightly'?"
    for body in ("", "[]", "{}", '{"id": 7}', '{"id": "x"}'):
        status, error = served.error("POST", "/v1/schedules/nightly/run", body)
        assert (status in (400, 422), error["exit"]) == (True, 2)
    assert served.error("POST", "/v1/schedules/nightly/run", "x" * 5000)[0] == 413
    served.api.closing = True
    assert run(served, new_id())[0] == 503
    assert served.inside.stored == {}


def test_it_counts_among_what_clients_send(home: Path) -> None:
    clients = RateConfig(per_minute=1, burst=1, when_empty="raise")
    served = Served(home, clients=clients, schedules={"nightly": NIGHTLY})
    try:
        assert [run(served, new_id())[0] for _ in range(2)] == [201, 429]
    finally:
        served.close()
