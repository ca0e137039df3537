"""What a squad needs of the system: open files and processes, and whether the system's limits leave room for it.

Looked at before anything is started, and before a reload that needs more. How many it takes was measured
(``tests/actors/test_limits.py``): supervisor and storage have two connections for each agent, one each way; an agent
has two threads, and one that runs commands two processes more.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from squad.config.schema import SquadConfig
from squad.errors import Problem, StartError

_SPARE_FILES = 256  # what any process has open beside, and clients of the gateway
_FILES_EACH = {"unix": 3, "insecure-tcp": 8}  # by transport: in the busiest process, for each process; one in reserve
_FILES_OF_A_READER = 3  # SQLite's, for each connection of the gateway's pool
_MOST_FILES = 65_536  # to which the limit is raised although less would do
_SPARE_TASKS = 64  # threads of the core, and of commands that look at the squad
_ENDLESS = resource.RLIM_INFINITY


class Needs(NamedTuple):
    processes: int  # the most that there may come to be
    files: int  # open ones, in the process that has most
    tasks: int  # processes and their threads together, as the kernel counts them


def needs_of(config: SquadConfig) -> Needs:
    """With all convoys as large as they may become."""
    core = 7 + config.timed + bool(config.exporters)  # launcher, warden, admin, supervisor, and three more
    workers = {name: config.convoys[name].max if name in config.convoys else 1 for name in config.recipients}
    agents = sum(workers.values())
    commands = sum(workers[name] for name, settings in config.recipients.items() if settings.command is not None)
    files = max(files_for(core + agents, config.runtime.transport), files_for(0, readers=config.store.pool.size))
    return Needs(core + agents, files, _SPARE_TASKS + 2 * (agents + commands))


def files_for(processes: int, transport: str = "unix", *, readers: int = 0) -> int:
    """How many open files the busiest of so many processes may need; ``readers``: its connections to the database."""
    return _SPARE_FILES + _FILES_EACH[transport] * processes + _FILES_OF_A_READER * readers


def require(config: SquadConfig, running: SquadConfig | None = None) -> None:
    """Raise StartError, which names each limit that is too low, what is needed, and what to type.

    ``running``: the squad that is there already and is to become ``config``.
    """
    needs = needs_of(config)
    problems = [*too_few_files(needs), *too_few_tasks(needs, needs_of(running).tasks if running is not None else 0)]
    if problems:
        raise StartError(
            f"{config.name} may come to have {needs.processes} processes, and the system does not allow that",
            problems=problems,
        )


def too_few_files(needs: Needs, pid: int = 0) -> Iterator[Problem]:
    """Where the limit of the process ``pid`` (0: this one) is too low: the hard one, since the launcher raises the
    other."""
    _soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    if hard != _ENDLESS and hard < needs.files:
        yield Problem(
            "open files",
            f"{hard} are allowed, and its {needs.processes} processes may need {needs.files}",
            f"ulimit -n {needs.files} before squad start, as root; for good, in /etc/security/limits.conf or with"
            f" systemd's LimitNOFILE={needs.files}",
        )


def too_few_tasks(needs: Needs, running: int = 0) -> Iterator[Problem]:
    """``running``: how many of them are there already."""
    more = needs.tasks - running
    if more <= 0:
        return
    for where, limit, used, todo in _task_limits():
        if limit - used < more:
            yield Problem(
                where,
                f"{limit} processes and threads are allowed and {used} are there; it may need {more} more",
                todo.format(used + more),
            )


def _task_limits() -> Iterator[tuple[str, int, int, str]]:
    """(its name, how many are allowed, how many there are, what to do) of each limit on processes and threads."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard != _ENDLESS and os.geteuid() != 0:  # root may have any number
        todo = "ulimit -u {0} before squad start, as root; for good, in /etc/security/limits.conf or LimitNPROC={0}"
        yield "processes of this user", hard, _own_tasks(), todo
    everybody = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    for key in ("pid_max", "threads-max"):
        yield f"kernel.{key}", int(Path(f"/proc/sys/kernel/{key}").read_text()), everybody, f"sysctl kernel.{key}={{0}}"
    for folder in _groups():
        with suppress(OSError, ValueError):  # the root of all groups has no limit; "max" is none
            limit, used = int((folder / "pids.max").read_text()), int((folder / "pids.current").read_text())
            yield f"{folder}/pids.max", limit, used, "pids.max={0} for this control group: systemd's TasksMax={0}"


def _own_tasks() -> int:
    """How many threads this user's processes have."""
    count = 0
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it ended
            if process.name.isdigit() and process.stat().st_uid == os.getuid():
                count += len(os.listdir(process / "task"))  # noqa: PTH208 - only counted
    return count


def _groups() -> Iterator[Path]:
    """The folders of the control groups whose limits on processes hold here, from the innermost one."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            if controllers in ("", "pids"):
                top = Path("/sys/fs/cgroup", controllers)
                own = top / path.lstrip("/")
                yield from [own, *(folder for folder in own.parents if folder.is_relative_to(top))]


def raise_soft() -> None:
    """Allow this process and its children as many open files and processes as the hard limits do."""
    for which, most in ((resource.RLIMIT_NOFILE, _MOST_FILES), (resource.RLIMIT_NPROC, _ENDLESS)):
        soft, hard = resource.getrlimit(which)
        aim = hard if most == _ENDLESS else most if hard == _ENDLESS else min(hard, most)
        if soft != _ENDLESS and (aim == _ENDLESS or soft < aim):
            resource.setrlimit(which, (aim, hard))
