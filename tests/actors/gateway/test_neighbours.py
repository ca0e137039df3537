from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from squad.actors.gateway.neighbours import is_own

Ends = tuple[tuple[str, int], tuple[str, int]]


@pytest.fixture(params=["127.0.0.1", "::1"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """A connection over loopback, by its client's and its server's address."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        try:
            listener.bind((request.param, 0))
        except OSError:
            pytest.skip(f"{request.param} cannot be listened on here")
        listener.listen()
        client = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        client.connect(listener.getsockname()[:2])
        stack.enter_context(listener.accept()[0])
        yield client.getsockname()[:2], client.getpeername()[:2]


def test_our_own_connection_is_ours(ends: Ends) -> None:
    client, server = ends
    assert is_own(client, server)
    assert not is_own(client, (server[0], server[1] ^ 1))
    assert not is_own((client[0], client[1] ^ 1), server)


def test_that_of_another_user_is_not(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert not is_own(*ends)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_kernel_knows_whose_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        listener.settimeout(20.0)
        code = (
            f"import os, socket, sys; os.setuid(65534); s = socket.socket(); s.connect({address!r}); sys.stdin.read()"
        )
        stranger = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        with stranger:
            connection, client = listener.accept()
            with connection:
                assert not is_own(client, address)
            assert stranger.stdin is not None
            stranger.stdin.close()
