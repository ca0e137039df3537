"""Cancelling, and the desk for dead letters, as HTTP; what they do is tested with the broker and with real squads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from squad.actors.protocol import Cancel, Desk
from squad.client import Client
from squad.errors import QueueFullError, RefusedError, UsageError
from squad.home import Home
from squad.store.rows import DeadFilter
from tests.actors.gateway.stand_ins import Served

ID = "0190f3a4-0000-7000-8000-000000000001"


@pytest.fixture
def served(served: Served) -> Served:
    served.send(id=ID, recipient="scanner", type="scan", payload={"path": "x"})
    return served


def said(served: Served, kind: type[Any]) -> list[Any]:
    return [msg for msg in served.inside.said if isinstance(msg, kind)]


def post(served: Served, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    status, document = served.call("POST", path, json.dumps(body))
    return status, document.get("error", document)


@pytest.mark.parametrize(("body", "tree"), [({}, False), ({"tree": False}, False), ({"tree": True}, True)])
def test_a_cancel(served: Served, body: dict[str, Any], tree: bool) -> None:
    status, answer = post(served, f"/v1/messages/{ID}/cancel", body)
    assert (status, answer) == (200, {"schema_version": 1, "cancelled": 2, "running": 1})
    (told,) = said(served, Cancel)
    assert (told.task_id, told.tree) == (ID, tree)


@pytest.mark.parametrize("task_id", [ID.replace("0", "1"), "nonsense", ID.upper()])
def test_what_is_not_there_cannot_be_cancelled_or_edited(served: Served, task_id: str) -> None:
    for method, path, body in (
        ("POST", f"/v1/messages/{task_id}/cancel", {}),
        ("PUT", f"/v1/dead/{task_id}", {"payload": {}}),
    ):
        status, error = served.error(method, path, json.dumps(body))
        assert (status, error["exit"]) == (404, 2)
        assert error["message"] == f"there is no message with the id {task_id!r}"
    assert said(served, Cancel) == said(served, Desk) == []


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (f"messages/{ID}/cancel", {"tree": 1}, "tree must be true or false"),
        (f"messages/{ID}/cancel", {"all": True}, "'all' is not a field of this request"),
        ("dead/retry", {}, 'the request must name dead letters by {"ids": […]} or by {"filter": {…}}'),
        ("dead/retry", {"ids": [ID], "filter": {}}, 'the request must name dead letters by {"ids": […]} or by'),
        ("dead/retry", {"ids": []}, "ids must be a list of messages' ids, each a UUID in lower case"),
        ("dead/drop", {"ids": ["x"]}, "ids must be a list of messages' ids, each a UUID in lower case"),
        ("dead/drop", {"ids": "x"}, "ids must be a list of messages' ids, each a UUID in lower case"),
        ("dead/drop", {"filter": []}, "filter must be an object"),
        ("dead/drop", {"filter": {"agnt": "a"}}, "'agnt' is not a field of this request"),
        ("dead/drop", {"filter": {"error": "\ud800"}}, "error must be 1 to 1,000 printable characters"),
        ("dead/drop", {"filter": {"agent": ""}}, "agent must be 1 to 1,000 printable characters"),
        ("dead/drop", {"filter": {"type": 5}}, "type must be 1 to 1,000 printable characters"),
        ("dead/drop", {"filter": {"since": "1h"}}, "since: '1h' is no time: write for example"),
        ("dead/drop", {"filter": {}, "dry_run": "yes"}, "dry_run must be true or false"),
    ],
)
def test_requests_that_make_no_sense(served: Served, path: str, body: dict[str, Any], message: str) -> None:
    status, error = post(served, f"/v1/{path}", body)
    assert status == 422
    assert error["message"].startswith(message)
    assert said(served, Cancel) == said(served, Desk) == []


@pytest.mark.parametrize(("name", "action"), [("retry", "replay"), ("drop", "drop")])
def test_dead_letters_by_id_and_by_filter(served: Served, name: str, action: str) -> None:
    served.inside.dead = (ID,)
    assert post(served, f"/v1/dead/{name}", {"ids": [ID]}) == (200, {"schema_version": 1, "count": 1, "ids": [ID]})
    chosen = {"agent": "scanner", "type": "scan", "since": "2026-01-31T09:30:00Z", "error": "no such"}
    assert post(served, f"/v1/dead/{name}", {"filter": chosen, "dry_run": True})[0] == 200
    assert post(served, f"/v1/dead/{name}", {"filter": {}})[0] == 200
    by_id, by_filter, every = said(served, Desk)
    assert (by_id.action, by_id.which, by_id.dry_run) == (action, (ID,), False)
    assert (by_filter.which, by_filter.dry_run) == (DeadFilter("scanner", "scan", 1769851800.0, "no such"), True)
    assert every.which == DeadFilter()


def test_an_edit_is_checked_as_a_new_message_is(served: Served) -> None:
    status, answer = served.call("PUT", f"/v1/dead/{ID}", json.dumps({"payload": {"path": "y", "depth": 1}}))
    assert (status, answer["id"]) == (200, ID)
    (told,) = said(served, Desk)
    assert (told.action, told.which, told.payload) == ("edit", (ID,), '{"path":"y","depth":1}')
    for payload, message in (
        ({"depth": "1"}, "the payload does not fit the type 'scan'"),
        ({"path": "x" * 20_000}, "the payload is 20,011 bytes of JSON; at most 10,000 are allowed"),
    ):
        status, error = served.error("PUT", f"/v1/dead/{ID}", json.dumps({"payload": payload}))
        assert (status in (413, 422), error["message"]) == (True, message)
    assert served.error("PUT", f"/v1/dead/{ID}", json.dumps({"payload": []}))[0] == 422
    assert len(said(served, Desk)) == 1


def test_what_the_storage_objects_to_reaches_the_client(served: Served, home: Path) -> None:
    with Client(Home(home)) as client:
        assert client.cancel(ID, tree=True) == {"cancelled": 2, "running": 1}
        served.inside.dead = (ID,)
        assert client.retry_dead([ID]) == client.drop_dead(agent="a", since=0, dry_run=True) == [ID]
        served.inside.desk_error = QueueFullError("they do not fit", hint="fewer")
        with pytest.raises(QueueFullError, match="they do not fit"):
            client.retry_dead([ID])
        served.inside.desk_error = RefusedError("the message is not among the dead letters")
        with pytest.raises(RefusedError, match="not among the dead letters"):
            client.edit_dead(ID, {"path": "y"})
        for ids, which in ((None, {}), ([ID], {"agent": "a"})):
            with pytest.raises(UsageError, match="name dead letters by their ids, or choose them"):
                client.drop_dead(ids, **which)
