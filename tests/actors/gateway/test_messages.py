"""Sends, batches and waits as HTTP."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from squad.actors.gateway import bodies
from squad.actors.protocol import Submit
from squad.client import Client
from squad.config.schema import RateConfig
from squad.errors import QueueFullError, RateLimitError, RefusedError, UsageError
from squad.home import Home
from squad.ids import new_id
from tests.actors.gateway.stand_ins import Served
from tests.running import eventually

GOOD: dict[str, Any] = {"recipient": "scanner", "type": "scan", "payload": {"path": "x"}}
ABSENT = "0190f3a4-0000-7000-8000-000000000001"  # the id of no message


def limited(home: Path, per_minute: int, when_empty: Any) -> Served:
    return Served(home, clients=RateConfig(per_minute=per_minute, burst=1, when_empty=when_empty))


def lines(*messages: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(message).encode() for message in messages)


# -- sends -----------------------------------------------------------------------------------------------------------


def test_a_send_is_answered_with_its_id_once_it_is_stored(served: Served) -> None:
    status, answer = served.send(**GOOD, priority=2, sender="tests")
    assert status == 201
    assert answer == {"schema_version": 1, "id": answer["id"], "duplicate": False}
    stored = served.inside.stored[answer["id"]]
    assert (stored.payload, stored.priority, stored.sender) == ('{"path":"x"}', 2, "tests")


def test_a_send_that_is_repeated_is_stored_once(served: Served) -> None:
    task_id = new_id()
    answers = [served.send(**GOOD, id=task_id)[1] for _ in range(2)]
    assert [(answer["id"], answer["duplicate"]) for answer in answers] == [(task_id, False), (task_id, True)]
    first, second = (served.send(**GOOD, key="k")[1] for _ in range(2))
    assert (second["id"], second["duplicate"]) == (first["id"], True)


def test_what_is_refused_is_not_stored(served: Served) -> None:
    for message in ({**GOOD, "priority": 11}, {**GOOD, "recipient": "scaner"}, {**GOOD, "payload": {}}):
        status, error = served.error("POST", "/v1/messages", json.dumps(message))
        assert (status, error["exit"]) == (422, 2)
    status, error = served.error("POST", "/v1/messages", '{"recipient": ')
    assert (status, error["exit"]) == (400, 2)
    assert served.inside.stored == {}


def test_a_misspelt_name_and_wrong_fields(served: Served) -> None:
    _, error = served.error("POST", "/v1/messages", json.dumps({**GOOD, "recipient": "scaner"}))
    assert (error["message"], error["hint"]) == ("no agent or convoy is called 'scaner'", "did you mean 'scanner'?")
    _, error = served.error("POST", "/v1/messages", json.dumps({**GOOD, "payload": {"paht": 1}}))
    assert error["problems"] == [
        {"where": "payload.path", "what": "is missing", "hint": ""},
        {"where": "payload.paht", "what": "is not a field of 'scan'", "hint": "did you mean 'path'?"},
    ]


@pytest.mark.parametrize("size", [10_001, 200_000, 20_000_000])
def test_a_payload_over_the_limit_is_refused_with_words(served: Served, size: int) -> None:
    """Also one that is far too long to be read: the client finds the answer, not a closed connection."""
    status, error = served.error("POST", "/v1/messages", json.dumps({**GOOD, "payload": {"path": "x" * size}}))
    assert status == 413
    assert "bytes" in error["message"]
    assert served.inside.stored == {}


def test_a_connection_is_kept_for_the_next_request(served: Served) -> None:
    connection = served.connection()
    for _ in range(3):
        connection.request("POST", "/v1/messages", json.dumps(GOOD))
        response = connection.getresponse()
        assert response.status == 201 and response.read()
    connection.close()


def test_a_client_that_goes_away_half_way_leaves_nothing(served: Served) -> None:
    connection = served.connection()
    connection.putrequest("POST", "/v1/messages")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"recipient": "scanner"')
    connection.close()
    assert served.send(**GOOD)[0] == 201
    assert len(served.inside.stored) == 1


def test_a_body_that_never_ends_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_LIMIT", 0.05)
    connection = served.connection()
    connection.putrequest("POST", "/v1/messages")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"recipient": "scanner"')
    response = connection.getresponse()
    assert response.status == 400
    assert "did not arrive within" in json.loads(response.read())["error"]["message"]
    connection.close()


def test_a_store_that_cannot_and_one_that_is_silent(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.inside.error = "the database cannot grow: the disk is full"
    status, error = served.error("POST", "/v1/messages", json.dumps(GOOD))
    assert (status, error["exit"], error["message"]) == (503, 1, served.inside.error)
    monkeypatch.setattr("squad.actors.gateway.bridge.SUBMIT_LIMIT", 0.05)
    served.inside.silent.add("storage")
    status, error = served.error("POST", "/v1/messages", json.dumps(GOOD))
    assert (status, error["exit"]) == (503, 5)
    assert "did not confirm" in error["message"]


def test_a_squad_that_stops_takes_nothing_new(served: Served) -> None:
    served.api.closing = True
    for path in ("/v1/messages", "/v1/messages/batch"):
        status, error = served.error("POST", path, json.dumps(GOOD))
        assert (status, error["exit"]) == (503, 3)
        assert "stopping" in error["message"]
    assert served.call("GET", "/v1/tree")[0] == 200
    assert served.inside.stored == {}


def test_the_clients_limit_refuses_or_delays(home: Path) -> None:
    served = limited(home, 1, "raise")  # so rarely that no token comes meanwhile
    try:
        assert served.send(**GOOD)[0] == 201
        status, error = served.error("POST", "/v1/messages", json.dumps(GOOD))
        assert status == 429
        assert 0 < error["retry_after"] <= 60
        with Client(Home(home)) as client, pytest.raises(RateLimitError, match="1 messages a minute"):
            client.send_many([GOOD] * 100)
            client.send_many([GOOD] * 100)
        assert served.call("POST", "/v1/messages", "{}")[0] == 422  # what is wrong costs nothing
        gateway = next(item for item in served.call("GET", "/v1/tree")[1]["actors"] if item["kind"] == "gateway")
        assert 0 <= gateway["tokens"] <= 1
    finally:
        served.close()
    served = limited(home, 600, "wait")
    try:
        begun = time.monotonic()
        assert [served.send(**GOOD)[0] for _ in range(4)] == [201] * 4
        assert time.monotonic() - begun >= 0.28
    finally:
        served.close()


# -- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_stored_in_order(served: Served) -> None:
    ids = [new_id() for _ in range(2500)]
    status, answer = served.call("POST", "/v1/messages/batch", lines(*({**GOOD, "id": task_id} for task_id in ids)))
    assert (status, answer["ids"]) == (201, ids)
    assert list(served.inside.stored) == ids
    assert [len(msg.rows) for msg in served.inside.said if isinstance(msg, Submit)] == [2500]


def test_a_send_to_a_full_mailbox(served: Served) -> None:
    served.inside.full.add("scanner")
    status, error = served.error("POST", "/v1/messages", json.dumps(GOOD))
    assert status == 429
    assert (error["message"], error["hint"], error["exit"]) == ("the mailbox is full", "wait", 2)
    assert (error["kind"], "retry_after" in error) == ("queue_full", False)
    assert served.send(recipient="checker", type="scan", payload={"path": "x"})[0] == 201


def test_a_client_says_that_a_mailbox_is_full(served: Served, home: Path) -> None:
    served.inside.full.add("scanner")
    with Client(Home(home)) as client, pytest.raises(QueueFullError, match="the mailbox is full") as caught:
        client.send("scanner", "scan", {"path": "x"})
    assert (caught.value.hint, caught.value.exit) == ("wait", 2)


def test_a_time_and_a_time_to_live(served: Served, home: Path) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    with Client(Home(home)) as client:
        first = client.send("scanner", "scan", {"path": "x"}, at=at, ttl="10m")
        second = client.send("scanner", "scan", {"path": "x"}, at=at.isoformat())
        with pytest.raises(RefusedError, match="has passed already"):
            client.send("scanner", "scan", {"path": "x"}, at=at - timedelta(hours=2))
        with pytest.raises(UsageError, match="has no time zone"):
            client.send("scanner", "scan", {"path": "x"}, at="2030-01-31T09:30:00")
    times = [(row.not_before, row.expires_at) for row in map(served.inside.stored.__getitem__, (first, second))]
    assert times == [(at.timestamp(), at.timestamp() + 600), (at.timestamp(), None)]


def test_a_batch_with_wrong_lines_names_them_and_stores_nothing(served: Served) -> None:
    wrong = [GOOD, {**GOOD, "priority": 0}, GOOD, {**GOOD, "payload": {}}]
    status, error = served.error("POST", "/v1/messages/batch", lines(*wrong))
    assert status == 422
    assert error["message"] == "2 of 4 lines are wrong; nothing is queued"
    assert [problem["where"] for problem in error["problems"]] == ["line 2", "line 4: payload.path"]
    assert served.inside.stored == {}


def test_a_batch_with_a_line_that_is_too_long(served: Served) -> None:
    body = lines(GOOD) + b"\n" + lines({**GOOD, "payload": {"path": "x" * 20_000_000}})
    status, error = served.error("POST", "/v1/messages/batch", body)
    assert (status, served.inside.stored) == (413, {})
    assert error["message"].startswith("line 2 is over")


def test_a_large_batch_leaves_room_for_others(served: Served) -> None:
    """While 20,000 lines arrive and are checked, somebody else's send is answered."""
    body = lines(*[GOOD] * 20_000)
    connection = served.connection()
    connection.putrequest("POST", "/v1/messages/batch")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[: len(body) // 2])
    assert served.send(**GOOD)[0] == 201
    connection.send(body[len(body) // 2 :])
    assert connection.getresponse().status == 201
    connection.close()


# -- waits -----------------------------------------------------------------------------------------------------------


def test_a_wait_ends_when_the_message_does(served: Served) -> None:
    task_id = served.send(**GOOD)[1]["id"]
    assert served.call("GET", f"/v1/messages/{task_id}/wait?timeout=0.02")[1]["done"] is False
    served.inside.end(task_id)
    assert served.call("GET", f"/v1/messages/{task_id}/wait?timeout=10&tree=1")[1]["done"] is True


def test_a_wait_that_nobody_reads_is_ended(served: Served) -> None:
    task_id = served.send(**GOOD)[1]["id"]
    connection = served.connection()
    connection.request("GET", f"/v1/messages/{task_id}/wait?timeout=60")
    eventually(lambda: served.inside.watches, "the wait is begun")
    connection.close()
    eventually(lambda: not served.inside.watches, "the wait is ended")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"{ABSENT}/wait", 404, "there is no message with the id"),
        ("x%1b%5b31m/wait", 404, r"there is no message with the id 'x\x1b[31m'"),
        (f"{ABSENT}/wait?timeout=soon", 422, "timeout must be a number of seconds from 0 to 2,592,000, not 'soon'"),
        (f"{ABSENT}/wait?timeout=nan", 422, "timeout must be a number"),
        (f"{ABSENT}/wait?timeout=-1", 422, "timeout must be a number"),
        (f"{ABSENT}/wait?tree=yes", 422, "tree must be 0 or 1, not 'yes'"),
    ],
)
def test_a_wait_that_makes_no_sense(served: Served, path: str, status: int, message: str) -> None:
    found, error = served.error("GET", f"/v1/messages/{path}")
    assert (found, error["exit"]) == (status, 2)
    assert error["message"].startswith(message)
