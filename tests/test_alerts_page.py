"""docs/alerts.md: it has a part for each rule, which ends in commands that there are; its examples work as written."""

from __future__ import annotations

import base64
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from squad.actors.alerting import signing
from squad.alerts import BUILT_IN
from squad.cli.app import cli
from squad.config.load import parse
from squad.notices import Alert
from tests.pages import hello
from tests.running import ROOT

PAGE = (ROOT / "docs/alerts.md").read_text()
MANUAL, RUNBOOK = PAGE.split("\n# Runbook\n")
AGENTS = {name: {"class": "squad.audit.agents:Scanner"} for name in ("importer", "checker", "project_manager")}


def runbook() -> dict[str, str]:
    """Heading -> what is below it."""
    parts = re.split(r"^## (.*)$", RUNBOOK, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def typed(text: str) -> list[list[str]]:
    """The command lines of Squad in it, without ``squad``."""
    return [shlex.split(line)[1:] for line in re.findall(r"`(squad [^`]*)`", text)]


def yaml_blocks() -> Iterator[str]:
    yield from re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_there_is_a_part_for_each_rule_and_for_nothing_else() -> None:
    assert list(runbook()) == [*BUILT_IN, "Your own rules"]


@pytest.mark.parametrize("rule", BUILT_IN)
def test_a_part_begins_with_the_rules_command_and_every_step_has_one(rule: str) -> None:
    part = runbook()[rule]
    steps = re.findall(r"^\d\. .*(?:\n   .*)*", part, re.MULTILINE)
    assert any(f"`{BUILT_IN[rule].todo}" in step for step in steps[:2])
    assert typed(steps[-1]) or typed(steps[0])


@pytest.mark.parametrize("words", typed(PAGE), ids=" ".join)
def test_every_command_is_one(words: list[str]) -> None:
    """It parses: the command is there, with these options."""
    group: click.Command = cli
    words = [{"N": "4"}.get(word, word) for word in words if word != "ID…"]
    while isinstance(group, click.Group):
        name, *words = words
        found = group.get_command(click.Context(group), name)
        assert found is not None, name
        group = found
        if not words and isinstance(group, click.Group):
            return
    group.make_context("squad", list(words), resilient_parsing=False)


def test_the_examples_of_configuration_load() -> None:
    found: dict[str, Any] = {}
    for block in yaml_blocks():
        for key, value in yaml.safe_load(block)["alerts"].items():
            found[key] = {**found.get(key, {}), **value} if isinstance(value, dict) else value
    config = parse(yaml.safe_dump({"agents": AGENTS, "alerts": found}), name="squad.yaml", base_dir=Path())
    assert set(config.notifiers) == {"notify-desk", "notify-ops", "notify-mail"}


def test_the_check_of_a_signature_works_as_written() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is what the page tells to type
    body = b'{"type": "squad.alert"}'
    now = int(time.time())
    for secret, key in (("secret", b"secret"), (f"whsec_{base64.b64encode(b'key').decode()}", b"key")):
        made = signing.headers(signing.key_of(secret), "id", now, body)
        assert names["genuine"](key, made, body)
        assert not names["genuine"](key, made, body + b" ")
        old = signing.headers(signing.key_of(secret), "id", now - 3600, body)
        assert not names["genuine"](key, old, body)


def test_all_that_an_alert_has_is_named() -> None:
    named = MANUAL.partition("An alert has")[2].partition("\n\n")[0]
    assert {field for field in Alert.__dataclass_fields__ if f"`{field}`" not in named} == set()


def test_the_first_commands_work_as_written(tmp_path: Path) -> None:
    lines = re.findall(r"^```sh\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)[0].splitlines()
    with hello(tmp_path) as squad:
        for line in lines:
            squad.cli(*shlex.split(line)[1:])
