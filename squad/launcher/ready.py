"""Starting in the background: waiting until every agent is ready, or saying which are not."""

from __future__ import annotations

import os
import time
from typing import Any

from squad.client import Client
from squad.endings import interrupted_by_signals
from squad.errors import NotRunningError, Problem, SquadError, StartError, WaitTimeoutError
from squad.home import Home
from squad.launcher import program
from squad.launcher.lock import LauncherLock
from squad.launcher.plan import Plan
from squad.launcher.stopping import stop

_LIMIT = 60.0  # seconds from the start until every agent must be ready
_POLL = 0.05  # seconds between two looks
_NEWS = 1.0  # seconds between two lines of progress
_NAMED = 5  # agents named in a line of progress
_TAIL = 20  # lines of the launcher's output in an error


def start_in_background(plan: Plan, held: LauncherLock) -> int:
    """Start the launcher and return 0 when all its agents are ready; the lock is handed over to it.

    When that is not so after a minute, or an agent cannot start, or this is interrupted, the squad is stopped
    again, so that a failed start leaves nothing. Raises StartError, which names the agents and their errors.
    """
    with interrupted_by_signals():
        pid = program.spawn(plan, held)
        held.abandon()
        try:
            health = _wait(plan, pid, time.monotonic() + _LIMIT)
        except BaseException:
            _undo(plan)
            raise
    program.say(f"{health['squad']} runs in the background: process {pid}, home {plan.home}")
    program.say("squad inspect shows it, squad stop ends it")
    if health["frozen"]:
        program.say(f"THE SQUAD IS FROZEN since {health['frozen']['since']}: nothing is handled until squad thaw")
    return 0


def _wait(plan: Plan, pid: int, deadline: float) -> dict[str, Any]:
    """The health of the squad once it is ready."""
    began, told, shown = time.monotonic(), 0.0, ""
    health: dict[str, Any] = {}
    with Client(Home(plan.home), timeout=5.0, patience=0.0) as client:
        while True:
            _must_live(plan, pid)
            try:
                health = client.health()
            except (NotRunningError, WaitTimeoutError):  # the gateway does not answer yet
                health = {**health, "ready": False}
            if health["ready"]:
                return health
            waiting, failed = health.get("waiting_for", []), health.get("failed", [])
            now = time.monotonic()
            if now > deadline or (failed and not waiting):
                raise _not_ready(plan, health, now - began)
            text = _progress(waiting)
            if text != shown and now - told > _NEWS:
                program.say(text)
                told, shown = now, text
            time.sleep(_POLL)


def _must_live(plan: Plan, pid: int) -> None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        return
    code = os.waitstatus_to_exitcode(status)
    how = f"with exit status {code}" if code >= 0 else f"by signal {-code}"
    path = program.output(plan.home)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]
    raise StartError(
        f"the squad ended while it was starting, {how}",
        hint=f"its logs are in {path.parent}",
        problems=[Problem("", line) for line in lines],
    )


def _progress(waiting: list[str]) -> str:
    if not waiting:
        return "starting"
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    return f"waiting for {', '.join(waiting[:_NAMED])}{more}"


def _not_ready(plan: Plan, health: dict[str, Any], seconds: float) -> StartError:
    problems = [Problem(item["name"], item["error"] or "failed") for item in health.get("failed", ())]
    problems += [Problem(name, "is not ready") for name in health.get("waiting_for", ())]
    if not problems:
        problems = [Problem("gateway", "does not answer")]
    return StartError(
        f"not every agent was ready after {seconds:.0f} s; the squad has been stopped again",
        hint=f"its logs are in {Home(plan.home).logs}; squad start without --detach shows them as they come",
        problems=problems,
    )


def _undo(plan: Plan) -> None:
    try:
        stop(plan.home, force=True)
    except NotRunningError:
        return
    except SquadError as error:
        program.say(f"the squad could not be stopped again: {error}")
