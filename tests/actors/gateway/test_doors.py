"""The address at which an open door says that it is."""

from __future__ import annotations

import pytest

from squad.actors.gateway.doors import Open
from squad.actors.gateway.guarding import Asked, Policy
from squad.config.listening import place_of


@pytest.mark.parametrize(
    ("listen", "url", "reached"),
    [
        ("127.0.0.1:8765", "http://127.0.0.1:8765/", "127.0.0.1"),
        ("localhost:8765", "http://127.0.0.1:8765/", "127.0.0.1"),
        ("[::1]:8765", "http://[::1]:8765/", "::1"),
        ("192.168.1.7:8765", "http://192.168.1.7:8765/", "192.168.1.7"),
        ("0.0.0.0:8765", "http://127.0.0.1:8765/", "127.0.0.1"),
        ("[::]:8765", "http://[::1]:8765/", "::1"),
    ],
)
def test_a_browser_that_goes_there_is_let_in(listen: str, url: str, reached: str) -> None:
    assert Open(place_of(listen), writable=True).url == url
    host = url.removeprefix("http://").rstrip("/")
    policy = Policy(None, frozenset(), private=False, cookie="squad_x")
    assert policy.judge(Asked("GET", "/", {"host": [host]}, (reached, 8765), {})) is None
