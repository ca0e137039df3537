"""The Python client's calls, against a scripted gateway on a real Unix socket."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from squad import Client, message
from squad.errors import (
    NotRunningError,
    RateLimitError,
    RefusedError,
    SquadError,
    UsageError,
    WaitTimeoutError,
)
from tests.cli.fake_gateway import FakeGateway, refusal


@message("scan")
class Scan:
    path: str
    pattern: str = "**/*.py"


class TestSending:
    def test_a_message_by_type_name(self, gateway: FakeGateway, squad: Client) -> None:
        sent = squad.send("scanner", "scan", {"path": "/srv"}, priority=2, sender="me", delay="1m", key="k")
        body = gateway.requests[0].json
        assert body == {
            "id": sent,
            "recipient": "scanner",
            "type": "scan",
            "payload": {"path": "/srv"},
            "priority": 2,
            "sender": "me",
            "delay": 60.0,
            "key": "k",
        }

    def test_what_is_not_given_is_left_to_the_gateway(self, gateway: FakeGateway, squad: Client) -> None:
        squad.send("reporter", "summarize")
        assert set(gateway.requests[0].json) == {"id", "recipient", "type", "payload"}

    def test_a_message_object_carries_its_type_and_fields(self, gateway: FakeGateway, squad: Client) -> None:
        squad.send("scanner", Scan("/srv"))
        body = gateway.requests[0].json
        assert (body["type"], body["payload"]) == ("scan", {"path": "/srv", "pattern": "**/*.py"})

    def test_a_message_object_and_a_payload_are_one_too_many(self, squad: Client) -> None:
        with pytest.raises(UsageError, match="without a payload"):
            squad.send("scanner", Scan("/srv"), {"path": "/other"})

    def test_an_object_that_is_no_message_is_refused(self, squad: Client) -> None:
        with pytest.raises(UsageError, match="@message"):
            squad.send("scanner", object())

    @pytest.mark.parametrize("payload", [["path"], "path", 3, [], 0, ""])
    def test_a_payload_that_is_no_mapping(self, gateway: FakeGateway, squad: Client, payload: Any) -> None:
        for send in (
            lambda: squad.send("a", "t", payload),
            lambda: squad.submit(payload),
            lambda: squad.send_many([payload]),
        ):
            with pytest.raises(UsageError, match="is no JSON object") as caught:
                send()
            (problem,) = caught.value.problems
            assert problem.what == f"must be a mapping with its fields, not {type(payload).__name__}"
        assert gateway.requests == []

    def test_a_delay_that_cannot_be_read(self, squad: Client) -> None:
        with pytest.raises(UsageError, match="not a duration"):
            squad.send("scanner", "scan", delay="soon")

    @pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
    def test_a_payload_that_json_cannot_hold_is_refused_here(
        self, gateway: FakeGateway, squad: Client, value: Any
    ) -> None:
        with pytest.raises(RefusedError):
            squad.send("scanner", "scan", {"path": value})
        assert gateway.requests == []

    def test_a_key_that_was_used_gives_the_first_id(self, gateway: FakeGateway, squad: Client) -> None:
        gateway.on("POST /v1/messages", (201, {"id": "first", "duplicate": True}))
        assert squad.submit({"recipient": "a", "type": "t", "payload": {}, "key": "k"}) == ("first", True)

    def test_the_echo_of_a_lost_answer_is_no_duplicate(self, gateway: FakeGateway, squad: Client) -> None:
        gateway.on("POST /v1/messages", lambda request: (201, {"id": request.json["id"], "duplicate": True}))
        assert squad.submit({"recipient": "a", "type": "t", "payload": {}}).duplicate is False


class TestManyMessages:
    def test_they_go_in_batches_and_ids_come_back_in_order(self, gateway: FakeGateway, squad: Client) -> None:
        ids = squad.send_many(({"recipient": "a", "type": "t", "payload": {"n": n}} for n in range(1100)), batch=500)
        assert [len(request.lines) for request in gateway.requests] == [500, 500, 100]
        assert ids == [line["id"] for request in gateway.requests for line in request.lines]
        assert len(set(ids)) == 1100

    def test_none_are_no_request(self, gateway: FakeGateway, squad: Client) -> None:
        assert squad.send_many([]) == []
        assert gateway.requests == []

    def test_a_refused_batch_names_its_lines_counted_over_all(self, gateway: FakeGateway, squad: Client) -> None:
        def answer(request: Any) -> Any:
            if len(gateway.requests) < 2:
                return 201, {"ids": [line["id"] for line in request.lines]}
            return refusal(422, "the batch was refused", 2, line_3="is wrong")

        gateway.on("POST /v1/messages/batch", answer)
        with pytest.raises(RefusedError, match="the 10 messages of the batches before it are queued") as caught:
            squad.send_many([{"recipient": "a", "type": "t", "payload": {}}] * 20, batch=10)
        assert [str(problem) for problem in caught.value.problems] == ["line 13: is wrong"]


class TestLines:
    def test_each_is_given_an_id_and_is_otherwise_left_as_it_was_written(
        self, gateway: FakeGateway, squad: Client
    ) -> None:
        lines = [
            b'  {"recipient": "a", "type": "t", "payload": {"n": 1, "n": 2}}',
            b"",
            b'{"id": "mine"}',
            b"{}",
            b"\xff",
        ]
        gateway.on("POST /v1/messages/batch", (201, {"ids": ["x"]}))
        assert squad.send_lines(lines) == ["x"]
        first, *others = gateway.requests[0].body.split(b"\n")
        assert json.loads(first)["id"] and first.endswith(
            b'"recipient": "a", "type": "t", "payload": {"n": 1, "n": 2}}'
        )
        assert others == lines[1:]

    def test_all_go_in_one_request_unless_they_are_long(
        self, gateway: FakeGateway, squad: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = [b'{"recipient": "a", "type": "t", "payload": {}}'] * 2000
        assert len(squad.send_lines(lines)) == 2000
        assert len(gateway.requests) == 1
        monkeypatch.setattr("squad.batches._MOST_BYTES", 100_000)
        assert len(squad.send_lines(lines)) == 2000
        assert max(len(request.body) for request in gateway.requests[1:]) <= 100_000

    def test_blank_lines_are_no_messages(self, gateway: FakeGateway, squad: Client) -> None:
        assert squad.send_lines([b"", b"  \r"]) == []
        assert gateway.requests == []


class TestWaiting:
    def test_true_once_it_has_ended(self, gateway: FakeGateway, squad: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("squad.client.time", SimpleNamespace(monotonic=lambda: 100.0))  # no time passes
        gateway.on("GET /v1/messages/m1/wait", (200, {"done": True}))
        assert squad.wait("m1", tree=True, timeout=5)
        assert gateway.requests[0].path == "/v1/messages/m1/wait?tree=1&timeout=5.000"

    def test_false_when_the_time_is_over(self, gateway: FakeGateway, squad: Client) -> None:
        gateway.on("GET /v1/messages/m1/wait", (200, {"done": False}))
        assert not squad.wait("m1", timeout=0.05)

    def test_a_long_wait_is_asked_for_again_and_again(
        self, gateway: FakeGateway, squad: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("squad.client._HOLD", 0.01)
        gateway.on("GET /v1/messages/m1/wait", lambda _: (200, {"done": len(gateway.requests) == 3}))
        assert squad.wait("m1")
        assert len(gateway.requests) == 3

    def test_a_restart_of_the_gateway_does_not_disturb_it(self, gateway: FakeGateway, squad: Client) -> None:
        asked, ended = threading.Event(), threading.Event()

        def answer(_: Any) -> Any:
            asked.set()
            if len(gateway.requests) == 1:
                ended.wait(60)
                return 0, None
            return 200, {"done": True}

        gateway.on("GET /v1/messages/m1/wait", answer)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(squad.wait, "m1", timeout=60)
            assert asked.wait(60)
            gateway.vanish()
            ended.set()
            gateway.serve()
            assert waiting.result(60)

    def test_ids_cannot_reach_another_route(self, gateway: FakeGateway, squad: Client) -> None:
        with pytest.raises(SquadError):
            squad.wait("../../convoys?x=\udcff", timeout=0.1)
        assert gateway.requests[0].path.startswith("/v1/messages/..%2F..%2Fconvoys%3Fx%3D")


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "exit_status", "kind"),
        [
            (422, 2, RefusedError),
            (404, 2, UsageError),
            (429, 2, RateLimitError),
            (503, 3, NotRunningError),
            (503, 5, WaitTimeoutError),
            (500, 1, SquadError),
        ],
    )
    def test_each_answer_is_raised_as_its_own_kind(
        self, gateway: FakeGateway, squad: Client, status: int, exit_status: int, kind: type[SquadError]
    ) -> None:
        answer = refusal(status, "no", exit_status, hint="try", path="is missing")
        gateway.on("POST /v1/messages", answer)
        with pytest.raises(kind) as caught:
            squad.send("a", "t")
        assert type(caught.value) is kind
        assert (caught.value.message, caught.value.hint, caught.value.exit) == ("no", "try", exit_status)
        assert [str(problem) for problem in caught.value.problems] == ["path: is missing"]

    def test_an_empty_bucket_says_when_to_try_again(self, gateway: FakeGateway, squad: Client) -> None:
        gateway.on("POST /v1/messages", (429, {"error": {"message": "slow down", "exit": 2, "retry_after": 1.5}}))
        with pytest.raises(RateLimitError) as caught:
            squad.send("a", "t")
        assert caught.value.retry_after == 1.5

    @pytest.mark.parametrize("content", [b"", b"<html>", b"[]"])
    def test_an_answer_that_is_no_json_document(self, gateway: FakeGateway, squad: Client, content: bytes) -> None:
        gateway.on("GET /v1/health", lambda _: (502, content))
        with pytest.raises(SquadError, match="status 502 and no JSON"):
            squad.health()


class TestSteering:
    def test_each_call_goes_to_its_route(self, gateway: FakeGateway, squad: Client) -> None:
        gateway.on("GET /v1/health", (200, {"ready": True}))
        gateway.on("GET /v1/tree", (200, {"actors": []}))
        gateway.on("GET /v1/types", (200, {"types": [{"name": "scan"}]}))
        gateway.on("GET /v1/convoys", (200, {"convoys": [{"name": "checker"}]}))
        gateway.on("POST /v1/agents/reporter/restart", (202, {"name": "reporter"}))
        gateway.on("POST /v1/convoys/checker/resize", (200, {"convoy": "checker", "size": 4, "pinned": True}))
        assert squad.health()["ready"]
        assert squad.tree()["actors"] == []
        assert squad.types() == [{"name": "scan"}]
        assert squad.convoys() == [{"name": "checker"}]
        squad.restart("reporter")
        assert squad.resize("checker", 4)["pinned"]
        squad.resize("checker", None)
        assert [request.json for request in gateway.requests[-2:]] == [{"size": 4}, {"size": "auto"}]


def test_it_finds_the_home_as_commands_do(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    below = gateway.home.path.parent / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("SQUAD_HOME", raising=False)
    with Client() as squad:
        assert squad.home == gateway.home
