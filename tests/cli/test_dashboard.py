"""``squad dashboard``, against a real squad whose configuration does not mention it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.pages import hello
from tests.running import eventually


def test_it_is_served_when_it_is_wanted_and_read_only(tmp_path: Path) -> None:
    with hello(tmp_path) as squad:
        assert squad.ports() == set()
        opened = json.loads(squad.cli("dashboard", "-o", "json").stdout)
        assert opened["url"].startswith("http://127.0.0.1:") and opened["writable"] is False
        assert squad.cli("dashboard", "--print").stdout == f"{opened['url']}\n"
        assert squad.cli("dashboard").stdout == f"{opened['url']}\n"  # there is no browser to open
        port = {int(opened["url"].rpartition(":")[2].strip("/"))}
        assert squad.ports() == port
        with urlopen(opened["url"], timeout=30) as page:  # noqa: S310 - it is ours
            assert "<html" in page.read().decode()
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(f"{opened['url']}v1/pause", b"{}", method="POST"), timeout=30)  # noqa: S310
        assert caught.value.code == 403
        assert "token_env" in json.loads(caught.value.read())["error"]["hint"]
        caught.value.close()
        squad.kill("gateway")
        eventually(lambda: squad.ports() == port, "the next gateway, where open pages look for it")
        eventually(lambda: squad.health() is not None, "its socket")
        assert squad.cli("dashboard", "--print").stdout == f"{opened['url']}\n"
    home = squad.home
    down = squad.cli("dashboard", status=3)
    assert down.stderr == f"squad: no squad is running in {home}\nhint: squad start\n"


def test_a_token_that_is_not_set_is_said_before_the_start(tmp_path: Path) -> None:
    squad = hello(tmp_path)
    config = tmp_path / "squad.yaml"
    config.write_text(config.read_text() + "dashboard: {token_env: NO_SUCH_TOKEN}\n")
    done = squad.cli("start", "--detach", "--config", str(config), status=4)
    assert "dashboard.token_env: NO_SUCH_TOKEN is not set in the environment" in done.stderr
