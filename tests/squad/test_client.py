"""The Python client, against a scripted gateway on a real Unix socket."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from squad import Client, message
from squad.batches import Sending
from squad.errors import (
    NotRunningError,
    RateLimitError,
    RefusedError,
    SquadError,
    UsageError,
    WaitTimeoutError,
)
from squad.home import Home
from squad.wire import Request
from tests.cli.fake_gateway import FakeGateway, refusal


@message("scan")
class Scan:
    path: str
    pattern: str = "**/*.py"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    with FakeGateway(Home(tmp_path / ".squad")) as running:
        yield running


@pytest.fixture
def squad(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.home, patience=30) as client:
        yield client


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
    def test_true_once_it_has_ended(self, gateway: FakeGateway, squad: Client) -> None:
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
                ended.wait(10)
                return 0, None
            return 200, {"done": True}

        gateway.on("GET /v1/messages/m1/wait", answer)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(squad.wait, "m1", timeout=30)
            assert asked.wait(10)
            gateway.vanish()
            ended.set()
            gateway.serve()
            assert waiting.result(10)

    def test_ids_cannot_reach_another_route(self, gateway: FakeGateway, squad: Client) -> None:
        with pytest.raises(SquadError):
            squad.wait("../../convoys?x=\udcff", timeout=0.1)
        assert gateway.requests[0].path.startswith("/v1/messages/..%2F..%2Fconvoys%3Fx%3D")


class TestConnection:
    def test_one_connection_serves_many_calls(self, gateway: FakeGateway, squad: Client) -> None:
        for _ in range(5):
            squad.send("a", "t")
        assert gateway.accepted == 1

    def test_threads_share_a_client(self, gateway: FakeGateway, squad: Client) -> None:
        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(lambda n: squad.send("a", "t", {"n": n}), range(200)))
        assert len(set(ids)) == 200
        assert sorted(request.json["payload"]["n"] for request in gateway.requests) == list(range(200))
        assert gateway.accepted <= 8

    def test_a_closed_client_opens_again(self, gateway: FakeGateway, squad: Client) -> None:
        squad.send("a", "t")
        squad.close()
        squad.send("a", "t")
        assert gateway.accepted == 2

    def test_a_restarted_gateway_is_found_again(self, gateway: FakeGateway, squad: Client) -> None:
        squad.send("a", "t")
        gateway.vanish()
        gateway.serve()
        squad.send("a", "t")
        assert len(gateway.requests) == 2

    def test_a_lost_answer_is_asked_for_again_under_the_same_id(self, gateway: FakeGateway, squad: Client) -> None:
        def answer(request: Any) -> Any:
            return (0, None) if len(gateway.requests) == 1 else (201, {"id": request.json["id"], "duplicate": True})

        gateway.on("POST /v1/messages", answer)
        sent = squad.send("a", "t")
        assert [request.json["id"] for request in gateway.requests] == [sent, sent]

    def test_it_is_patient_while_the_gateway_is_away_and_the_squad_up(
        self, gateway: FakeGateway, squad: Client
    ) -> None:
        gateway.vanish()
        with ThreadPoolExecutor() as pool:
            sending = pool.submit(squad.send, "a", "t")
            gateway.serve()
            assert sending.result(10)

    def test_its_patience_ends(self, gateway: FakeGateway) -> None:
        gateway.vanish()
        with Client(gateway.home, patience=0.1) as squad, pytest.raises(NotRunningError, match="up, but its gateway"):
            squad.health()

    def test_no_squad_is_said_at_once(self, gateway: FakeGateway) -> None:
        gateway.vanish()
        gateway.release_lock()
        with (
            Client(gateway.home, patience=600) as squad,
            pytest.raises(NotRunningError, match="no squad is running") as caught,
        ):
            squad.health()
        assert (caught.value.hint, caught.value.exit) == ("squad start", 3)

    def test_an_answer_that_does_not_come(self, gateway: FakeGateway) -> None:
        held = threading.Event()
        gateway.on("GET /v1/health", lambda _: (200, {}) if held.wait(10) else (500, {}))
        with Client(gateway.home, timeout=0.05) as squad, pytest.raises(WaitTimeoutError, match="did not answer"):
            squad.health()
        held.set()

    def test_a_home_with_a_long_path(self, tmp_path: Path) -> None:
        home = Home(tmp_path / ("x" * 100) / ".squad")
        with FakeGateway(home) as gateway, Client(home) as squad:
            assert len(os.fsencode(home.socket())) > 107
            assert squad.send("a", "t") == gateway.requests[0].json["id"]

    def test_a_socket_that_lives_elsewhere(self, tmp_path: Path) -> None:
        home, elsewhere = Home(tmp_path / ".squad"), tmp_path / "other.sock"
        gateway = FakeGateway(home)
        gateway.hold_lock()
        gateway.serve(elsewhere)
        (home.path / "control.path").write_text(f"{elsewhere}\n")
        with Client(home) as squad:
            assert squad.send("a", "t")
        gateway.vanish()
        gateway.release_lock()

    def test_a_refusal_that_comes_before_the_body_was_read(self, tmp_path: Path) -> None:
        import socket

        home = Home(tmp_path / ".squad")
        gateway = FakeGateway(home)
        gateway.hold_lock()
        body = json.dumps(refusal(413, "the payload is too big", 2)[1]).encode()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(home.socket()))
            listening.listen()

            def refuse() -> None:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(
                        b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                        % (len(body), body)
                    )

            thread = threading.Thread(target=refuse)
            thread.start()
            with Client(home, patience=0) as squad, pytest.raises(RefusedError, match="too big"):
                squad.send("a", "t", {"text": "x" * 5_000_000})
            thread.join()
        gateway.release_lock()


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


class TestManyBatches:
    """While one is being stored, the next waits at the gateway, but for its last byte."""

    def test_they_are_stored_in_their_order(self, gateway: FakeGateway, squad: Client) -> None:
        ids = squad.send_many(({"recipient": "a", "type": "t", "payload": {"n": n}} for n in range(10)), batch=2)

        numbers = [[line["payload"]["n"] for line in request.lines] for request in gateway.requests]
        assert numbers == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
        assert len(ids) == len(set(ids)) == 10

    def test_what_comes_after_a_refused_one_is_never_complete(self, gateway: FakeGateway, squad: Client) -> None:
        gateway.on("POST /v1/messages/batch", refusal(422, "no", 2))

        with pytest.raises(RefusedError):
            squad.send_many(({"recipient": "a", "type": "t", "payload": {}} for _ in range(6)), batch=2)

        assert len(gateway.requests) == 1

    def test_what_was_interrupted_stores_nothing_more(
        self, gateway: FakeGateway, squad: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        abandoned = threading.Event()
        abandon = Sending.abandon

        def interrupted(*_: Any) -> None:
            raise KeyboardInterrupt

        def stored(request: Any) -> tuple[int, dict[str, Any]]:
            abandoned.wait(60)
            return 201, {"ids": [line["id"] for line in request.lines]}

        monkeypatch.setattr(Sending, "done", interrupted)
        monkeypatch.setattr(Sending, "abandon", lambda sending: (abandon(sending), abandoned.set()))
        gateway.on("POST /v1/messages/batch", stored)

        with pytest.raises(KeyboardInterrupt):
            squad.send_many(({"recipient": "a", "type": "t", "payload": {}} for _ in range(6)), batch=2)

        assert len(gateway.requests) == 1


def test_patience_counts_from_the_first_failure_on(squad: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([ConnectionResetError("gone"), (200, b"{}")])

    def exchange(request: Any, timeout: float) -> tuple[int, bytes]:
        answer = next(answers)
        if isinstance(answer, Exception):
            threading.Event().wait(0.3)  # it was at it for longer than the patience
            raise answer
        return answer

    monkeypatch.setattr(squad, "_exchange", exchange)

    assert squad._patiently(Request("POST", "/v1/messages"), 30, 0.2) == {}
