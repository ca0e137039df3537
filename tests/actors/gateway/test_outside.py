"""What is served beyond the socket, by a real squad: every route that there is, and what hostile browsers send it."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from starlette.routing import Route

from squad.actors.gateway.guarding import Policy
from squad.actors.gateway.outside import Outside
from squad.testing import squad_of
from squad.testing.inprocess import InProcessSquad
from tests.faults.loading import Quick
from tests.running import ROOT, RunningSquad, eventually

TOKEN = "the-token-of-this-squad"  # noqa: S105
CONFIG = f"""
agents:
  quick: {{class: "{ROOT}/tests/faults/loading.py:Quick"}}
dashboard: {{listen: "127.0.0.1:0", token_env: SQUAD_TEST_TOKEN}}
metrics: {{listen: "127.0.0.1:0"}}
"""
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "../../../etc/passwd",
    "{{7777*7777}}",
    "javascript:alert(1)",
    "x\r\nSet-Cookie: a=b",
    "\u202e\u0000\x1b[2J",
    "'; DROP TABLE tasks; --",
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def routes() -> list[tuple[str, str]]:
    """(method, path) of all that the application on loopback answers, as it says itself."""
    with squad_of(quick=Quick) as made:
        assert isinstance(made, InProcessSquad)
        gateway = made._supervisor.gateway
        outside = Outside(gateway._api, Path(), made._supervisor._config, gateway.pool, gateway.clock)
        found = outside.make("dashboard", Policy(None, frozenset(), False, "x")).routes
    listed = [route for route in found if isinstance(route, Route)]
    assert len(listed) == len(found), "there are routes whose methods are not known"
    return sorted((method, route.path) for route in listed for method in route.methods or ())


ROUTES = routes()
WRITES = [(method, path) for method, path in ROUTES if method not in ("GET", "HEAD")]
PATHS = sorted({path for _, path in ROUTES})


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("outside")
    (folder / "squad.yaml").write_text(CONFIG)
    with RunningSquad(folder / "home", folder / "squad.yaml", env={"SQUAD_TEST_TOKEN": TOKEN}) as made:
        yield made
        log = (made.home / "logs" / "gateway.jsonl").read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:5000]


@pytest.fixture(scope="module")
def port(squad: RunningSquad) -> int:
    return urlsplit(str(squad.request("POST", "/v1/dashboard", {})[1]["url"])).port or 0


def ask(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters, and the body of the answer; of a stream none of it."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest(method, path, skip_host="host" in given)
        for name, value in given.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        streams = found.get("content-type", "").startswith("text/event-stream")
        return response.status, found, b"" if streams else response.read()


def filled(path: str, text: str) -> str:
    return re.sub(r"{[^}]*}", quote(text, safe=""), path)


def messages(squad: RunningSquad) -> list[str]:
    """The ids of all that there are; a test that ran earlier may have sent some."""
    return [row["task_id"] for row in squad.query("SELECT task_id FROM tasks ORDER BY id")]


def test_there_are_pages_reads_and_writes() -> None:
    assert {"/", "/v1/messages", "/metrics", "/login", "/v1/openapi.json"} <= set(PATHS)
    assert len(WRITES) > 10
    assert not [path for _, path in WRITES if path in ("/v1/reload", "/v1/dashboard")]  # these name files, and ports


def test_every_route_refuses_other_hosts(port: int) -> None:
    for method, path in ROUTES:
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"localhost.evil.example:{port}"):
            status, _, body = ask(port, method, filled(path, "x"), host=host, authorization=f"Bearer {TOKEN}")
            assert status == 421, (method, path, host, body)


def test_every_write_refuses_pages_of_other_origins(squad: RunningSquad, port: int) -> None:
    before = messages(squad)
    for method, path in WRITES:
        for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port + 1}", f"http://evil.example:{port}"):
            for shown in ({}, {"authorization": f"Bearer {TOKEN}"}):
                status, _, body = ask(port, method, filled(path, "quick"), b"{}", origin=origin, **shown)
                assert status == 403, (method, path, origin, body)
    assert messages(squad) == before
    assert squad.request("GET", "/v1/holds")[1]["paused"] == []


def test_every_path_refuses_every_other_method_without_the_token(squad: RunningSquad, port: int) -> None:
    before = messages(squad)
    for path in PATHS:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for shown in ({}, {"authorization": "Bearer wrong"}, {"cookie": "squad_x=y", "authorization": "Bearer "}):
                status, _, body = ask(port, method, filled(path, "quick"), b"{}", **shown)
                wanted = (303, 405) if path in ("/login", "/logout") else (401,)
                assert status in wanted, (method, path, shown, body)
    assert messages(squad) == before
    assert squad.request("GET", "/v1/holds")[1]["paused"] == []


def test_an_address_where_nothing_is_answers_people_with_a_page_and_programs_with_json(port: int) -> None:
    accept = "text/html,application/xhtml+xml,*/*;q=0.8"
    for path in ("/nowhere", "/mesages", "/agents", "/<script>alert(1)</script>", f"/{'x' * 500}", "/logout"):
        status, headers, body = ask(port, "GET", quote(path), accept=accept)
        assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8"), path
        assert b'<a href="/queues">Queues</a>' in body and b"<script>alert" not in body, path
        assert len(body) < 10_000
    assert b"/messages" in ask(port, "GET", "/mesages", accept=accept)[2]
    for path, given in (("/nowhere", {}), ("/v1/nowhere", {"accept": accept}), ("/v1", {"accept": accept})):
        status, headers, body = ask(port, "GET", path, **given)
        assert (status, headers["content-type"]) == (404, "application/json"), path
        assert "is not there for GET" in json.loads(body)["error"]["message"]


def test_every_answer_keeps_browsers_from_being_led_astray(port: int) -> None:
    for method, path in ROUTES:
        for host in (f"127.0.0.1:{port}", "evil.example"):
            _, headers, _ = ask(port, method, filled(path, "x"), host=host)
            assert headers.items() >= HEADERS.items(), (method, path)
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, (method, path)
            assert "unsafe" not in policy and "http" not in policy
            assert headers["cache-control"] == ("no-cache" if "etag" in headers else "no-store"), (method, path)
            assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_address(port: int, text: str) -> None:
    for method, path in ROUTES:
        if method != "GET":
            continue
        query = "&".join(
            f"{name}={quote(text, safe='')}"
            for name in (
                "agent",
                "type",
                "status",
                "text",
                "since",
                "before",
                "limit",
                "next",
                "wrong",
                "kind",
                "error",
                "names",
                "window",
                "by",
                "all",
            )
        )
        for address in (filled(path, text), f"{filled(path, 'quick')}?{query}"):
            status, headers, body = ask(port, "GET", address)
            assert status in (200, 303, 404, 422, 503), (address, body)
            assert "set-cookie" not in headers
            if headers.get("content-type", "").startswith("text/html"):
                assert text.encode() not in body or not set(text) & set("<>\"'"), address
                assert b"60481729" not in body, address


def test_what_came_in_a_message_is_escaped(squad: RunningSquad, port: int) -> None:
    for text in HOSTILE:
        task = squad.send("quick", "take", {"text": text})
        squad.wait(task)
        for address in (f"/messages/{task}", "/messages"):
            status, _, body = ask(port, "GET", address)
            assert status == 200, body
            assert b"<script>alert" not in body and b"<img src=x" not in body


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_of_the_machine_reads_nothing_without_the_token(port: int) -> None:
    code = """
import encodings.idna, http.client, os, sys
os.setuid(65534)
token = {"Authorization": f"Bearer {sys.argv[2]}"}
for path, headers in (("/v1/tree", {}), ("/", {}), ("/healthz", {}), ("/v1/tree", token)):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
    connection.request("GET", path, headers=headers)
    print(connection.getresponse().status)
"""
    command = [sys.executable, "-c", code, str(port), TOKEN]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == ["401", "401", "200", "200"]


def test_signing_in(squad: RunningSquad, port: int) -> None:
    origin = f"http://127.0.0.1:{port}"
    status, headers, _ = ask(port, "POST", "/login", b"token=wrong&next=/queues", origin=origin)
    assert (status, headers["location"]) == (303, "/login?wrong=1&next=%2Fqueues")
    assert "set-cookie" not in headers
    for following, kept in (
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("http://evil", "/"),
        ("/queues", "/queues"),
    ):
        body = f"token={TOKEN}&next={quote(following, safe='')}".encode()
        status, headers, _ = ask(port, "POST", "/login", body, origin=origin)
        assert (status, headers["location"]) == (303, kept)
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
    shown = cookie.partition(";")[0]
    status, _, body = ask(port, "POST", "/v1/pause", b'{"names": ["quick"]}', origin=origin, cookie=shown)
    assert (status, json.loads(body)["paused"]) == (200, ["quick"])
    assert ask(port, "POST", "/v1/resume", b"{}", authorization=f"Bearer {TOKEN}")[0] == 200
    assert squad.request("GET", "/v1/holds")[1]["paused"] == []
    assert "Max-Age=0" in ask(port, "POST", "/logout", b"", origin=origin, cookie=shown)[1]["set-cookie"]


def test_the_listener_of_the_metrics_serves_nothing_else(squad: RunningSquad, port: int) -> None:
    ports = squad.ports() - {port}
    assert len(ports) == 1
    (metrics,) = ports
    assert ask(metrics, "GET", "/metrics")[0] == 200
    assert ask(metrics, "GET", "/healthz")[0] == 200
    assert ask(metrics, "GET", "/readyz")[0] == 200
    assert ask(metrics, "GET", "/v1/messages")[0] == 404
    assert ask(metrics, "GET", "/")[0] == 404
    assert ask(metrics, "GET", "/metrics", host="evil.example")[0] == 421
    assert ask(metrics, "POST", "/metrics")[0] == 403


def test_a_killed_gateway_listens_again_where_it_did(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        wanted = free.getsockname()[1]
    (tmp_path / "squad.yaml").write_text(
        CONFIG.replace('listen: "127.0.0.1:0", token_env', f'listen: "127.0.0.1:{wanted}", token_env')
    )
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", wanted))
        taken.listen()
        made = RunningSquad(tmp_path / "home", tmp_path / "squad.yaml", env={"SQUAD_TEST_TOKEN": TOKEN})
        with made as squad:
            assert "cannot listen on 127.0.0.1" in squad.cli("dashboard", "--print", status=1).stderr
            assert squad.health() is not None
            taken.close()
            eventually(lambda: wanted in squad.ports(), "the listener, once the port is free")
            killed = squad.kill("gateway")
            eventually(lambda: squad.pids("gateway") not in ([], [killed]), "the next gateway")
            eventually(lambda: wanted in squad.ports(), "its listener")
            assert squad.cli("dashboard", "--print").stdout == f"http://127.0.0.1:{wanted}/\n"


def test_a_reload_after_which_the_gateway_goes_on_is_seen(tmp_path: Path) -> None:
    config = tmp_path / "squad.yaml"
    config.write_text(CONFIG)
    with RunningSquad(tmp_path / "home", config, env={"SQUAD_TEST_TOKEN": TOKEN}) as squad:
        own, before = squad.pids("gateway"), squad.ports()
        url = squad.cli("dashboard", "--print").stdout.strip()
        config.write_text(CONFIG.replace('Quick"', 'Quick", timeout: 13m'))
        squad.cli("reload")

        def seen() -> bool:
            return b"13m" in ask(urlsplit(url).port or 0, "GET", "/configuration")[2]

        eventually(seen, "the configuration as it is now")
        assert (squad.pids("gateway"), squad.ports()) == (own, before)
        config.write_text(f"agents: {config.read_text().partition('agents:')[2].partition('dashboard:')[0]}")
        squad.cli("reload")
        eventually(lambda: squad.ports() == set(), "nothing listens any more")
