from __future__ import annotations

import json
from pathlib import Path

from squad.errors import Exit
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway

PLAN = {"done": True, "start": ["new"], "stop": [], "restart": [{"name": "a", "reason": "timeout changed"}]}
PLAN |= {"resize": [{"name": "pool", "min": 1, "max": 9}], "change": ["b: retry"]}
NOTHING = {"done": True, "start": [], "stop": [], "restart": [], "resize": [], "change": []}


def test_what_is_done_is_shown_a_line_each(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST /v1/reload", (200, PLAN))
    result = run("reload")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "start    new",
        "restart  a: timeout changed",
        "resize   pool: 1 to 9 workers",
        "change   b: retry",
    ]


def test_a_dry_run_says_so_and_names_the_file(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    asked = []

    def answer(request):  # type: ignore[no-untyped-def]
        asked.append(request.json)
        return (200, PLAN | {"done": False})

    gateway.on("POST /v1/reload", answer)
    result = run("reload", "--dry-run", "--config", str(tmp_path / "other.yaml"))
    assert asked == [{"dry_run": True, "path": str(tmp_path / "other.yaml")}]
    assert "nothing was done yet" in result.stderr


def test_nothing_changed(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST /v1/reload", (200, NOTHING))
    assert run("reload").stdout == "nothing changed\n"


def test_mistakes_end_with_the_status_of_a_bad_configuration(run: Run, gateway: FakeGateway) -> None:
    problems = [{"where": "squad.yaml:3", "what": "unknown key 'clas'", "hint": "did you mean 'class'?"}]
    error = {"message": "squad.yaml has 1 mistake", "hint": "squad config check", "exit": 4, "problems": problems}
    gateway.on("POST /v1/reload", (422, {"error": error}))
    result = run("reload")
    assert result.exit_code == Exit.CONFIG
    assert "squad.yaml:3: unknown key 'clas'" in result.stderr
    assert json.loads(run("reload", "-o", "json").stdout or "{}") in ({}, {"error": error})
