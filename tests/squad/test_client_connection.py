"""The Python client's connection to a scripted gateway: kept, opened again, patient, and with two batches on it."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from squad import Client
from squad.batches import Sending
from squad.errors import (
    NotRunningError,
    RefusedError,
    WaitTimeoutError,
)
from squad.home import Home
from squad.wire import Request
from tests.cli.fake_gateway import FakeGateway, refusal


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
            assert sending.result(60)

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
        gateway.on("GET /v1/health", lambda _: (200, {}) if held.wait(60) else (500, {}))
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
    now = [100.0]

    def exchange(request: Any, timeout: float) -> tuple[int, bytes]:
        answer = next(answers)
        if isinstance(answer, Exception):
            now[0] += 3600.0  # it was at it for longer than the patience
            raise answer
        return answer

    monkeypatch.setattr(squad, "_exchange", exchange)
    monkeypatch.setattr("squad.client.time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda _: None))

    assert squad._patiently(Request("POST", "/v1/messages"), 30, 0.2) == {}
