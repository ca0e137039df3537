"""Secrets in the configuration."""

from __future__ import annotations

import pytest

from squad.web.hiding import DOTS, hidden


@pytest.mark.parametrize(
    "name",
    [
        *("password", "api_key", "API-KEY", "token", "bot_token", "secret", "client_secret", "auth", "Authorization"),
        *("dsn", "apiKey", "clientSecret", "accessToken"),
    ],
)
def test_what_a_key_calls_a_secret_is_hidden(name: str) -> None:
    assert hidden({"options": {name: "s3cret"}}) == {"options": {name: DOTS}}
    assert hidden({name: ["s3cret"]}) == {name: DOTS}


@pytest.mark.parametrize(
    "name", ["keep", "token_env", "monkey", "tokens_per_minute", "tokensPerMinute", "tokenEnv", "authors", "listen"]
)
def test_what_only_sounds_like_one_is_shown(name: str) -> None:
    assert hidden({name: "plain"}) == {name: "plain"}


def test_an_environment_shows_its_names_only() -> None:
    shown = hidden({"command": {"environment": {"PATH": "/bin", "X": "s3cret"}}})
    assert shown == {"command": {"environment": {"PATH": DOTS, "X": DOTS}}}


def test_a_password_in_an_address_is_hidden() -> None:
    assert hidden("postgres://me:s3cret@db/squad") == f"postgres://{DOTS}@db/squad"
    assert hidden("https://example.org/hook?token=s3cret&x=1") == f"https://example.org/hook?token={DOTS}&x=1"


@pytest.mark.parametrize("name", ["webhook", "webhook_url", "slackWebhook"])
def test_of_a_webhook_only_the_host_is_shown(name: str) -> None:
    assert hidden({name: "https://hooks.example.org/services/T0/s3cret"}) == {name: f"https://hooks.example.org/{DOTS}"}
    assert hidden({name: "https://me:s3cret@example.org/x"}) == {name: f"https://{DOTS}@example.org/{DOTS}"}
    for plain in ("https://hooks.example.org", "https://hooks.example.org/", "$HOOK"):
        assert hidden({name: plain}) == {name: plain}


def test_arguments_of_a_command_are_hidden() -> None:
    given = ["tool", "--token", "s3cret", "--api-key=s3cret", "--verbose", "plain"]
    assert hidden(given) == ["tool", "--token", DOTS, f"--api-key={DOTS}", "--verbose", "plain"]


def test_nothing_else_is_changed() -> None:
    plain = {"name": "x", "n": 1, "f": 1.5, "t": True, "none": None, "list": [1, "a"], "password": None}
    assert hidden(plain) == plain
