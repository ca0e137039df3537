"""The unit file: what systemd itself makes of it, where it is installed, and what a path may hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.errors import UsageError
from squad.service import Unit, out_of_reach

ANALYZE = shutil.which("systemd-analyze")


def unit(tmp_path: Path, *, user: str | None = None, squad: str = "night shift", name: str = "squad.yaml") -> Unit:
    return Unit(
        squad=squad,
        python=Path(sys.executable),
        config=tmp_path / name,
        home=tmp_path / ".squad",
        shutdown=29.5,
        path="/usr/bin:/bin",
        user=user,
        writable=(tmp_path / "work",),
    )


def setting(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("squad", "name"),
    [("night shift", "squad-night-shift.service"), ("squad", "squad.service"), ("A.b_c", "squad-a-b_c.service")],
)
def test_it_is_named_after_the_squad(tmp_path: Path, squad: str, name: str) -> None:
    assert unit(tmp_path, squad=squad).name == name


def test_it_starts_reloads_and_stops_this_squad(tmp_path: Path) -> None:
    text = unit(tmp_path).text()
    (start,), (reload,) = setting(text, "ExecStart"), setting(text, "ExecReload")
    squad = f"{sys.executable} -m squad.cli"
    assert start == f"{squad} start --config {tmp_path}/squad.yaml --home {tmp_path}/.squad"
    assert reload == f"{squad} reload --home {tmp_path}/.squad"
    assert setting(text, "Type") == ["notify"]
    assert setting(text, "KillMode") == ["control-group"]
    assert setting(text, "TimeoutStopSec") == ["50"]  # its longest handler's time, and the rest of a stop
    assert setting(text, "WatchdogSec") == ["60"]
    assert setting(text, "WantedBy") == ["default.target"]
    assert "User" not in text


def test_that_of_the_machine_has_a_user_and_may_write_to_its_own_folders_only(tmp_path: Path) -> None:
    text = unit(tmp_path, user="audit").text()
    assert setting(text, "User") == ["audit"]
    assert setting(text, "ProtectSystem") == ["strict"]
    assert setting(text, "CapabilityBoundingSet") == [""]
    assert setting(text, "ReadWritePaths") == [f"-{tmp_path}", f"-{tmp_path}/.squad", f"-{tmp_path}/work"]
    assert setting(text, "WantedBy") == ["multi-user.target"]


def test_no_path_is_taken_for_anything_else(tmp_path: Path) -> None:
    text = unit(tmp_path, name='100% "of" $HOME;.yaml').text()
    assert f'"{tmp_path}/100%% \\"of\\" $$HOME;.yaml"' in setting(text, "ExecStart")[0]


@pytest.mark.parametrize("folder", ["a\nExecStartPre=rm -r b", "a\\", "a ", "a\x1b"])
def test_a_folder_that_a_unit_file_cannot_name_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="systemd cannot be told of"):
        unit(tmp_path / folder)


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(("user", "scope"), [(None, "--user"), ("games", "--system")])
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path, user: str | None, scope: str) -> None:
    made = unit(tmp_path, user=user, name='100% "of" it.yaml')
    file = tmp_path / made.name
    file.write_text(made.text())
    (tmp_path / "run").mkdir(mode=0o700)
    done = subprocess.run(
        [str(ANALYZE), scope, "verify", file],
        capture_output=True,
        text=True,
        env={"XDG_RUNTIME_DIR": str(tmp_path / "run"), "PATH": "/usr/bin:/bin"},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


class TestReach:
    """Whether a service's user can read what it is to run."""

    @pytest.fixture
    def place(self) -> Iterator[Path]:
        """``open/python``, ``venv/python`` which links to it by ``way``, where everybody may read everything."""
        with tempfile.TemporaryDirectory() as name:
            place = Path(name).resolve()
            for folder in ("open", "venv"):
                (place / folder).mkdir()
            (place / "open" / "python").touch()
            (place / "way").symlink_to("open")
            (place / "venv" / "python").symlink_to("../way/python")
            for path in (place, place / "open", place / "venv"):
                path.chmod(0o755)
            (place / "open" / "python").chmod(0o644)
            yield place

    @pytest.mark.parametrize(
        ("closed", "mode"),
        [
            ("", 0o755),
            ("", 0o711),
            ("", 0o700),
            ("open", 0o750),
            ("open", 0o744),
            ("venv", 0o710),
            ("open/python", 0o640),
        ],
    )
    def test_what_is_in_the_way_is_named(self, place: Path, closed: str, mode: int) -> None:
        obstacle = place / closed
        obstacle.chmod(mode)
        lets_through = bool(mode & (0o001 if obstacle.is_dir() else 0o004))
        assert out_of_reach(place / "venv" / "python", "nobody") == (None if lets_through else obstacle)
        assert out_of_reach(place / "venv" / "python", "root") is None
        if os.geteuid() == 0:  # and the system says the same
            command = ["/usr/bin/head", "-c0", str(place / "venv" / "python")]
            done = subprocess.run(command, user="nobody", group="nogroup", extra_groups=[], check=False, cwd="/")
            assert (done.returncode == 0) == lets_through
