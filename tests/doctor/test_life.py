from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from squad.doctor import Finding, Subject, Verdict, checks, examine, life, mend
from squad.home import Home
from squad.launcher import processes
from tests.cli.fake_gateway import FakeGateway

SLEEPS = "import time; print(1, flush=True); time.sleep(60)"
Start = Callable[[Path], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process that bears the mark of a home."""
    started: list[subprocess.Popen[str]] = []

    def run(home: Path) -> subprocess.Popen[str]:
        environment = {**os.environ, processes.MARK: f"{home}:1a2b"}
        process = subprocess.Popen([sys.executable, "-c", SLEEPS], env=environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def gateway(home: Home) -> Iterator[FakeGateway]:
    with FakeGateway(home) as running:
        running.on("GET /v1/health", (200, {"squad": "audit", "ready": True, "waiting_for": [], "failed": []}))
        yield running


def looked(finding: Finding | None) -> Finding:
    assert finding is not None
    return finding


class TestRunning:
    def test_nothing_runs(self, subject: Subject) -> None:
        assert looked(life.running(subject)).what == "no squad runs here"

    def test_one_that_is_well(self, subject: Subject, gateway: FakeGateway) -> None:
        assert looked(life.running(subject)).what == (
            f"audit, process {os.getpid()}, since 2026-01-31T09:30:00.250Z, ready"
        )

    def test_one_that_is_not_ready(self, subject: Subject, gateway: FakeGateway) -> None:
        health = {"squad": "audit", "ready": False, "waiting_for": ["a", "b"], "failed": []}
        gateway.on("GET /v1/health", (200, health))
        assert "not ready yet: a, b" in looked(life.running(subject)).what

    def test_one_whose_agent_failed(self, subject: Subject, gateway: FakeGateway) -> None:
        failed = [{"name": "a", "error": "no"}]
        gateway.on("GET /v1/health", (200, {"squad": "x", "ready": False, "waiting_for": [], "failed": failed}))
        found = looked(life.running(subject))
        assert (found.verdict, found.todo) == (Verdict.WARN, "squad inspect; then squad restart a")

    def test_one_that_does_not_answer(
        self, subject: Subject, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(life, "_PATIENCE", 0.1)
        gateway.vanish()
        found = looked(life.running(subject))
        assert found.verdict == Verdict.FAIL
        assert "does not answer" in found.what

    def test_a_lock_without_a_launcher(self, subject: Subject) -> None:
        with (subject.home.path / "launcher.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            found = looked(life.running(subject))
        assert found.verdict == Verdict.FAIL
        assert "is not a launcher" in found.what

    def test_what_it_needs_is_not_left_over(self, subject: Subject, gateway: FakeGateway, start: Start) -> None:
        start(subject.home.path)
        assert life.leftover_processes(subject) is None
        assert life.leftover_files(subject) is None


class TestLeftovers:
    def test_none(self, subject: Subject) -> None:
        assert looked(life.leftover_processes(subject)).what == "none"
        assert looked(life.leftover_files(subject)).what == "none"

    def test_they_are_found_and_fixed(self, subject: Subject, start: Start) -> None:
        home = subject.home.path
        process, spared = start(home), start(home.with_name("other"))
        (home / "control.sock").touch()
        (home / "launcher.lock").write_text(json.dumps({"pid": 1, "created": 0.0, "name": "old"}))
        (home / "run/hand").mkdir(parents=True)
        (home / "run/hand/a").write_text("kept")
        (home / "run/0a").touch()
        findings = {finding.name: finding for finding in examine(subject)}
        left = findings["leftover processes"]
        assert (left.verdict, left.fixable) == (Verdict.FAIL, True)
        assert left.what == f"1 process of a squad that was killed here: {process.pid}"
        files = findings["leftover files"]
        assert (files.verdict, files.fixable) == (Verdict.WARN, True)
        assert files.what == "files of a squad that was killed here: control.sock, launcher.lock, 1 in run/"

        said = mend(subject, list(findings.values()))
        assert said == ["ended 1 process of a killed squad, removed control.sock, 1 in run/"]
        assert not Path(f"/proc/{process.pid}").exists()
        assert spared.poll() is None
        assert (home / "run/hand/a").read_text() == "kept"
        again = {finding.name: finding for finding in examine(Subject(subject.home))}
        assert again["leftover processes"].what == again["leftover files"].what == "none"

    def test_a_lock_file_alone(self, subject: Subject) -> None:
        (subject.home.path / "launcher.lock").write_text(json.dumps({"pid": 1, "created": 0.0}))
        said = mend(subject, examine(subject))
        assert said == ["emptied launcher.lock, which named a launcher that is gone"]
        assert looked(life.leftover_files(Subject(subject.home))).what == "none"

    def test_one_that_was_started_meanwhile_is_left_alone(self, subject: Subject) -> None:
        (subject.home.path / "control.sock").touch()
        findings = examine(subject)
        with FakeGateway(subject.home):
            [said] = mend(subject, findings)
            assert "a squad already runs in" in said
            assert (subject.home.path / "control.sock").exists()


class TestSquads:
    def test_a_killed_one_elsewhere(self, subject: Subject, tmp_path: Path, start: Start) -> None:
        other = Home(tmp_path / "other")
        other.prepare()
        process = start(other.path)
        found = life.squads(subject)
        assert found.verdict == Verdict.WARN
        assert f"1 process in {other.path}: {process.pid}" in found.what

    def test_one_whose_home_was_deleted(
        self, subject: Subject, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = start(tmp_path / "gone")
        monkeypatch.setattr(processes, "marked", lambda: {tmp_path / "gone": [process.pid]})
        assert life.squads(subject).todo == f"its home is gone: kill {process.pid}"

    def test_those_that_run(self, subject: Subject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        one, two = Home(tmp_path / "one"), Home(tmp_path / "two")
        monkeypatch.setattr(processes, "marked", lambda: {one.path: [1], two.path: [2]})
        with FakeGateway(one), FakeGateway(two):
            found = life.squads(subject)
            assert found.what == f"audit in {one.path}, audit in {two.path}"
            for home in (one, two):  # both from the same file
                lock = home.path / "launcher.lock"
                lock.write_text(json.dumps(json.loads(lock.read_text()) | {"config": "/srv/squad.yaml"}))
            found = life.squads(subject)
        assert found.verdict == Verdict.WARN
        assert found.what.startswith("several squads run /srv/squad.yaml")


def test_a_check_that_cannot_look_says_so(subject: Subject) -> None:
    def broken(_: Subject) -> Finding:
        raise PermissionError(13, "Permission denied", "/x")

    [found] = examine(subject, [checks.Check("x", broken)])
    assert (found.name, found.verdict) == ("x", Verdict.WARN)
    assert "could not be looked at: [Errno 13] Permission denied" in found.what
