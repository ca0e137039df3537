"""A real squad for a test: started as a user starts it, watched from outside, and gone afterwards.

    with RunningSquad(tmp_path / "home", config) as squad:
        task = squad.send("scanner", "scan", {"path": "/tmp"})
        squad.wait(task)
        assert squad.task(task)["status"] == "completed"

It knows of the squad only what is public: the command line, HTTP over the control socket, the ``tasks`` table, and the
processes. Leaving the ``with`` block stops the squad and fails if any process of it is left.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")
_POLL = 0.02  # seconds between two looks at a condition


def eventually(condition: Callable[[], T], what: str, timeout: float = 60.0) -> T:
    """The first true value of ``condition()``; after ``timeout`` s an AssertionError saying ``what`` did not come."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what} (last value: {value!r})")
        time.sleep(_POLL)


class RunningSquad:
    """One squad in ``home``; ``config`` is its file, or None for the default squad. Times are in seconds."""

    def __init__(self, home: Path, config: Path | None = None, *, env: dict[str, str] | None = None) -> None:
        self.home = home
        self.config = config
        self._tag = secrets.token_hex(8)
        self._env = {k: v for k, v in os.environ.items() if k not in ("SQUAD_HOME", "SQUAD_MARK")}
        self._env |= {"SQUAD_HOME": str(home), "SQUAD_TEST": self._tag, "PYTHONPATH": str(ROOT)} | (env or {})
        self._output = home.parent / f"{home.name}.out"
        self._launcher: subprocess.Popen[bytes] | None = None

    # -- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end_everything()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if self.running:
                self.stop()
            if kind is None:
                self.assert_nothing_left()
        finally:
            self.end_everything()

    def start(self, timeout: float = 120.0) -> None:
        """Start in the foreground, in a session of its own, and wait until every agent is ready."""
        command = [sys.executable, "-m", "squad.cli", "start"]
        command += ["--config", str(self.config)] if self.config else []
        with self._output.open("ab") as out:
            self._launcher = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self.home.parent,
                start_new_session=True,
            )
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 120.0) -> None:
        last: dict[str, Any] = {}

        def ready() -> bool:
            if not self.running:
                raise AssertionError(
                    f"the launcher ended with status {self.launcher.returncode}:\n{self.output()[-4000:]}"
                )
            last.update(self.health() or {})
            return bool(last.get("ready"))

        try:
            eventually(ready, "ready", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; health: {last}\n{self.output()[-4000:]}") from None

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 60.0) -> int:
        """Ask the launcher to stop, and wait: its exit status."""
        self.launcher.send_signal(sig)
        return self.wait_stopped(timeout)

    def wait_stopped(self, timeout: float = 60.0) -> int:
        try:
            return self.launcher.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still there {timeout:g} s after it was told to stop: {self.processes()}\n{self.output()[-4000:]}"
            ) from None

    @property
    def launcher(self) -> subprocess.Popen[bytes]:
        assert self._launcher is not None, "the squad was not started"
        return self._launcher

    @property
    def running(self) -> bool:
        return self._launcher is not None and self._launcher.poll() is None

    def output(self) -> str:
        """What the launcher wrote to its terminal so far."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    # -- its processes --------------------------------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Every live process of this squad, {pid: command line}: by session, and by the mark in the environment."""
        session = self._launcher.pid if self._launcher else -1
        marks = (f"SQUAD_TEST={self._tag}".encode(), f"SQUAD_MARK={self.home}:".encode())
        return {pid: title for pid, title in _live() if _session(pid) == session or _has_any(pid, marks)}

    def ports(self) -> set[int]:
        """TCP ports on which its processes listen, and UDP ports that they have."""
        inodes = set()
        for pid in self.processes():
            with contextlib.suppress(OSError):  # it has ended meanwhile, or closed a file
                for file in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        inodes.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
        found = set()
        for table, states in (("tcp", ("0A",)), ("tcp6", ("0A",)), ("udp", ("07", "01")), ("udp6", ("07", "01"))):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] in states and fields[9] in inodes:
                    found.add(int(fields[1].rpartition(":")[2], 16))
        return found

    def assert_nothing_left(self, timeout: float = 60.0) -> None:
        eventually(lambda: not self.processes(), f"no process left of {self.home}: {self.processes()}", timeout)

    def end_everything(self) -> None:
        """Kill what is left, by pid, until nothing is."""
        while left := self.processes():
            for pid in left:
                _kill(pid, signal.SIGKILL)
            if self._launcher is not None and self._launcher.pid in left:
                self._launcher.wait(60)
            time.sleep(_POLL)

    def pids(self, name: str) -> list[int]:
        """The process of ``name``, or of every worker of the convoy ``name``; those which have none left out."""
        rows = self.tree().values()
        found = [row for row in rows if row["name"] == name or (row["parent"] == name and row["kind"] == "worker")]
        return [row["pid"] for row in found if row["pid"] and row["kind"] != "convoy"]

    def kill(self, name: str, sig: signal.Signals = signal.SIGKILL, timeout: float = 60.0) -> int:
        """Send a signal to the process of ``name`` (of a convoy: its first worker). Its pid."""

        def hit() -> int | None:
            return next((pid for pid in self.pids(name) if self.signal(pid, sig)), None)

        return eventually(hit, f"a process of {name}", timeout) or 0

    def signal(self, pid: int, sig: signal.Signals) -> bool:
        """Signal one process of this squad; False if it has ended already."""
        return pid in self.processes() and _kill(pid, sig)

    def wardens(self) -> list[int]:
        """Those that have got as far as to call themselves so."""
        return [pid for pid, title in self.processes().items() if title == "squad: warden"]

    def stop_the_launcher_and_kill_the_warden(self) -> None:
        """So that nobody ends what the agents started, once the launcher, which is only stopped yet, is killed."""
        (warden,) = eventually(self.wardens, "a warden")
        self.launcher.send_signal(signal.SIGSTOP)  # or it starts another
        eventually(lambda: _state(self.launcher.pid) == "T", "the launcher stands still")
        self.signal(warden, signal.SIGKILL)
        eventually(lambda: not self.wardens(), "no warden")

    # -- HTTP -----------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: Any = None, timeout: float = 40.0) -> tuple[int, dict[str, Any]]:
        """(status, document) of one request; ``body`` goes as JSON, text as JSON lines. OSError if nobody answers."""
        kind = "application/x-ndjson" if isinstance(body, str) else "application/json"
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
        with closing(_UnixConnection(self.home, timeout)) as connection:
            connection.request(method, path, data, {"Content-Type": kind} if data else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def text(self, method: str, path: str, timeout: float = 40.0) -> str:
        """The text that a request is answered with. OSError if nobody answers."""
        with closing(_UnixConnection(self.home, timeout)) as connection:
            connection.request(method, path)
            return connection.getresponse().read().decode()

    def health(self) -> dict[str, Any] | None:
        """The health document, or None when nobody answers."""
        try:
            return self.request("GET", "/v1/health", timeout=20)[1]
        except (OSError, http.client.HTTPException):
            return None

    def tree(self) -> dict[str, dict[str, Any]]:
        """The actor tree by name, {} when nobody answers. A supervisor that the machine holds up is asked again."""
        for _ in range(5):
            try:
                status, document = self.request("GET", "/v1/tree", timeout=20)
            except (OSError, http.client.HTTPException):
                return {}
            if status == 200 and document["live"]:
                break
        return {row["name"]: row for row in document["actors"]} if status == 200 else {}

    def send(self, recipient: str, kind: str, payload: dict[str, Any] | None = None, **fields: Any) -> str:
        """Send one message, and return its id. AssertionError when it is refused."""
        body = {"recipient": recipient, "type": kind, "payload": payload or {}, **fields}
        status, document = self.request("POST", "/v1/messages", body)
        assert status == 201, f"refused with {status}: {document}"
        return str(document["id"])

    def send_batch(self, messages: Sequence[dict[str, Any]]) -> list[str]:
        text = "\n".join(json.dumps(message) for message in messages)
        status, document = self.request("POST", "/v1/messages/batch", text)
        assert status == 201, f"refused with {status}: {document}"
        return list(document["ids"])

    def wait(self, task: str, *, tree: bool = False, timeout: float = 120.0) -> None:
        """Until the message (with ``tree``: and all that came of it) has ended; lives through a gateway's restart."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            path = f"/v1/messages/{task}/wait?tree={int(tree)}&timeout={min(left, 20):.1f}"
            try:
                status, document = self.request("GET", path, timeout=30)
            except (OSError, http.client.HTTPException):
                time.sleep(_POLL)
                continue
            if status == 200 and document["done"]:
                return
            assert status in (200, 503), f"{status}: {document}"
        raise AssertionError(f"message {task} has not ended after {timeout:g} s: {self.counts()}")

    # -- the command line and the database ------------------------------------------------------------------------

    def cli(
        self, *arguments: str, status: int | None = 0, stdin: str = "", timeout: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """``squad ARGUMENTS`` for this home; fails unless it exits with ``status`` (None: any)."""
        done = subprocess.run(
            [sys.executable, "-m", "squad.cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self._env,
            cwd=self.home.parent,
            timeout=timeout,
            check=False,
        )
        if status is not None:
            assert done.returncode == status, f"exit {done.returncode}, not {status}:\n{done.stdout}\n{done.stderr}"
        return done

    def query(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Rows of a reading statement on the squad's database, running or not."""
        with closing(sqlite3.connect(f"file:{self.home}/squad.db?mode=ro", uri=True, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(sql, parameters).fetchall()

    def task(self, task: str) -> sqlite3.Row:
        return self.query("SELECT * FROM tasks WHERE task_id = ?", task)[0]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many messages of each (type, status)."""
        rows = self.query("SELECT type, status, count(*) FROM tasks GROUP BY type, status")
        return {(row[0], row[1]): row[2] for row in rows}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a squad's control socket."""

    def __init__(self, home: Path, timeout: float) -> None:
        super().__init__("squad", timeout=timeout)
        self._home = home

    def connect(self) -> None:
        pointer = self._home / "control.path"  # there when the home's own path is too long for a socket
        path = pointer.read_text().strip() if pointer.exists() else str(self._home / "control.sock")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise


def _live() -> Iterator[tuple[int, str]]:
    """(pid, command line) of every process of this user that is not a zombie."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid != os.getuid():
                continue
            state = _state(int(entry.name))
            title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it ended while we looked
        if state not in "ZX":
            yield int(entry.name), title


def _state(pid: int) -> str:
    """As ``ps`` shows it: ``S`` it sleeps, ``T`` it was stopped, ``Z`` it has ended. OSError when it is gone."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -2


def _has_any(pid: int, marks: tuple[bytes, ...]) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(variable.startswith(marks) for variable in environment)


def _kill(pid: int, sig: signal.Signals) -> bool:
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return False  # it was faster
    return True
