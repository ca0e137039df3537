"""Receivers of traces in the configuration, and what they need beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from squad.config import credentials
from squad.config.load import parse
from squad.config.reference import show_yaml
from squad.config.schema import SquadConfig
from squad.errors import ConfigError

JAEGER = "{kind: otlp, endpoint: 'http://127.0.0.1:4318/v1/traces'}"


def read(exporters: str) -> SquadConfig:
    return parse(f"agents: {{a: {{class: './a.py:A'}}}}\nexporters:\n{exporters}", name="squad.yaml", base_dir=Path())


def mistakes(exporters: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(exporters)
    return [str(problem) for problem in caught.value.problems]


def test_each_kind_has_its_defaults_and_can_be_shown_and_read_again() -> None:
    config = read(f"  jaeger: {JAEGER}\n  langfuse: {{kind: langfuse, host: 'http://l:3000/'}}\n")
    jaeger, langfuse = config.exporters["jaeger"], config.exporters["langfuse"]

    assert (jaeger.address, jaeger.every, jaeger.payloads) == ("http://127.0.0.1:4318/v1/traces", 5.0, False)
    assert (langfuse.address, langfuse.every, langfuse.payloads) == (
        "http://l:3000/api/public/otel/v1/traces",
        60.0,
        True,
    )
    assert (jaeger.public_key_env, langfuse.secret_key_env) == (None, "LANGFUSE_SECRET_KEY")
    assert parse(show_yaml(config), name="shown", base_dir=Path()) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{kind: otlp}", "exporters.x.endpoint is missing (add endpoint: http://127.0.0.1:4318/v1/traces)"),
        ("{endpoint: 'http://h/v1/traces'}", "exporters.x has no kind (add kind: otlp, or kind: langfuse)"),
        ("{kind: otpl, endpoint: 'http://h/v1/traces'}", "exporters.x.kind must be otlp or langfuse, not 'otpl'"),
        ("{kind: otlp, endpoint: 'h:4318/v1/traces'}", "must be an address that begins with http:// or https://"),
        ("{kind: otlp, endpoint: 'http://h:4318'}", "has no path (an OTLP receiver has one: http://h:4318/v1/traces)"),
        ("{kind: otlp, endpoint: 'http://h:4317'}", "is that of OTLP over gRPC"),
        ("{kind: otlp, endpoint: 'http://h:99999/v1/traces'}", "is no address: Port out of range"),
        ("{kind: otlp, endpoint: 'http://u:p@h/v1/traces'}", "holds a user or a password"),
        ("{kind: otlp, endpoint: 'http://h/v1/traces?a=b'}", "has something after its path"),
        ("{kind: otlp, endpoint: 'http://h/v1/traces', host: 'http://l'}", "host is only for kind: langfuse"),
        ("{kind: langfuse, endpoint: 'http://h/v1/traces'}", "endpoint is only for kind: otlp"),
        ("{kind: langfuse, host: 'http://l/api/public/otel'}", "is more than the address of Langfuse"),
        ("{kind: langfuse, every: 1ms}", "every must be 100ms or more"),
        ("{kind: langfuse, timeout: 0}", "timeout must be more than 0"),
        ("{kind: langfuse, payloads: perhaps}", "payloads must be true or false"),
        ("{kind: langfuse, headers: {'a b': c}}", "'a b' cannot be the name of a header"),
        ('{kind: langfuse, headers: {a: "b\\nc"}}', "what no header can hold"),
        ("{kind: langfuse, evry: 5s}", "did you mean 'every'?"),
    ],
)
def test_mistakes_are_named_by_line(text: str, expected: str) -> None:
    (found,) = mistakes(f"  x: {text}\n")

    assert found.startswith("squad.yaml:3: ")
    assert expected in found


def test_a_secret_that_somebody_wrote_into_the_file_is_not_repeated() -> None:
    found = mistakes(
        "  x: {kind: langfuse, secret_key_env: sk-lf-123}\n  y: {kind: langfuse, headers_env: {a: to ken}}\n"
    )

    assert len(found) == 2
    assert "sk-lf" not in str(found)
    assert "to ken" not in str(found)


def test_what_is_not_in_the_environment_is_told() -> None:
    config = read("  x: {kind: langfuse, headers_env: {x-tenant: TENANT}}\n")

    found = [str(problem) for problem in credentials.check_exporters(config, {"LANGFUSE_SECRET_KEY": "a\nb"})]

    assert [problem.partition(" (")[0] for problem in found] == [
        "exporters.x.public_key_env: exporters.x.public_key_env: LANGFUSE_PUBLIC_KEY is not set in the environment",
        "exporters.x.secret_key_env: exporters.x.secret_key_env: LANGFUSE_SECRET_KEY holds what no header can hold",
        "exporters.x.headers_env: exporters.x.headers_env: TENANT is not set in the environment",
    ]


def test_the_headers_of_langfuse() -> None:
    config = read("  x: {kind: langfuse, headers: {x-a: b}, headers_env: {x-tenant: TENANT}}\n")
    environment = {"LANGFUSE_PUBLIC_KEY": "pk ", "LANGFUSE_SECRET_KEY": "sk", "TENANT": "us"}

    assert credentials.check_exporters(config, environment) == []
    assert credentials.headers(config.exporters["x"], environment) == {
        "x-a": "b",
        "x-tenant": "us",
        "authorization": "Basic cGs6c2s=",
        "x-langfuse-ingestion-version": "4",
    }


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("squad.config.credentials._PACKAGES", ("no_such_package.at.all",))
    config = read(f"  jaeger: {JAEGER}\n")

    (problem,) = credentials.check_exporters(config, {})

    assert "not installed" in problem.what
    assert problem.hint == "pip install 'squad-runtime[otel]'"
    assert credentials.check_exporters(read(""), {}) == []
