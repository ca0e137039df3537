"""The squad as HTTP, and whatever else comes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squad.actors.gateway import listening, seeing
from squad.actors.protocol import Inspect, Resize, Restart
from squad.client import Client
from squad.errors import RefusedError
from squad.home import Home
from squad.ids import new_id
from tests.actors.gateway.stand_ins import TREE, Served, row
from tests.running import eventually

GOOD: dict[str, Any] = {"recipient": "scanner", "type": "scan", "payload": {"path": "x"}}


# -- the squad -------------------------------------------------------------------------------------------------------


def test_the_tree_with_the_depths_of_its_queues(served: Served) -> None:
    status, answer = served.call("GET", "/v1/tree")
    assert (status, answer["squad"], answer["live"]) == (200, "test", True)
    assert [actor["name"] for actor in answer["actors"]] == [actor["name"] for actor in TREE]
    assert {actor["name"]: actor["queue_depth"] for actor in answer["actors"]}["scanner"] == 4


def test_a_silent_supervisor_leaves_its_last_news_with_their_age(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.inside.silent.add("supervisor")
    monkeypatch.setattr(seeing, "_LIMIT", 0.2)
    status, error = served.error("GET", "/v1/tree")
    assert (status, error["exit"]) == (503, 5)
    served.inside.silent.clear()
    monkeypatch.setattr(seeing, "_LIMIT", 20.0)  # while there is an answer it may take its time
    before = served.call("GET", "/v1/tree")[1]
    served.inside.silent.add("supervisor")
    monkeypatch.setattr(seeing, "_LIMIT", 0.2)
    after = served.call("GET", "/v1/tree")[1]
    assert after["live"] is False
    assert after["taken_at"] == before["taken_at"]
    assert after["actors"][0]["age"] >= 0.7  # the 0.5 of the row and the 0.2 of waiting
    health = served.call("GET", "/v1/health")[1]
    assert (health["ready"], health["waiting_for"], health["pid"]) == (False, ["supervisor"], 7)


def test_health(served: Served) -> None:
    assert served.call("GET", "/v1/health")[1] == {
        "schema_version": 1,
        "squad": "test",
        "pid": 7,
        "ready": True,
        "frozen": None,
        "waiting_for": [],
        "failed": [],
    }
    served.inside.tree = (*TREE, row("late", "agent", "supervisor", "starting"))
    assert served.call("GET", "/v1/health")[1]["waiting_for"] == ["late"]


def test_how_the_database_is_read(served: Served) -> None:
    status, answer = served.call("GET", "/v1/store")
    assert (status, answer["pool"]) == (200, {"size": 20, "in_use": 1})


def test_types_and_convoys(served: Served) -> None:
    types = served.call("GET", "/v1/types")[1]["types"]
    assert [(entry["name"], entry["handled_by"]) for entry in types] == [
        ("moody", ["scanner"]),
        ("report", ["reporter"]),
        ("scan", ["scanner", "checker"]),
    ]
    answer = served.call("GET", "/v1/convoys")[1]
    assert (answer["squad"], answer["live"]) == ("test", True)
    (convoy,) = answer["convoys"]
    assert (convoy["name"], convoy["workers"]) == ("checker", ["checker-1", "checker-2"])


def test_every_wrong_parameter_is_named(served: Served) -> None:
    status, error = served.error("GET", "/v1/metrics?window=0s&by=hour&agnet=a")
    assert (status, error["message"]) == (422, "3 parameters of this request are wrong")
    assert error["problems"] == [
        {"where": "window", "what": "must be a duration of more than 0, such as 30m, 6h or 7d, not '0s'", "hint": ""},
        {"where": "by", "what": "must be one of agent, type, not 'hour'", "hint": ""},
        {"where": "'agnet'", "what": "is not a parameter of this request", "hint": "did you mean 'agent'?"},
    ]


@pytest.mark.parametrize("name", ["scanner", "checker", "checker-2", "storage"])
def test_a_restart_is_told_to_the_supervisor(served: Served, name: str) -> None:
    assert served.call("POST", f"/v1/agents/{name}/restart", "{}")[1]["name"] == name
    assert [msg.name for msg in served.inside.said if isinstance(msg, Restart)] == [name]


def test_a_gateway_that_is_restarted_answers_first(served: Served) -> None:
    served.inside.silent.add("supervisor")
    assert served.call("POST", "/v1/agents/gateway/restart")[0] == 200
    eventually(
        lambda: [msg.name for msg in served.inside.said if isinstance(msg, Restart)] == ["gateway"],
        "the restart is told",
    )


def test_a_restart_of_nobody(served: Served) -> None:
    status, error = served.error("POST", "/v1/agents/scaner/restart")
    assert (status, error["message"], error["hint"]) == (
        404,
        "no agent is called 'scaner'",
        "did you mean 'scanner'?",
    )
    served.inside.refusal = "no agent is called 'checker-99'"
    assert served.error("POST", "/v1/agents/checker-99/restart")[0] == 404


def test_a_convoy_is_resized_and_given_back(served: Served) -> None:
    with Client(Home(Path(served.path).parent)) as client:
        assert client.resize("checker", 4) == {"schema_version": 1, "convoy": "checker", "size": 4, "pinned": True}
        assert client.resize("checker", None)["pinned"] is False
    orders = [msg for msg in served.inside.said if isinstance(msg, Resize)]
    assert [(msg.convoy, msg.size, msg.pin) for msg in orders] == [("checker", 4, True), ("checker", None, True)]


@pytest.mark.parametrize("body", ['{"size": 1}', '{"size": 9}', '{"size": true}', '{"size": "4"}', "{}", '{"sice": 4}'])
def test_a_size_that_makes_no_sense(served: Served, body: str) -> None:
    status, error = served.error("POST", "/v1/convoys/checker/resize", body)
    assert (status, error["exit"]) == (422, 2)
    assert not [msg for msg in served.inside.said if isinstance(msg, Resize)]


def test_a_convoy_that_is_not_there(served: Served) -> None:
    assert served.error("POST", "/v1/convoys/scanner/resize", '{"size": 4}')[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v2/%1b", 404), ("DELETE", "/v1/tree", 405), ("PUT", "/v1/messages", 405)],
)
def test_a_path_that_is_not_there(served: Served, method: str, path: str, status: int) -> None:
    found, error = served.error(method, path)
    assert (found, error["exit"]) == (status, 2)
    assert error["message"].isprintable()


# -- whatever comes --------------------------------------------------------------------------------------------------

_PATHS = [
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/batch"),
    ("POST", "/v1/convoys/checker/resize"),
    ("POST", "/v1/agents/scanner/restart"),
    ("GET", "/v1/messages/{}/wait?timeout=0"),
    ("GET", "/v1/{}"),
    ("POST", "/v1/agents/{}/restart"),
    ("POST", "/v1/convoys/{}/resize"),
]
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
_messages = st.fixed_dictionaries(
    {},
    optional={
        "recipient": st.sampled_from(["scanner", "broken", "nobody"]) | _values,
        "type": st.sampled_from(["scan", "moody", "report"]) | _values,
        "payload": st.fixed_dictionaries({"path": st.text(max_size=9)}) | _values,
        "size": _values,
        **dict.fromkeys(["id", "priority", "sender", "delay", "key", "odd"], _values),
    },
)
_bodies = st.binary(max_size=100) | _messages.map(lambda value: json.dumps(value).encode())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(_PATHS), st.text(st.characters(codec="ascii"), max_size=10), st.lists(_bodies, max_size=3))
def test_no_request_is_a_bug(served: Served, target: tuple[str, str], name: str, parts: list[bytes]) -> None:
    method, path = target
    quoted = "".join(f"%{ord(char):02x}" for char in name)
    status, answer = served.call(method, path.format(quoted), b"\n".join(parts))
    assert status in (200, 201, 400, 404, 405, 413, 422)
    assert ("error" in answer) == (status >= 400)
    assert "Traceback" not in json.dumps(answer)


def test_a_bug_is_said_and_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.api._messages._exists = lambda task_id: 1 / 0  # type: ignore[assignment, return-value]
    status, error = served.error("GET", f"/v1/messages/{new_id()}/wait")
    assert (status, error["exit"]) == (500, 1)
    assert error["message"] == "this is a bug in Squad: ZeroDivisionError in the gateway"
    eventually(lambda: "ZeroDivisionError" in caplog.text, "the bug is logged")


def test_another_user_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert served.send(**GOOD)[0] == 201
    monkeypatch.setattr(listening, "_peer", lambda connection: 12345)
    with pytest.raises(ConnectionError):
        served.send(**GOOD)
    assert len(served.inside.stored) == 1


# -- with the client of the project ----------------------------------------------------------------------------------


def test_the_client_understands_it(served: Served) -> None:
    with Client(Home(Path(served.path).parent)) as client:
        task_id = client.send("scanner", "scan", {"path": "x"}, priority=1)
        assert task_id in served.inside.stored
        assert len(client.send_many([GOOD] * 700)) == 700
        served.inside.end(task_id)
        assert client.wait(task_id, timeout=10)
        with pytest.raises(RefusedError, match="no agent or convoy is called 'scaner'"):
            client.send("scaner", "scan", {"path": "x"})
        with pytest.raises(RefusedError) as caught:
            client.send_many([GOOD, {**GOOD, "payload": {}}])
        assert [problem.where for problem in caught.value.problems] == ["line 2: payload.path"]
        assert client.health()["ready"]
        client.restart("scanner")
    assert any(isinstance(msg, Inspect) for msg in served.inside.said)
