"""What docs/deployment.md says of the unit file, the image and the compose file is what they are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from squad.cli.app import cli
from squad.service import Unit
from tests.running import ROOT, eventually

PAGE = (ROOT / "docs/deployment.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())


DOCKER = shutil.which("docker")


def engine() -> bool:
    """Whether a Docker engine is at hand, not only its client."""
    return DOCKER is not None and subprocess.run([DOCKER, "info"], capture_output=True, check=False).returncode == 0


def test_the_unit_has_the_settings_of_the_table(tmp_path: Path) -> None:
    unit = Unit("audit", Path("/usr/bin/python3"), tmp_path / "squad.yaml", tmp_path / ".squad", 30.0).text()
    named = re.findall(r"^\| `(\w+)(?:=([^`]*))?` \|", PAGE, re.MULTILINE)
    assert len(named) >= 6
    for name, value in named:
        found = re.search(rf"^{name}=(.*)$", unit, re.MULTILINE)
        assert found, name
        assert value in ("", found[1])


def test_the_options_of_its_commands_exist() -> None:
    for line in re.findall(r"squad (service \w+.*)$", PAGE, re.MULTILINE):
        words = re.sub(r"`.*", "", line).split()
        service = cli.get_command(click.Context(cli), words[0])
        assert isinstance(service, click.Group)
        command = service.get_command(click.Context(service), words[1])
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_image_runs_the_squad_itself_as_nobody_special() -> None:
    instructions = [line.split(None, 1) for line in DOCKERFILE.splitlines() if line and not line.startswith(("#", " "))]
    last = dict(instruction for instruction in instructions if len(instruction) == 2)
    assert json.loads(last["ENTRYPOINT"]) == ["squad"]
    assert json.loads(last["CMD"]) == ["start"]
    assert json.loads(last["HEALTHCHECK"].partition(" CMD ")[2]) == ["squad", "status"]
    assert last["USER"] == "10001"
    assert "user 10001" in PAGE
    assert json.loads(last["VOLUME"]) == ["/var/lib/squad"]
    copied = {words[1].split()[0] for words in instructions if words[0] == "COPY" and " ./" not in words[1]}
    assert copied == {"squad", "actors", "store", "config"}


def test_the_compose_file_keeps_the_home_and_gives_a_stop_its_time() -> None:
    (service,) = COMPOSE["services"].values()
    assert "home:/var/lib/squad" in service["volumes"]
    assert "./deploy:/srv/squad:ro" in service["volumes"]
    assert "home" in COMPOSE["volumes"]
    assert service["stop_grace_period"] == "60s"
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.skipif(not engine(), reason="there is no Docker engine here")
def test_the_image_is_built_and_its_squad_is_well(tmp_path: Path) -> None:
    def docker(*words: str) -> str:
        done = subprocess.run([str(DOCKER), *words], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    docker("build", "--quiet", "--tag", "squad-under-test", ".")
    container = docker("run", "--detach", "--rm", "--read-only", "--tmpfs", "/tmp", "squad-under-test")
    try:
        assert docker("exec", container, "id", "-u") == "10001"
        eventually(
            lambda: json.loads(docker("exec", container, "squad", "status", "-o", "json"))["ready"], "ready", 90.0
        )
    finally:
        docker("stop", "--time", "60", container)
