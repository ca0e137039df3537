"""``squad verify`` as it is seen. What it does is in tests/faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from squad.verify import Plan, Report
from squad.verify.ledger import Account
from squad.verify.recovery import Times
from squad.verify.steadiness import Growth, Use
from tests.cli.conftest import Run


def report(plan: Plan, *violations: str) -> Report:
    """One with everything in it."""
    return Report(
        plan,
        seconds=130.2,
        killed=Counter(worker=40, storage=7, admin=1),
        frozen=4,
        missed=1,
        starts=3,
        resent=12,
        account=Account(1000, 5000, 4990, 10, 20, 5100, 9),
        recovery={"agent": Times([0.2, 0.1, 0.3]), "storage": Times([0.5])},
        growth=[Growth("storage", Use(20, 2, 40_000_000), Use(21, 2, 41_000_000))],
        violations=list(violations),
    )


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Plan]:
    """The plans that were run, without running them. A seed of 13 fails."""
    found: list[Plan] = []

    def verify(plan: Plan, folder: Path, told: Callable[[str], None]) -> Report:
        found.append(plan)
        (folder / "work").mkdir()
        told("under attack")
        if plan.seed == 14:
            raise KeyboardInterrupt
        return report(plan, *(["lost: m1"] if plan.seed == 13 else []))

    monkeypatch.setattr("squad.verify.verify", verify)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return found


def folders(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("squad-verify-*"))


def test_a_verdict(run: Run, plans: list[Plan], tmp_path: Path) -> None:
    result = run("verify", "--seed", "7")
    assert result.exit_code == 0
    assert plans == [Plan(seed=7, seconds=120.0, kills=80, rounds=10)]
    assert "48: admin 1, storage 7, worker 40" in result.stdout
    assert "9 handlers ran to their end more than once, which is allowed" in result.stdout
    assert "an idle agent" in result.stdout
    assert "20 to 21" in result.stdout
    assert result.stderr.endswith("passed: nothing lost, nothing done twice, nothing left behind; in 2m 10s, seed 7\n")
    assert folders(tmp_path) == []


def test_a_failure_names_everything_and_keeps_the_folder(run: Run, plans: list[Plan], tmp_path: Path) -> None:
    result = run("verify", "--seed", "13")
    (folder,) = folders(tmp_path)
    assert result.exit_code == 1
    assert result.stderr.endswith(f"FAILED in 2m 10s, seed 13\n  lost: m1\neverything is in {folder}\n")


def test_the_options(run: Run, plans: list[Plan], tmp_path: Path) -> None:
    result = run("verify", "--minutes", "0.5", "--kills", "2000", "--keep", "-o", "json")
    assert plans == [Plan(seed=plans[0].seed, seconds=30.0, kills=2000, rounds=100)]
    document = json.loads(result.stdout)
    assert (document["verdict"], document["seed"]) == ("passed", plans[0].seed)
    assert [document["folder"]] == [str(folder) for folder in folders(tmp_path)]
    for wrong in (("--minutes", "0"), ("--kills", "0"), ("--seed", "x")):
        assert run("verify", *wrong).exit_code == 2


def test_an_interruption_removes_the_folder(run: Run, plans: list[Plan], tmp_path: Path) -> None:
    assert run("verify", "--seed", "14").exit_code == 130
    assert folders(tmp_path) == []
