"""Who may ask what beyond the socket: the decision alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.gateway.guarding import Asked, Policy
from squad.actors.gateway.token import Token

TOKEN = Token("the-token-of-the-squad")
OURS = "127.0.0.1:8765"
SERVER = ("127.0.0.1", 8765)
BEARER = "Bearer the-token-of-the-squad"


def policy(*, token: Token | None = TOKEN, hosts: tuple[str, ...] = (), private: bool = False) -> Policy:
    return Policy(token, frozenset(hosts), private, "squad_x")


def asked(method: str = "GET", path: str = "/v1/tree", cookie: str | None = None, **headers: str | None) -> Asked:
    given_headers = {"host": OURS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if cookie is not None:
        given_headers["cookie"] = "there"
    cookies = {} if cookie is None else {"squad_x": cookie}
    found = {name: [value] for name, value in given_headers.items() if value is not None}
    return Asked(method, path, found, SERVER, cookies)


@pytest.mark.parametrize("host", [OURS, "localhost:8765", "LOCALHOST:8765"])
def test_we_are_reached_by_our_address_and_as_localhost(host: str) -> None:
    assert policy().judge(asked(host=host)) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8765",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8765.evil.example",
        "localhost.evil.example:8765",
        "127.0.0.2:8765",
        "0.0.0.0:8765",
        "[::1]:8765",
        "user@127.0.0.1:8765",
    ],
)
def test_other_hosts_are_refused_whatever_else_is_shown(host: str | None) -> None:
    for method in ("GET", "POST"):
        assert policy().judge(asked(method, host=host, authorization=BEARER)) == "host"


def test_two_hosts_are_none() -> None:
    request = Asked("GET", "/", {"host": [OURS, OURS]}, SERVER, {})
    assert policy().judge(request) == "host"


def test_names_of_the_configuration_with_a_port_and_without() -> None:
    told = policy(hosts=("squad.example.org", "localhost:9000"))
    assert told.judge(asked(host="squad.example.org")) is None
    assert told.judge(asked(host="squad.example.org:443")) is None
    assert told.judge(asked(host="localhost:9000")) is None
    assert told.judge(asked(host="localhost:9001")) == "host"
    assert told.judge(asked(host="example.org")) == "host"


def test_an_address_of_version_6() -> None:
    request = Asked("GET", "/", {"host": ["[::1]:8765"]}, ("::1", 8765), {})
    assert policy().judge(request) is None


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8765", ""]
)
def test_a_page_of_another_origin_changes_nothing(origin: str) -> None:
    for path in ("/v1/pause", "/login"):
        assert policy().judge(asked("POST", path, origin=origin, authorization=BEARER)) == "origin"
        assert policy().judge(asked("POST", path, TOKEN.cookie, origin=origin)) == "origin"


def test_what_the_browser_says_of_the_site_counts() -> None:
    origin = f"http://{OURS}"
    for site in ("cross-site", "same-site"):
        assert policy().judge(asked("POST", cookie=TOKEN.cookie, origin=origin, sec_fetch_site=site)) == "origin"
    assert policy().judge(asked("POST", cookie=TOKEN.cookie, origin=origin, sec_fetch_site="same-origin")) is None
    assert policy().judge(asked("GET", sec_fetch_site="cross-site")) is None  # a link


def test_a_cookie_without_an_origin_changes_nothing() -> None:
    """A browser says it with every write; what has a cookie and does not say it is none we know."""
    assert policy().judge(asked("POST", cookie=TOKEN.cookie)) == "origin"


@pytest.mark.parametrize(
    "shown", [None, "Bearer", "Bearer wrong", "Basic the-token-of-the-squad", "the-token-of-the-squad"]
)
def test_changes_need_the_token(shown: str | None) -> None:
    assert policy().judge(asked("POST", authorization=shown)) == "token"
    assert policy().judge(asked("DELETE", authorization=shown)) == "token"
    assert policy().judge(asked("POST", authorization=BEARER)) is None
    assert policy(token=None).judge(asked("POST", authorization=BEARER)) == "read-only"


def test_the_cookie_is_not_the_token() -> None:
    origin = f"http://{OURS}"
    assert "the-token" not in TOKEN.cookie
    assert policy().judge(asked("POST", cookie=TOKEN.cookie, origin=origin)) is None
    assert policy().judge(asked("POST", cookie="the-token-of-the-squad", origin=origin)) == "token"
    assert policy().judge(asked("POST", cookie=Token("another-token-of-it").cookie, origin=origin)) == "token"


def test_beyond_loopback_reading_needs_the_token_too() -> None:
    private = policy(private=True)
    for path in ("/", "/v1/messages", "/metrics", "/readyz", "/static", "/login/x"):
        assert private.judge(asked(path=path)) == "token"
        assert private.judge(asked(path=path, authorization=BEARER)) is None
        assert private.judge(asked(path=path, cookie=TOKEN.cookie)) is None
    for path in ("/login", "/healthz", "/static/squad.css"):
        assert private.judge(asked(path=path)) is None


@given(st.text(), st.text())
def test_only_the_token_fits(text: str, other: str) -> None:
    token = Token(text)
    assert token.fits(text)
    assert token.fits(other) == (text == other)
    assert token.cookie_fits(token.cookie)
    assert not token.cookie_fits(text)


@given(
    method=st.sampled_from(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", ""]),
    path=st.text().map(lambda text: f"/{text}"),
    headers=st.dictionaries(st.sampled_from(["origin", "authorization", "sec-fetch-site", "cookie"]), st.text()),
)
def test_without_the_token_nothing_but_signing_in_passes(method: str, path: str, headers: dict[str, str]) -> None:
    request = Asked(method, path, {"host": [OURS], **{name: [text] for name, text in headers.items()}}, SERVER, {})
    assert path in ("/login", "/logout") or policy().judge(request) is not None


def test_other_users_of_the_machine_need_the_token_to_read() -> None:
    ours = Policy(TOKEN, frozenset(), False, "squad_x", ours=True)
    stranger = replace(asked(), own=False)
    assert ours.judge(asked()) is None
    assert ours.judge(stranger) == "token"
    assert ours.judge(replace(asked(authorization=BEARER), own=False)) is None
    assert ours.judge(replace(asked(path="/healthz"), own=False)) is None
    assert policy().judge(stranger) is None  # where nothing is to be hidden
    assert replace(ours, token=None).judge(stranger) == "stranger"
