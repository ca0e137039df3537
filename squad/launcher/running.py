"""The launcher's life: start the actor tree, watch it, start it again when it dies, end it when told to.

It has one thread, as it forks. It waits for signals, for the end of one of the tree's two roots, and for news in
the logs, and now and then looks whether the supervisor stands still.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import TYPE_CHECKING

from setproctitle import setproctitle

from squad.actors import accepted, limits, logs
from squad.durations import format_duration
from squad.errors import SquadError
from squad.home import Home, created, find
from squad.launcher import account, processes, remains
from squad.launcher.lock import LauncherLock
from squad.launcher.plan import Plan
from squad.launcher.printed import Printed
from squad.launcher.program import output, say
from squad.launcher.roots import Roots
from squad.launcher.service import Service
from squad.launcher.signals import Interrupted, Signals
from squad.launcher.stream import Stream
from squad.launcher.vigil import Vigil
from squad.launcher.warden import Warden
from squad.store.times import iso

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig

_FIRST_PAUSE = 0.2  # seconds before a tree that died is started again; doubles up to the longest
_LONGEST_PAUSE = 10.0
_HEALTHY = 60.0  # seconds of life after which the next pause is the first again
_BEYOND_GRACE = 4.0  # seconds more than handlers are given, for the rest of the tree to end in order
_AT_ONCE = 2.0  # seconds for a tree that is told to stop at once
_CLOSING = 10.0  # seconds more for the rest: what is said to whoever waits for the end
_LAST_WORDS = 1.0  # seconds for a slow terminal to take the end of the logs


class Launcher:
    """One squad, until it is told to stop. For the main thread of a process of its own, and to be run once."""

    def __init__(self, plan: Plan, held: LauncherLock) -> None:
        self._plan = plan
        self._held = held
        self._home = Home(plan.home)
        self._log = logs.logger("launcher")
        self._started_at = iso(time.time())
        self._stops = 0  # how often a stop was asked for; twice: at once
        self._end_by: float | None = None  # monotonic; a tree that is still there is killed then
        self._roots: Roots | None = None
        self._warden: Warden | None = None
        self._stream: Stream | None = None
        self._printed: Printed | None = None
        self._service = Service(self._home, os.environ)

    def run(self) -> int:
        """The exit status: 0 once it has stopped because it was told to. Raises StartError if it never got to run."""
        self._signals = Signals()
        setproctitle(f"squad: launcher of {self._plan.config.name}")
        processes.adopt_orphans()
        accepted.forget(self._plan.home)
        self._write_lock()
        self._home.last_stop.unlink(missing_ok=True)
        logs.configure(self._plan.home, "launcher", self._plan.config.logging)
        if not self._plan.detached:
            self._greet()
            self._stream = Stream(self._home.logs)
        else:
            self._printed = Printed(output(self._plan.home), self._plan.config.logging.max_size)
        limits.raise_soft()
        try:
            self._live()
        finally:
            self._leave()
        return 0

    def _write_lock(self) -> None:
        self._held.write(
            {
                "pid": os.getpid(),
                "created": created(os.getpid()),
                "config": str(self._plan.config.source or ""),
                "name": self._plan.config.name,
                "started_at": self._started_at,
                "shutdown": self._grace(),
                "stopping": self._stops > 0,
            }
        )

    def _config(self) -> SquadConfig:
        """The configuration that the squad runs with now."""
        reloaded = accepted.kept(self._plan.home)
        return self._plan.config if reloaded is None else reloaded[0]

    def _grace(self) -> float:
        """Seconds that the squad may take to stop in good order."""
        return self._config().longest_shutdown

    def _greet(self) -> None:
        config, home = self._plan.config, self._plan.home
        parts = [(len(config.agents), "agent"), (len(config.convoys), "convoy")]
        count = " and ".join(f"{number} {what}{'s' if number > 1 else ''}" for number, what in parts if number)
        say(f"{config.name}: {count}, from {config.source}")
        try:
            found = find().path == home
        except SquadError:
            found = False
        say(f"its home is {home}; to look at it: squad inspect{'' if found else f' --home {home}'}")
        say("Ctrl-C stops it when running handlers are done, a second Ctrl-C at once")

    # -- life -------------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        generation, pause = 0, _FIRST_PAUSE
        while True:
            generation += 1
            began = time.monotonic()
            died = self._start(generation) or self._watch()
            if self._stops:
                return
            self._service.starting_again()
            self._end_tree()
            if time.monotonic() - began > _HEALTHY:
                pause = _FIRST_PAUSE
            self._log.error("%s: starting everything again in %s", died, format_duration(pause))
            if not self._rest(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _start(self, generation: int) -> str:
        """Start a tree. What went wrong, or an empty string. Raises SquadError, OSError when it is the first."""
        try:
            try:
                self._signals.cut_short(True)
                self._warden = Warden(self._plan.home, self._held)
                self._roots = Roots(self._plan, generation)
            finally:
                self._signals.cut_short(False)
        except Interrupted:
            self._heed_signals()
            return "interrupted"
        except (SquadError, OSError) as error:  # no descriptor, or a disk that is read-only for a while
            if generation == 1:
                raise
            return str(error)
        return ""

    def _watch(self) -> str:
        """Until a root ends or is stuck: which. When a stop is asked for, that is what it is told, by a time limit."""
        assert self._roots is not None  # noqa: S101 - it was started
        vigil = Vigil(self._roots.supervisor_pid, time.monotonic())
        hung_after = self._config().supervision.health.hung_after
        while True:
            self._wait((vigil.due if self._end_by is None else self._end_by) - time.monotonic())
            if ended := self._roots.ended():
                return f"{ended} has ended"
            now = time.monotonic()
            if self._end_by is not None:
                if now >= self._end_by:
                    self._log.warning("not everything stopped in time: ending it")
                    return "killed"
            elif now >= vigil.due and (still := vigil.look(now, hung_after)):
                return f"the supervisor has stood still for {still:.0f} s"

    def _rest(self, seconds: float) -> bool:
        """Let ``seconds`` pass; False when a stop was asked for meanwhile."""
        until = time.monotonic() + seconds
        while not self._stops and (left := until - time.monotonic()) > 0:
            self._wait(left)
        return not self._stops

    def _wait(self, limit: float | None) -> None:
        """For something to happen, for ``limit`` seconds at most (None: for ever); and heed it."""
        poll = select.poll()
        poll.register(self._signals.descriptor, select.POLLIN)
        for handle in self._roots.handles if self._roots is not None else ():
            poll.register(handle, select.POLLIN)
        limits = [] if limit is None else [limit]
        if self._stream is not None:
            limits += [] if self._stream.due is None else [self._stream.due - time.monotonic()]
            for descriptor, events in self._stream.awaits():
                poll.register(descriptor, events)
        if self._printed is not None:
            limits.append(self._printed.due - time.monotonic())
        if self._service.descriptor is not None:
            poll.register(self._service.descriptor, select.POLLIN)
        if self._service.due is not None:
            limits.append(self._service.due - time.monotonic())
        poll.poll(max(0.0, min(limits)) * 1000 if limits else None)
        self._heed_signals()
        self._service.attend()
        if self._printed is not None:
            self._printed.attend()
        if self._stream is not None:
            self._stream.attend()

    # -- the end ----------------------------------------------------------------------------------------------------

    def _heed_signals(self) -> None:
        for number in self._signals.take():
            if number == signal.SIGCHLD:
                processes.collect()
                if self._warden is not None and self._warden.ended() and not self._stops:
                    self._warden.dismiss()
                    self._warden = Warden(self._plan.home, self._held)
            else:
                self._stop(signal.Signals(number))

    def _stop(self, number: signal.Signals) -> None:
        """The first asks the tree to finish, a second one, or SIGQUIT, to end at once; a third does not ask."""
        before = self._stops
        self._stops += 2 if number == signal.SIGQUIT else 1
        now = time.monotonic()
        if self._stops == 1:
            grace = self._grace()
            self._log.info("stopping (%s): running handlers have %s", number.name, format_duration(grace))
            self._end_by = now + grace + _BEYOND_GRACE
        else:
            self._log.info("stopping at once (%s)", number.name)
            grace, self._end_by = 0.0, min(self._end_by or now + _AT_ONCE, now + _AT_ONCE)
        self._service.stopping(self._end_by - now + _CLOSING)
        with contextlib.suppress(OSError):  # a full disk does not keep it from stopping
            self._write_lock()
        if self._roots is None:
            return
        if before >= 2 or not self._roots.stop(grace):
            self._end_by = now

    def _leave(self) -> None:
        """Leave nothing behind, whatever happened, and say how it ended."""
        self._signals.stop_listening()
        self._end_tree()
        if self._stops and account.read(self._plan.home) is None:
            with contextlib.suppress(OSError):
                account.write_for_the_killed(self._plan.home)
        if self._stream is not None:
            self._stream.finish(_LAST_WORDS)
        told = account.read(self._plan.home)
        if self._stops and told is not None:
            say(told.sentence())
        self._held.release()

    def _end_tree(self) -> None:
        """End what is left of the tree, and what its agents started and left running."""
        roots, self._roots = self._roots, None
        try:
            if self._warden is not None:
                self._warden.dismiss()
                self._warden = None
            if roots is not None:
                roots.close()
            ended = remains.clear(self._plan.home)
        except (SquadError, OSError) as error:
            self._log.error("%s", error)
        else:
            if roots is not None and ended and self._stops:
                self._log.info("ended what agents had left running (%s)", remains.counted(ended))
