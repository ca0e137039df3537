"""The trial: audit a tree of Python source with a real squad, with or without kills, and compare with a plain loop.

    python -m tests.audit.trial                                # the standard library of this interpreter
    python -m tests.audit.trial --path /usr/share --kills 20 --seed 7

It starts the default squad in a temporary home, sends ``scan`` as a user does, and kills processes along the way at
points spread over the work. Exit status 0: every total is exact and nothing was lost or done twice in the store.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from squad.audit import totals
from squad.audit.find import Pattern, find_files
from squad.audit.measure import measure_file
from tests.running import RunningSquad, eventually

CORE = (
    "reporter",
    "storage",
    "monitor",
    "gateway",
    "supervisor",
)  # each is killed once; every other kill hits a worker


@dataclass
class Trial:
    """What came of it. ``differences`` says in sentences what was not exact; times are in seconds."""

    files: int = 0
    loop_seconds: float = 0.0
    squad_seconds: float = 0.0
    killed: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rates = [f"{s:6.1f} s  {self.files / s:6.0f} files/s" for s in (self.loop_seconds, self.squad_seconds)]
        lines = [f"files        {self.files}", f"plain loop   {rates[0]}", f"squad        {rates[1]}"]
        lines += [f"killed       {len(self.killed)}: {', '.join(self.killed) or 'nothing'}"]
        lines += ["exact        " + ("yes" if not self.differences else "NO")]
        return "\n".join(lines + [f"  {difference}" for difference in self.differences])


def plain_loop(path: Path, skip: tuple[str, ...]) -> dict[str, Any]:
    """The totals of the same files, by one process that does nothing else."""
    result = totals.empty()
    for name in find_files(path, Pattern("**/*.py"), skip).files:
        totals.add(result, measure_file(name))
    return result


def run(squad: RunningSquad, path: Path, *, skip: tuple[str, ...] = (), kills: int = 0, seed: int = 0) -> Trial:
    """The trial on a squad that runs and has done nothing yet. Raises AssertionError if the scan does not end well."""
    trial = Trial()
    started = time.perf_counter()
    expected = plain_loop(path, skip)
    trial.loop_seconds = time.perf_counter() - started
    trial.files = expected["files"]

    ended = threading.Event()
    data = json.dumps({"path": str(path), "skip": list(skip)})
    outcome: list[subprocess.CompletedProcess[str]] = []

    def scan() -> None:
        try:
            arguments = ("send", "scanner", "scan", "--data", data, "--wait-tree", "--timeout", "10m")
            outcome.append(squad.cli(*arguments, status=None, timeout=660))
        finally:
            ended.set()

    started = time.perf_counter()
    sender = threading.Thread(target=scan)
    sender.start()
    try:
        _kill_along_the_way(squad, trial, ended.is_set, kills, random.Random(seed))  # noqa: S311 - to be repeatable
    finally:
        sender.join()
    trial.squad_seconds = time.perf_counter() - started
    [sent] = outcome
    assert sent.returncode == 0, f"squad send: exit {sent.returncode}\n{sent.stdout}\n{sent.stderr}\n{squad.counts()}"

    summary = squad.send("reporter", "summarize")
    squad.wait(summary)
    answer = json.loads(squad.task(summary)["result"])
    del answer["reports"]
    trial.differences = _differences(answer, expected) + _in_the_store(squad, trial.files)
    return trial


def _kill_along_the_way(
    squad: RunningSquad, trial: Trial, ended: Callable[[], bool], kills: int, chance: random.Random
) -> None:
    """Kill one process after each further share of the work, so that the kills meet all of it."""
    targets = [*CORE[:kills], *["checker"] * (kills - len(CORE))]
    chance.shuffle(targets)
    for number, target in enumerate(targets, 1):
        if _kill_after(squad, target, trial.files * number // (kills + 1), ended, chance):
            trial.killed.append(target)


def _kill_after(
    squad: RunningSquad, target: str, reports: int, ended: Callable[[], bool], chance: random.Random
) -> bool:
    """Kill it once so many reports are in. False when the work was done before: that would be no trial."""

    def hit() -> bool:
        pids = squad.pids(target)
        return bool(pids) and squad.signal(chance.choice(pids), signal.SIGKILL)

    eventually(lambda: ended() or _reports(squad) >= reports, f"{reports} reports", 300)
    if ended():
        return False
    eventually(hit, f"a process of {target}", 60)
    return True


def _reports(squad: RunningSquad) -> int:
    try:
        return squad.counts().get(("file_report", "completed"), 0)
    except sqlite3.OperationalError:
        return 0  # storage is starting again


def _differences(answer: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    names = sorted(answer.keys() | expected.keys())
    wrong = [name for name in names if answer.get(name) != expected.get(name)]
    return [f"{name}: the squad says {answer.get(name)}, the loop {expected.get(name)}" for name in wrong]


def _in_the_store(squad: RunningSquad, files: int) -> list[str]:
    """Each file has one completed check, which has one completed report, and there is nothing else."""
    found = []
    expected = {("scan", "completed"): 1, ("check_file", "completed"): files, ("file_report", "completed"): files}
    counts = squad.counts()
    counts.pop(("summarize", "completed"))
    if counts != expected:
        found.append(f"messages in the store: {counts}, expected {expected}")
    sql = "SELECT count(DISTINCT json_extract(payload, '$.path')), count(DISTINCT parent_id) FROM tasks WHERE type = ?"
    if tuple(squad.query(sql, "check_file")[0]) != (files, 1):
        found.append("a file was checked under two messages")
    if tuple(squad.query(sql, "file_report")[0]) != (files, files):
        found.append("a file or a check has two reports")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Audit a tree with a real squad, and compare with a plain loop.")
    parser.add_argument(
        "--path", type=Path, default=Path(sysconfig.get_path("stdlib")), help="default: standard library"
    )
    parser.add_argument("--skip", nargs="*", default=["site-packages", "dist-packages"], help="folders not entered")
    parser.add_argument("--kills", type=int, default=0, help="processes killed along the way (default: 0)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="squad-trial-") as folder, RunningSquad(Path(folder) / "home") as squad:
        trial = run(squad, options.path.resolve(), skip=tuple(options.skip), kills=options.kills, seed=options.seed)
    print(trial)
    return 1 if trial.differences else 0


if __name__ == "__main__":
    sys.exit(main())
