"""The home directory: finding it, making it safe, and who runs in it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from squad.errors import HomeError, NotRunningError
from squad.home import Home, Launcher, created, find, for_start


class TestFinding:
    def test_the_nearest_one_above(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".squad").mkdir()
        deep = tmp_path / "a" / "b"
        deep.mkdir(parents=True)
        monkeypatch.chdir(deep)
        assert find().path == tmp_path / ".squad"
        (tmp_path / "a" / ".squad").mkdir()
        assert find().path == tmp_path / "a" / ".squad"

    def test_what_is_named_wins_over_the_environment_and_that_over_the_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in (".squad", "one", "two"):
            (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("SQUAD_HOME", "one")
        assert find("two").path == tmp_path / "two"
        assert find().path == tmp_path / "one"
        monkeypatch.setenv("SQUAD_HOME", "")
        assert find().path == tmp_path / ".squad"

    def test_a_file_of_that_name_is_passed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        below = tmp_path / "a"
        below.mkdir()
        (tmp_path / ".squad").mkdir()
        (below / ".squad").write_text("")
        monkeypatch.chdir(below)
        assert find().path == tmp_path / ".squad"

    def test_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(NotRunningError, match="there is no squad here"):
            find()
        with pytest.raises(NotRunningError, match="no such folder"):
            find("missing")

    @pytest.mark.parametrize("name", ["a\0b", "~nobody-of-that-name/x"])
    def test_names_that_are_no_folder(self, name: str) -> None:
        with pytest.raises(HomeError, match="no folder to use"):
            find(name)

    def test_a_current_folder_that_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        with pytest.raises(HomeError, match="no folder to use"):
            find()

    def test_to_start_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".squad").mkdir()
        (tmp_path / "a").mkdir()
        monkeypatch.chdir(tmp_path / "a")
        assert for_start().path == tmp_path / "a" / ".squad"
        assert for_start(config="../deploy/squad.yaml").path == tmp_path / "deploy" / ".squad"
        monkeypatch.setenv("SQUAD_HOME", "h")
        assert for_start(config="../squad.yaml").path == tmp_path / "a" / "h"
        assert for_start("i").path == tmp_path / "a" / "i"


class TestSafety:
    def test_it_is_made_for_its_owner_alone(self, tmp_path: Path) -> None:
        os.umask(0)
        home = Home(tmp_path / "a" / ".squad")
        assert home.prepare() == ""
        assert home.path.stat().st_mode & 0o7777 == 0o700
        assert home.prepare() == ""

    @pytest.mark.parametrize("mode", [0o750, 0o705, 0o777, 0o711])
    def test_one_that_others_can_enter_is_closed_and_that_is_said(self, tmp_path: Path, mode: int) -> None:
        home = Home(tmp_path / ".squad")
        home.prepare()
        (home.path / "squad.db").touch()
        home.path.chmod(mode)
        assert f"its mode was {mode:04o}" in home.check()
        assert home.path.stat().st_mode & 0o7777 == 0o700
        assert home.check() == ""

    def test_a_folder_with_other_things_in_it_is_left_as_it_is(self, tmp_path: Path) -> None:
        project = tmp_path / "project"
        project.mkdir()
        (project / "README").touch()
        project.chmod(0o755)
        with pytest.raises(HomeError, match="is not the home of a squad") as caught:
            Home(project).prepare()
        assert caught.value.hint == f"squad start --home {project / '.squad'}"
        assert project.stat().st_mode & 0o777 == 0o755

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_one_of_somebody_else_is_refused(self, tmp_path: Path) -> None:
        home = Home(tmp_path / ".squad")
        home.prepare()
        for uid, name in ((65534, "nobody"), (54321, "user 54321")):
            os.chown(home.path, uid, uid)
            with pytest.raises(HomeError, match=f"belongs to {name}, and you are root"):
                home.prepare()

    def test_what_is_no_folder_or_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(HomeError, match="is not a folder"):
            Home(tmp_path / "file").prepare()
        with pytest.raises(HomeError, match="cannot be made"):
            Home(tmp_path / "file" / "below").prepare()
        with pytest.raises(HomeError, match="cannot be read"):
            Home(tmp_path / "missing").check()


class TestWhoRuns:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Home:
        home = Home(tmp_path / ".squad")
        home.prepare()
        return home

    @staticmethod
    def lock(home: Home, content: object) -> int:
        (home.path / "launcher.lock").write_text(content if isinstance(content, str) else json.dumps(content))
        descriptor = os.open(home.path / "launcher.lock", os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def test_nobody_whatever_the_file_says_once_it_is_not_locked(self, home: Home) -> None:
        assert home.launcher() is None
        held = self.lock(home, {"pid": os.getpid(), "created": created(os.getpid())})
        assert home.launcher() is not None
        os.close(held)
        assert home.launcher() is None

    def test_the_launcher_by_what_it_wrote(self, home: Home) -> None:
        content = {
            "pid": os.getpid(),
            "created": psutil.Process().create_time(),
            "config": "/srv/squad.yaml",
            "name": "audit",
            "started_at": "2026-01-31T09:30:00.250Z",
        }
        held = self.lock(home, content)
        assert home.launcher() == Launcher(os.getpid(), "audit", "/srv/squad.yaml", "2026-01-31T09:30:00.250Z")
        os.close(held)

    def test_a_process_of_the_same_number_that_was_created_at_another_time_is_another(self, home: Home) -> None:
        held = self.lock(home, {"pid": os.getpid(), "created": psutil.Process().create_time() - 60, "name": "audit"})
        assert home.launcher() == Launcher(None, "audit")
        os.close(held)

    def test_a_process_that_is_gone(self, home: Home) -> None:
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        held = self.lock(home, {"pid": ended.pid, "created": 1.0})
        assert home.launcher() == Launcher(None)
        os.close(held)

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "x", "created": 1}', '{"pid": null}'])
    def test_one_that_has_not_written_yet(self, home: Home, content: str) -> None:
        held = self.lock(home, content)
        assert home.launcher() == Launcher(None)
        os.close(held)

    def test_looking_does_not_keep_the_lock(self, home: Home) -> None:
        os.close(self.lock(home, {}))
        assert home.launcher() is None
        os.close(self.lock(home, {}))  # waits for ever if it does

    def test_the_time_of_creation_is_psutils(self) -> None:
        told = created(os.getpid())
        assert told is not None
        assert abs(told - psutil.Process().create_time()) < 1.5
        assert created(2**22 + 1) is None

    def test_the_socket(self, home: Home) -> None:
        assert home.socket() == home.path / "control.sock"
        (home.path / "control.path").write_text("/run/user/0/squad/x.sock\n")
        assert home.socket() == Path("/run/user/0/squad/x.sock")


def test_it_imports_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import squad.home;"
        "print({name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "{'squad'}"
