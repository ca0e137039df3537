"""Whatever reaches the gateway's socket: it answers as documented, or hangs up, and answers the next."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from squad.client import Client
from squad.errors import SquadError
from squad.home import Home
from squad.testing import squad_of
from squad.testing.inprocess import InProcessSquad
from tests.faults.loading import Quick
from tests.running import ROOT, RunningSquad, eventually

THOROUGH = settings.default.max_examples // 100  # how many times as much as usual: --hypothesis-profile fuzz
ANSWERS = {200, 201, 400, 404, 405, 409, 413, 422, 429, 503}
CONFIG = f"""
agents:
  quick: {{class: "{ROOT}/tests/faults/loading.py:Quick"}}
  printer: {{command: ["true"], handles: [page]}}
convoys:
  many: {{class: "{ROOT}/tests/faults/loading.py:Quick", min: 1, max: 2}}
types:
  page: {{fields: {{name: str}}}}
schedules:
  yearly: {{cron: "0 0 1 1 *", recipient: quick, type: take}}
supervision:
  restarts: {{intensity: 100000, backoff: 10ms, cap: 50ms}}
"""


def few(number: int) -> settings:
    return settings(
        max_examples=number * THOROUGH,
        derandomize=THOROUGH == 1,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "squad.yaml").write_text(CONFIG)
    with RunningSquad(folder / "home", folder / "squad.yaml") as made:
        yield made
        assert not list((made.home / "logs").glob("crash-*"))
        log = (made.home / "logs" / "gateway.jsonl").read_text()
        assert "Traceback" not in log, log[:4000]


def routes() -> list[tuple[str, str]]:
    """(method, path) of all that the application answers, as it says itself."""
    with squad_of(quick=Quick) as made:
        assert isinstance(made, InProcessSquad)
        found = [route for route in made._supervisor.gateway.app.routes if isinstance(route, Route)]
        return sorted((method, route.path) for route in found for method in route.methods or ())


ROUTES = routes()
NO_ID = "01a20066-4465-7000-a6f5-de2af55bb89b"
TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    [
        "quick",
        "many",
        "printer",
        "many-1",
        "take",
        "page",
        "yearly",
        "storage",
        NO_ID,
        "",
        "\0",
        "\ud800",
        "..",
        "a/b",
        "é" * 300,
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -1, 0, 2**63, 1e308, 5, 10])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8
)
KEYS = [
    *("recipient", "type", "payload", "priority", "delay", "at", "ttl", "key", "id", "reply_to", "reply_timeout"),
    *("size", "config", "dry_run", "agents", "names", "grace", "reason", "by", "tree", "ids", "all", "filter"),
]
ALMOST = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)
SENDS = st.fixed_dictionaries(
    {
        "recipient": st.sampled_from(["quick", "many", "printer"]) | TEXTS,
        "type": st.sampled_from(["take", "page"]) | TEXTS,
    },
    optional=dict.fromkeys(KEYS[2:], JSON),
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("ascii")


BODIES = (
    st.binary(max_size=60)
    | (JSON | ALMOST | SENDS).map(as_json)
    | st.lists(SENDS.map(as_json), min_size=1, max_size=4).map(b"\n".join)
    | st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 50_000, b"{", b"", b"9" * 100_000, b'{"size": NaN}', b'"\xff"', b"\xef\xbb\xbf{}"]
    )
    | st.sampled_from([b'{"payload": {"text": "\\ud800"}}', b"null", b"x" * 70_000])
)
TYPES = st.sampled_from(
    ["application/json", "application/x-ndjson", "text/plain", "", "application/json; charset=utf-16", "é"]
)


@st.composite
def paths(draw: st.DrawFn) -> tuple[str, str]:
    """A method and a path: mostly of a route, with anything in place of its parameters."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "X"])), "/" + quote(
            draw(TEXTS.filter(writable))
        )
    method, path = draw(st.sampled_from(ROUTES))
    while "{" in path:
        before, _, rest = path.partition("{")
        value = draw(TEXTS.filter(writable).filter(lambda text: text != "gateway"))
        path = before + quote(value, safe="") + rest.partition("}")[2]
    query = draw(
        st.dictionaries(st.sampled_from(["tree", "timeout", "limit", "x", "since"]), TEXTS.filter(writable), max_size=2)
    )
    return method, path + ("?" + "&".join(f"{key}={quote(value)}" for key, value in query.items()) if query else "")


def writable(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


class _Socket(http.client.HTTPConnection):
    def __init__(self, squad: RunningSquad) -> None:
        super().__init__("squad", timeout=60)
        self._path = str(Home(squad.home).socket())

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@given(paths(), BODIES, TYPES)
@few(250)
def test_any_request_is_answered(squad: RunningSquad, path: tuple[str, str], body: bytes, kind: str) -> None:
    with closing(_Socket(squad)) as connection:
        connection.request(*path, body, {"Content-Type": kind.encode()})
        response = connection.getresponse()
        text = response.read()
    assert response.status in ANSWERS, (path, body[:200], text)
    ours = response.getheader("Content-Type") == "application/json" and not path[1].startswith("/v1/openapi.json")
    if path[0] != "HEAD" and ours:
        document = json.loads(text)
        assert document["schema_version"] == 1
        assert response.status < 300 or document["error"]["message"].isprintable()
        assert "bug in Squad" not in text.decode()


PIECES = st.sampled_from(
    [
        b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{}",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /v1/messages/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"POST /v1/messages/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET " + b"/a" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"Expect: 100-continue\r\n",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=40), max_size=5), st.booleans())
@few(80)
def test_any_bytes_on_the_socket(squad: RunningSquad, pieces: list[bytes], waits: bool) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(Home(squad.home).socket()))
        said = b""
        with contextlib.suppress(OSError):  # it may hang up in the middle
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            while waits and (some := connection.recv(65536)):
                said += some
    assert b"HTTP/1.1 500" not in said, (pieces, said)
    assert b"Traceback" not in said
    assert squad.health() is not None


PAYLOADS = st.dictionaries(TEXTS, JSON, max_size=3) | st.fixed_dictionaries({"text": TEXTS})
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "priority": JSON,
        "delay": st.sampled_from([0, 1, "1h", "x", -1, 1e300]),
        "ttl": st.sampled_from([0, 1, "1h", "x", -1, 1e300]),
        "key": TEXTS,
    },
)


@given(TEXTS, TEXTS, PAYLOADS, OPTIONS)
@few(100)
def test_any_message_is_taken_or_refused(
    squad: RunningSquad, recipient: str, kind: str, payload: dict[str, Any], options: dict[str, Any]
) -> None:
    with Client(Home(squad.home)) as client:
        try:
            sent = client.send(recipient, kind, payload, **options)
        except SquadError as error:
            assert error.message.isprintable()
            assert "bug" not in error.message
        else:
            assert client.cancel(sent) is not None


def test_and_the_squad_is_as_it_was(squad: RunningSquad) -> None:
    """After all of that: what was put on hold is let go on, and it works."""
    for path in ("thaw", "resume"):
        assert squad.request("POST", f"/v1/{path}", {})[0] == 200
    for name in ("quick", "many"):
        assert squad.request("POST", f"/v1/agents/{name}/restart", {})[0] == 200
    eventually(lambda: (squad.health() or {}).get("ready"), "everybody is ready")
    for name in ("quick", "many"):
        squad.wait(squad.send(name, "take", {"text": "x"}, priority=1))
    assert squad.cli("status").returncode == 0
