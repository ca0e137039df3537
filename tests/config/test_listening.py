from __future__ import annotations

from pathlib import Path

import pytest

from squad.config.credentials import check_tokens
from squad.config.listening import Place
from squad.config.load import parse
from squad.config.schema import SquadConfig
from squad.errors import ConfigError

AGENT = "agents:\n  a: {command: ['true'], handles: [x]}\ntypes: {x: {fields: {}}}\n"


def loaded(text: str) -> SquadConfig:
    return parse(AGENT + text + "\n", name="squad.yaml", base_dir=Path())


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    (problem,) = caught.value.problems
    assert problem.where == "squad.yaml:4"
    return f"{problem.what} ({problem.hint})"


def test_nothing_listens_unless_told() -> None:
    config = loaded("")
    assert config.dashboard.place is None and config.metrics.place is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:8765", Place("127.0.0.1", 8765)),
        ("localhost:1", Place("127.0.0.1", 1)),
        ("[::1]:0", Place("::1", 0)),
        ("127.1.2.3:65535", Place("127.1.2.3", 65535)),
    ],
)
def test_addresses_of_this_machine(text: str, place: Place) -> None:
    found = loaded(f"dashboard: {{listen: '{text}'}}").dashboard.place
    assert found == place and place.loopback


@pytest.mark.parametrize(
    "text", ["8765", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "[127.0.0.1]:80", "example.org:80", ":80"]
)
def test_what_is_no_address(text: str) -> None:
    assert "dashboard.listen must be an IP address, a colon and a port" in refused(f"dashboard: {{listen: '{text}'}}")


@pytest.mark.parametrize("place", ["0.0.0.0:80", "[::]:80", "192.168.1.7:80"])
@pytest.mark.parametrize("section", ["dashboard", "metrics"])
def test_beyond_this_machine_a_token_is_needed(section: str, place: str) -> None:
    told = refused(f"{section}: {{listen: '{place}'}}")
    assert f"{section}.token_env is missing: {place} can be reached from other machines" in told
    assert loaded(f"{section}: {{listen: '{place}', token_env: SECRET}}")


@pytest.mark.parametrize("value", ["", "tiny", "with-a-line\nbreak-in-it", "ü" * 20])
def test_a_token_that_is_none(value: str) -> None:
    config = loaded("dashboard: {token_env: SECRET}")
    (problem,) = check_tokens(config, {"SECRET": value})
    assert problem.what.startswith("dashboard.token_env: ")
    assert "SECRET" in problem.what and (not value or value not in problem.what)
    assert not check_tokens(config, {"SECRET": "0123456789abcdef"})
    assert not check_tokens(loaded(""), {})


def test_two_listeners_do_not_share_a_port() -> None:
    both = "metrics: {{listen: '127.0.0.1:{}'}}\ndashboard: {{listen: 'localhost:{}'}}"
    said = refused(both.format(8765, 8765))
    assert "metrics.listen: 127.0.0.1:8765 is the dashboard's (choose another port" in said
    for ports in ((8765, 8766), (0, 0)):
        assert loaded(both.format(*ports)).metrics.place is not None


def test_hosts_are_names() -> None:
    assert loaded("dashboard: {hosts: [Squad.Example.org, 'localhost:9000']}").dashboard.hosts == [
        "squad.example.org",
        "localhost:9000",
    ]
    assert "must be names as they stand in a browser's address" in refused("dashboard: {hosts: ['http://x/']}")
