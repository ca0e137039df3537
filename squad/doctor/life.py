"""The squad that runs in the home, what a killed one left, and the user's other squads."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from squad.client import Client
from squad.doctor.finding import Finding, fail, ok, warn
from squad.doctor.subject import Subject
from squad.errors import SquadError
from squad.home import Home
from squad.launcher import lock, processes
from squad.launcher.remains import counted

_PATIENCE = 2.0  # seconds for the squad's answer
_KEPT = "hand"  # in run/: the next start reads and removes it


def running(subject: Subject) -> Finding | None:
    launcher = subject.launcher
    if launcher is None:
        return ok("no squad runs here") if subject.exists else None
    if launcher.pid is None:
        return fail(
            f"a process holds {subject.home.path / lock.FILE} and is not a launcher",
            f"fuser {subject.home.path / lock.FILE} names it",
        )
    try:
        with Client(subject.home, timeout=_PATIENCE, patience=_PATIENCE) as squad:
            health = squad.health()
    except SquadError as error:
        return fail(f"{launcher.name} runs (process {launcher.pid}) and does not answer: {error.message}", error.hint)
    who = f"{launcher.name}, process {launcher.pid}, since {launcher.started_at}"
    if failed := health["failed"]:
        names = [entry["name"] for entry in failed]
        return warn(f"{who}; these do not work: {', '.join(names)}", f"squad inspect; then squad restart {names[0]}")
    if waiting := health["waiting_for"]:
        return warn(f"{who}; not ready yet: {', '.join(waiting)}", "squad inspect --watch")
    return ok(f"{who}, ready")


def leftover_processes(subject: Subject) -> Finding | None:
    if subject.launcher is not None or not subject.exists:
        return None
    left = processes.marked().get(subject.home.path, [])
    if not left:
        return ok("none")
    return fail(
        f"{counted(len(left))} of a squad that was killed here: {_listed(left)}", _stop(subject.home), fixable=True
    )


def leftover_files(subject: Subject) -> Finding | None:
    if subject.launcher is not None or not subject.exists:
        return None
    left = stale_files(subject.home)
    if not left:
        return ok("none")
    return warn(
        f"files of a squad that was killed here: {named(left)}", "the next squad start removes them", fixable=True
    )


def stale_files(home: Home) -> list[Path]:
    """What only a running squad needs, and the lock file when it still names a launcher. For when none runs."""
    control = {home.socket(), home.path / "control.sock", home.path / "control.path", home.path / "control.new"}
    run = home.path / "run"
    inside = [path for path in run.iterdir() if path.name != _KEPT] if run.is_dir() else []
    named = [home.path / lock.FILE] if lock.read(home.path) else []
    return [*(path for path in control if os.path.lexists(path)), *inside, *named]


def named(files: list[Path]) -> str:
    """``control.sock, launcher.lock, 11 in run/``"""
    inside = sum(path.parent.name == "run" for path in files)
    names = sorted(path.name for path in files if path.parent.name != "run")
    return ", ".join([*names, f"{inside} in run/"] if inside else names)


def squads(subject: Subject) -> Finding:
    """All squads of this user, by the marks of their processes."""
    running: list[str] = []
    dead: dict[Path, list[int]] = {}
    configs: Counter[str] = Counter()
    for path, pids in sorted(processes.marked().items()):
        launcher = Home(path).launcher()
        if launcher is not None:
            running.append(f"{launcher.name} in {path}")
            configs[launcher.config or ""] += 1
        elif path != subject.home.path:
            dead[path] = pids
    if dead:
        path, pids = next(iter(dead.items()))
        what = "; ".join(f"{counted(len(pids))} in {path}: {_listed(pids)}" for path, pids in dead.items())
        todo = _stop(Home(path)) if path.exists() else f"its home is gone: kill {' '.join(map(str, pids))}"
        return warn(f"left over from squads that were killed: {what}", todo)
    if twice := [config for config, count in configs.items() if config and count > 1]:
        return warn(f"several squads run {twice[0]}: {', '.join(running)}", "squad --home DIR stop ends one of them")
    return ok(", ".join(running) or "none of yours runs")


def _listed(pids: list[int]) -> str:
    most = 5
    more = f" and {len(pids) - most} more" if len(pids) > most else ""
    return f"{', '.join(map(str, sorted(pids)[:most]))}{more}"


def _stop(home: Home) -> str:
    return f"squad stop --home {home.path}"
