"""The webhook against real servers: what it sends, that a receiver can check it, and how every failure is said."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from types import SimpleNamespace
from typing import Any

import pytest

from squad.actors.alerting import signing
from squad.actors.alerting.webhook import Webhook, WebhookError
from squad.errors import ConfigError
from squad.notices import ALERT, Alert
from tests.actors.alerting.receivers import closed_port, dripping, receiver

CTX: Any = SimpleNamespace(message_id="0199-message", type=ALERT, log=logging.getLogger("test"))
AN_ALERT = Alert(
    id="0199-alert",
    rule="queue_depth",
    state="fired",
    severity="warning",
    squad="mill",
    agent="miller",
    summary="101 messages are ready and wait for miller",
    value=101.0,
    threshold=100.0,
    unit="messages",
    fired_at="2026-01-31T09:30:00.250Z",
    at="2026-01-31T09:30:00.250Z",
    todo="squad inspect miller",
)


def webhook(url: str, secret: str | None = None, timeout: float = 10.0) -> Webhook:
    made = Webhook()
    made.options = {"url": url, "secret": secret, "timeout": timeout}
    made.start()
    return made


def genuine(secret: bytes, headers: dict[str, str], body: bytes) -> bool:
    """What docs/alerts.md tells a receiver to do."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(hmac.compare_digest(one, f"v1,{wanted}") for one in headers["webhook-signature"].split())


def test_what_a_receiver_gets_it_can_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SECRET", "a secret of ours")
    with receiver() as server:
        assert webhook(server.url, "$OPS_SECRET").tell(AN_ALERT, CTX) == {"status": 200}
        (got,) = server.received
    assert got.path == "/hook?team=mills"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == "0199-message"
    assert genuine(b"a secret of ours", got.headers, got.body)
    assert not genuine(b"another", got.headers, got.body)
    assert not genuine(b"a secret of ours", got.headers, got.body + b" ")
    assert not genuine(b"a secret of ours", {**got.headers, "webhook-id": "other"}, got.body)
    content = json.loads(got.body)
    assert content["type"] == "squad.alert"
    assert content["timestamp"] == AN_ALERT.at
    assert content["data"]["summary"] == AN_ALERT.summary


def test_the_standards_own_example() -> None:
    """From the specification of Standard Webhooks."""
    key = signing.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed() -> None:
    with receiver() as server:
        webhook(server.url).tell(AN_ALERT, CTX)
        assert "webhook-signature" not in server.received[0].headers


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 410, 429, 500, 503])
def test_whatever_is_no_success_is_a_failure_and_nobody_is_followed(status: int) -> None:
    with receiver() as elsewhere, receiver() as server:
        server.status, server.headers = status, {"location": elsewhere.url}
        with pytest.raises(WebhookError, match=f"127.0.0.1 answered {status} .*: no thanks"):
            webhook(server.url).tell(AN_ALERT, CTX)
        assert elsewhere.received == []


def test_nobody_there() -> None:
    with pytest.raises(WebhookError, match=r"127\.0\.0\.1: Connection refused"):
        webhook(f"http://127.0.0.1:{closed_port()}/").tell(AN_ALERT, CTX)


def test_no_such_name() -> None:
    with pytest.raises(WebhookError, match=r"nowhere\.invalid: "):
        webhook("http://nowhere.invalid/").tell(AN_ALERT, CTX)


def test_one_that_never_comes_to_an_end() -> None:
    with dripping() as port, pytest.raises(WebhookError, match=r"did not answer within 0\.5 s"):
        webhook(f"http://127.0.0.1:{port}/", timeout=0.5).tell(AN_ALERT, CTX)


def test_a_server_that_speaks_no_tls() -> None:
    with receiver() as server, pytest.raises(WebhookError, match=r"127\.0\.0\.1: "):
        webhook(f"https://127.0.0.1:{server.port}/").tell(AN_ALERT, CTX)


def test_variables_are_read_and_never_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as server:
        monkeypatch.setenv("OPS_URL", server.url)
        webhook("$OPS_URL").tell(AN_ALERT, CTX)
        assert len(server.received) == 1
    monkeypatch.delenv("OPS_URL")
    with pytest.raises(ConfigError, match="the environment variable OPS_URL is not set"):
        webhook("$OPS_URL")
    monkeypatch.setenv("OPS_URL", "ftp://user:geheim@example.com")
    with pytest.raises(ConfigError) as failed:
        webhook("$OPS_URL")
    assert "geheim" not in str(failed.value)
    monkeypatch.setenv("OPS_SECRET", "whsec_geheim!")
    with pytest.raises(ConfigError, match=r"the secret in \$OPS_SECRET begins with whsec_") as failed:
        webhook("http://example.com", "$OPS_SECRET")
    assert "geheim" not in str(failed.value)
