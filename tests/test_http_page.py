"""What docs/http.md and docs/security.md show works as written; the table of routes is that of the application."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from squad.config.credentials import token_misfit
from squad.config.load import parse
from tests.pages import hello
from tests.running import ROOT

HTTP = (ROOT / "docs/http.md").read_text()
SECURITY = (ROOT / "docs/security.md").read_text()
CURL, SHELL = shutil.which("curl"), shutil.which("sh")
AGENT = "agents:\n  a: {command: ['true'], handles: [x]}\ntypes: {x: {fields: {}}}\n"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(CURL is None, reason="there is no curl")
def test_every_curl_works_and_every_route_is_listed(tmp_path: Path) -> None:
    lines = [line for block in blocks(HTTP, "sh") for line in block.splitlines()]
    assert len(lines) == 8
    with hello(tmp_path) as squad:
        for line in lines:
            words = shlex.split(line)
            assert words[0] == "curl"
            done = subprocess.run(
                [CURL or "", "--fail", "--silent", "--show-error", *words[1:]],
                capture_output=True,
                text=True,
                cwd=tmp_path,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, (line, done.stderr)
            assert '"schema_version":1' in done.stdout, line
        described = squad.request("GET", "/v1/openapi.json")[1]["paths"]
    listed = re.findall(r"^\| `([A-Z]+) (\S+)` \|", HTTP, re.MULTILINE)
    assert sorted(listed) == sorted((method.upper(), path) for path, methods in described.items() for method in methods)


def test_every_piece_of_configuration_is_one() -> None:
    pieces = [yaml.safe_load(text) for page in (HTTP, SECURITY) for text in blocks(page, "yaml")]
    squads = [piece for piece in pieces if "scrape_configs" not in piece]
    assert len(squads) == 3
    for piece in squads:
        parse(AGENT + yaml.safe_dump(piece), name="squad.yaml", base_dir=ROOT)
    for piece in pieces:
        for job in piece.get("scrape_configs", ()):
            assert job.keys() <= {"job_name", "static_configs", "authorization"}


def test_the_token_that_the_page_makes_is_good() -> None:
    (line,) = [line for block in blocks(SECURITY, "sh") for line in block.splitlines() if line.startswith("export ")]
    made = subprocess.run(
        [SHELL or "", "-c", f'{line}; printf %s "$SQUAD_DASHBOARD_TOKEN"'], capture_output=True, text=True, check=True
    )
    assert token_misfit("X", made.stdout) == ""
