"""Pausing and freezing as HTTP, and why a message waits; what they do is tested with real squads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from squad.actors.protocol import Ask, Hold
from squad.store.holds import Holds, Pause
from tests.actors.gateway.stand_ins import Served
from tests.actors.why.test_waiting import about, message, stored, worker

ID = "0190f3a4-0000-7000-8000-000000000001"


def orders(served: Served) -> list[Hold]:
    return [msg for msg in served.inside.said if isinstance(msg, Hold)]


def post(served: Served, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    status, document = served.call("POST", path, json.dumps(body))
    return status, document.get("error", document)


def test_orders_reach_the_storage(served: Served) -> None:
    status, document = post(
        served, "/v1/pause", {"names": ["checker", "scanner", "checker"], "by": "me", "reason": "why"}
    )
    assert (status, document["paused"], document["already"]) == (200, ["checker", "scanner"], [])
    post(served, "/v1/pause", {})
    post(served, "/v1/resume", {})
    post(served, "/v1/freeze", {"grace": None})
    post(served, "/v1/freeze", {})
    post(served, "/v1/thaw", {"by": "me"})
    told = [(order.action, order.names, order.by, order.reason, order.grace) for order in orders(served)]
    assert told == [
        ("pause", ("checker", "scanner"), "me", "why", None),
        ("pause", ("scanner", "reporter", "checker", "broken"), "", "", None),
        ("resume", (), "", "", None),
        ("freeze", ("test",), "", "", None),
        ("freeze", ("test",), "", "", 5.0),
        ("thaw", ("test",), "me", "", None),
    ]


def test_unknown_names_are_refused_with_the_nearest(served: Served) -> None:
    status, error = post(served, "/v1/pause", {"names": ["scaner"]})
    assert (status, error["hint"]) == (404, "did you mean 'scanner'?")
    status, error = post(served, "/v1/pause", {"names": ["checker-1"]})
    assert (status, error["hint"]) == (404, "a convoy is paused as a whole: checker")
    status, error = post(served, "/v1/resume", {"names": ["scanner", "x", "y"]})
    assert (status, [problem["where"] for problem in error["problems"]]) == (404, ["x", "y"])
    assert "there are: broken, checker, reporter, scanner" in error["hint"]
    served.api.holding.holds = Holds({"gone": Pause(1.0)})
    assert post(served, "/v1/resume", {"names": ["gone"]})[0] == 200
    assert len(orders(served)) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("pause", {"names": "scanner"}),
        ("pause", {"names": [1]}),
        ("pause", {"reason": "two\nlines"}),
        ("pause", {"reason": "x" * 501}),
        ("pause", {"by": 1}),
        ("pause", {"grace": 1}),
        ("freeze", {"grace": -1}),
        ("freeze", {"grace": True}),
        ("freeze", {"grace": "5s"}),
        ("freeze", {"grace": 1e9}),
        ("thaw", {"names": []}),
    ],
)
def test_what_makes_no_sense_is_refused(served: Served, path: str, body: Any) -> None:
    status, error = post(served, f"/v1/{path}", body)
    assert (status, error["exit"]) == (422, 2)
    assert orders(served) == []


def test_what_is_on_hold(served: Served) -> None:
    assert served.call("GET", "/v1/holds") == (200, {"schema_version": 1, "frozen": None, "paused": []})
    served.api.holding.holds = Holds({"scanner": Pause(0.0, "me")})
    paused = [{"name": "scanner", "since": "1970-01-01T00:00:00.000Z", "by": "me", "reason": None}]
    assert served.call("GET", "/v1/holds")[1]["paused"] == paused


class TestWhy:
    @pytest.fixture(autouse=True)
    def _sent(self, served: Served) -> None:
        served.send(id=ID, recipient="scanner", type="scan", payload={"path": "x"})
        served.inside.found = stored(message(task_id=ID, recipient="scanner"))

    def test_workers_are_asked_and_need_not_answer(self, served: Served) -> None:
        served.inside.about = about(worker("hung", name="scanner"))
        status, document = served.call("GET", f"/v1/messages/{ID}/why")
        assert (status, [reason["kind"] for reason in document["reasons"]]) == (200, ["hung", "turn"])
        assert [msg.worker for msg in served.inside.said if isinstance(msg, Ask)] == ["scanner.1"]

    def test_a_supervisor_and_a_storage_that_say_nothing(self, served: Served) -> None:
        served.inside.about = about(worker(name="scanner", worker=""))
        served.inside.silent = {"storage"}
        _, document = served.call("GET", f"/v1/messages/{ID}/why")
        assert [reason["kind"] for reason in document["reasons"]] == ["storage", "turn"]
        served.inside.silent = {"supervisor"}
        _, document = served.call("GET", f"/v1/messages/{ID}/why")
        assert [reason["kind"] for reason in document["reasons"]] == ["squad", "turn"]

    def test_a_result_that_somebody_has_spoilt(self, served: Served) -> None:
        served.inside.about = about()
        served.inside.found = stored(message("completed", task_id=ID, recipient="scanner"), result="{")
        _, document = served.call("GET", f"/v1/messages/{ID}/why")
        assert (document["reasons"], document["result"]) == ([], "{")
