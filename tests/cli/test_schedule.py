from __future__ import annotations

import json
from typing import Any

import pytest

from squad.actors.scheduling.schedules import Kept, keeper_key
from squad.ids import new_id
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway, refusal

SCHEDULE: dict[str, Any] = {
    "name": "nightly",
    "cron": "0 9 * * 1",
    "timezone": "Europe/Berlin",
    "recipient": "scanner",
    "type": "scan",
    "priority": 5,
    "missed": "once",
    "next": "2026-03-30T07:00:00.000Z",
    "last": {"planned": "2026-03-23T08:00:00.000Z", "id": new_id()},
}


class TestList:
    def test_as_a_table(self, run: Run, gateway: FakeGateway) -> None:
        new = SCHEDULE | {"name": "new", "cron": "* * * * *", "last": None, "next": None}
        gateway.on("GET /v1/schedules", (200, {"schedules": [SCHEDULE, new]}))
        result = run("schedule", "list")
        assert result.exit_code == 0
        head, first, second = result.stdout.splitlines()
        assert head.split() == ["SCHEDULE", "NEXT", "LAST", "MISSED", "CRON", "TIMEZONE", "RECIPIENT", "TYPE"]
        at = "nightly   2026-03-30T07:00:00Z  2026-03-23T08:00:00Z  once    0 9 * * 1  Europe/Berlin  scanner    scan"
        assert first == at
        assert second.split()[:4] == ["new", "-", "-", "once"]

    def test_as_json(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/schedules", (200, {"schedules": [SCHEDULE]}))
        document = json.loads(run("schedule", "list", "-o", "json").stdout)
        assert document == {"schema_version": 1, "schedules": [SCHEDULE]}

    def test_a_squad_without_any(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/schedules", (200, {"schedules": []}))
        result = run("schedule", "list")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no schedules\n")

    def test_no_squad(self, run: Run, gateway: FakeGateway) -> None:
        gateway.vanish()
        gateway.release_lock()
        assert run("schedule", "list").exit_code == 3

    def test_a_squad_that_was_stopped(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        ran = Kept(1e9, "0 3 * * * Europe/Berlin").ran(1.7e9, "0190")
        story.kept({keeper_key("nightly"): ran.text(), keeper_key("spoilt"): "x", "convoy/pool": "3"})
        gateway.vanish()
        gateway.release_lock()
        result = run("schedule", "list")
        assert result.exit_code == 3
        assert "no squad is running: these are the schedules of which the store knows" in result.stderr
        [line] = result.stdout.splitlines()[1:]
        assert line.split()[0] == "nightly"
        assert "2023-11-14T22:13:20Z" in line
        [schedule] = json.loads(run("schedule", "list", "-o", "json").stdout)["schedules"]
        assert (schedule["cron"], schedule["timezone"]) == ("0 3 * * *", "Europe/Berlin")
        assert schedule["last"]["id"] == "0190"
        assert schedule["recipient"] is None


class TestRun:
    @pytest.fixture
    def taken(self, gateway: FakeGateway) -> FakeGateway:
        gateway.on(
            "POST /v1/schedules/nightly/run", lambda request: (201, {"schedule": "nightly", "id": request.json["id"]})
        )
        return gateway

    def test_the_id_is_printed(self, run: Run, taken: FakeGateway) -> None:
        result = run("schedule", "run", "nightly")
        assert (result.exit_code, result.stdout) == (0, taken.requests[-1].json["id"] + "\n")
        document = json.loads(run("schedule", "run", "nightly", "-o", "json").stdout)
        assert document == {"schema_version": 1, "schedule": "nightly", "id": taken.requests[-1].json["id"]}

    def test_a_request_that_is_repeated_carries_the_same_id(self, run: Run, gateway: FakeGateway) -> None:
        answers = iter([(0, None), (201, {"schedule": "nightly", "id": "x"})])
        gateway.on("POST /v1/schedules/nightly/run", lambda request: next(answers))
        assert run("schedule", "run", "nightly").exit_code == 0
        first, second = gateway.requests
        assert first.json == second.json

    def test_what_the_gateway_refuses(self, run: Run, gateway: FakeGateway) -> None:
        wrong = refusal(404, "no schedule is called 'nihgtly'", 2, "did you mean 'nightly'?")
        gateway.on("POST /v1/schedules/nihgtly/run", wrong)
        result = run("schedule", "run", "nihgtly")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "squad: no schedule is called 'nihgtly'\nhint: did you mean 'nightly'?\n"
