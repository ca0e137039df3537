from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from squad.doctor import Subject, Verdict, machine, packages


class TestSystem:
    def test_this_one_has_what_is_needed(self, subject: Subject) -> None:
        assert machine.system(subject).verdict == Verdict.OK

    def test_one_without_pidfds(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: int) -> int:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(os, "pidfd_open", refuse)
        found = machine.system(subject)
        assert found.verdict == Verdict.FAIL
        assert "lacks pidfd_open" in found.what
        assert "5.3" in found.todo

    def test_another_system(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.platform", "darwin")
        assert machine.system(subject).verdict == Verdict.FAIL

    def test_python(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        assert machine.python(subject).verdict == Verdict.OK
        monkeypatch.setattr("sys.version_info", (3, 10, 4))
        assert machine.python(subject).todo == "use Python 3.11 or newer"


class TestSQLite:
    @pytest.mark.parametrize(
        ("version", "affected"),
        [
            ((3, 6, 23), False),
            ((3, 7, 0), True),
            ((3, 40, 1), True),
            ((3, 44, 5), True),
            ((3, 44, 6), False),
            ((3, 45, 0), True),
            ((3, 50, 6), True),
            ((3, 50, 7), False),
            ((3, 51, 2), True),
            ((3, 51, 3), False),
            ((3, 53, 0), False),
        ],
    )
    def test_which_versions_have_the_defect(self, version: tuple[int, ...], affected: bool) -> None:
        assert machine.has_wal_defect(version) is affected

    def test_it_says_why_a_squad_is_safe(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version", "3.40.1")
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
        found = machine.sqlite(subject)
        assert found.verdict == Verdict.OK
        assert "only its storage writes" in found.what
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
        assert machine.sqlite(subject).what == "3.40.1"


class TestLogout:
    def test_without_systemd(self, tmp_path: Path) -> None:
        assert machine.logout_under(tmp_path, "ada").verdict == Verdict.OK

    def test_it_goes_by_the_last_file_that_says_something(self, tmp_path: Path) -> None:
        def write(path: str, value: str) -> None:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"[Login]\n#KillUserProcesses=no\n {value}\n")

        (tmp_path / "run/systemd/system").mkdir(parents=True)
        assert machine.logout_under(tmp_path, "ada").verdict == Verdict.OK
        write("etc/systemd/logind.conf", "KillUserProcesses=yes")
        found = machine.logout_under(tmp_path, "ada")
        assert (found.verdict, found.todo) == (Verdict.WARN, "loginctl enable-linger ada")
        assert machine.logout_under(tmp_path, "root").verdict == Verdict.OK
        write("usr/lib/systemd/logind.conf.d/10-a.conf", "KillUserProcesses = no")
        assert machine.logout_under(tmp_path, "ada").verdict == Verdict.OK
        write("etc/systemd/logind.conf.d/20-b.conf", "KillUserProcesses=1")
        assert machine.logout_under(tmp_path, "ada").verdict == Verdict.WARN

    def test_who_lingers_stays(self, tmp_path: Path) -> None:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
        (tmp_path / "etc/systemd").mkdir(parents=True)
        (tmp_path / "etc/systemd/logind.conf").write_text("[Login]\nKillUserProcesses=yes\n")
        (tmp_path / "var/lib/systemd/linger").mkdir(parents=True)
        (tmp_path / "var/lib/systemd/linger/ada").touch()
        assert machine.logout_under(tmp_path, "ada").verdict == Verdict.OK


class TestPackages:
    def test_those_installed_here_are_right(self, subject: Subject) -> None:
        assert packages.packages(subject).verdict == Verdict.OK

    @pytest.mark.parametrize(
        ("requirement", "wrong"),
        [
            ("thespian==4.0.1", ""),
            ("thespian==4.0", "thespian is 4.0.1, and ==4.0 is needed"),
            ("click>=8.2", ""),
            ("click >=8.2,<999", ""),
            ("click<8,>=7", "click is "),
            ("click>=999", "click is "),
            ("no-such-thing>=1", "no-such-thing is not installed"),
            ('no-such-thing>=1; extra == "dev"', ""),
        ],
    )
    def test_what_is_wrong_is_named(self, requirement: str, wrong: str) -> None:
        found = packages.wrong_among([requirement])
        assert (len(found), "".join(found)[: len(wrong)]) == (int(bool(wrong)), wrong)

    def test_it_fails_for_them(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.metadata.requires", lambda _: ["thespian==3.10"])
        found = packages.packages(subject)
        assert found.verdict == Verdict.FAIL
        assert "pip install" in found.todo
