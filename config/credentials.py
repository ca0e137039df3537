"""What the configuration cannot hold: secrets in the environment, and the packages that exporters need."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from squad.config.exporters import ExporterConfig
from squad.config.listening import SHORTEST_TOKEN
from squad.config.load import shown
from squad.config.schema import SquadConfig
from squad.errors import Problem

EXTRA = "pip install 'squad-runtime[otel]'"

_SET = "set it where squad start is typed; a squad that runs keeps the environment that it has"
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def installed() -> bool:
    """Whether the packages of the extra are there. Imports next to nothing."""
    try:
        return all(find_spec(package) is not None for package in _PACKAGES)
    except ModuleNotFoundError:  # of one around it
        return False


def missing(settings: ExporterConfig, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of each variable that the exporter names, and that is not there or cannot be sent."""
    for key, variable in _variables(settings):
        value = environment.get(variable, "")
        if not value.strip():
            yield key, f"{variable} is not set in the environment"
        elif not value.isascii() or not value.strip().isprintable():
            yield key, f"{variable} holds what no header can hold"


def headers(settings: ExporterConfig, environment: Mapping[str, str]) -> dict[str, str]:
    """The headers of its requests beside those of the protocol. Only where nothing is ``missing``."""
    found = dict(settings.headers)
    found |= {name: environment[variable].strip() for name, variable in settings.headers_env.items()}
    if settings.public_key_env is not None and settings.secret_key_env is not None:
        keys = ":".join(environment[name].strip() for name in (settings.public_key_env, settings.secret_key_env))
        found["authorization"] = f"Basic {base64.b64encode(keys.encode()).decode()}"
        found["x-langfuse-ingestion-version"] = "4"  # else it shows them up to ten minutes later
    return found


def check_exporters(config: SquadConfig, environment: Mapping[str, str]) -> list[Problem]:
    """Why its exporters could send nothing, by line."""
    problems = []
    if config.exporters and not installed():
        what = "exporters: the packages that they need are not installed"
        problems.append(Problem(_where(config, "exporters"), what, EXTRA))
    for name, settings in config.exporters.items():
        for key, what in missing(settings, environment):
            place = f"exporters.{name}.{key}"
            problems.append(Problem(_where(config, "exporters", name, key), f"{place}: {what}", _SET))
    return problems


def check_tokens(config: SquadConfig, environment: Mapping[str, str]) -> list[Problem]:
    """Which listeners name a variable that holds no token, by line."""
    problems = []
    for place, settings in (("dashboard", config.dashboard), ("metrics", config.metrics)):
        wrong = settings.token_env and token_misfit(settings.token_env, environment.get(settings.token_env, ""))
        if wrong:
            what = f"{place}.token_env: {wrong}"
            problems.append(Problem(_where(config, place, "token_env"), what, _SET))
    return problems


def token_misfit(variable: str, text: str) -> str:
    """What is wrong with the token in a variable of the environment; "" for a good one."""
    text = text.strip()
    if not text:
        return f"{variable} is not set in the environment"
    if len(text) < SHORTEST_TOKEN:
        return f"the token in {variable} is shorter than {SHORTEST_TOKEN} characters"
    if not text.isascii() or not text.isprintable():
        return f"the token in {variable} holds what no header can hold"
    return ""


def _variables(settings: ExporterConfig) -> Iterator[tuple[str, str]]:
    for key in ("public_key_env", "secret_key_env"):
        if (variable := getattr(settings, key)) is not None:
            yield key, variable
    for variable in settings.headers_env.values():
        yield "headers_env", variable


def _where(config: SquadConfig, *loc: str) -> str:
    line = config.line_of(*loc)
    return f"{shown(config.source)}:{line}" if config.source and line else ".".join(loc)
