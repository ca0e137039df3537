"""``squad service``, with a systemctl that writes down what it was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

CONFIG = "name: night\ntypes: {do: {}}\nagents:\n  a: {command: [cat], handles: [do]}\n"


class Systemctl:
    def __init__(self, folder: Path) -> None:
        self._asked = folder / "asked"
        self._file = folder / "systemctl"
        self.answer(0)

    def answer(self, status: int, error: str = "") -> None:
        self._file.write_text(f"#!/bin/sh\necho \"$@\" >> {self._asked}\necho '{error}' >&2\nexit {status}\n")
        self._file.chmod(0o755)

    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines() if self._asked.exists() else []


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    return Systemctl(folder)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "squad.yaml"
    file.write_text(CONFIG)
    return file


def test_it_is_installed_started_replaced_and_removed(
    run: Run, tmp_path: Path, config: Path, systemctl: Systemctl
) -> None:
    file = tmp_path / "own" / "systemd" / "user" / "squad-night.service"
    done = run("service", "install", "--config", str(config))
    assert done.exit_code == 0, done.stderr
    assert systemctl.asked() == ["--user daemon-reload", "--user enable --now squad-night.service"]
    assert str(file) in done.stderr
    assert "loginctl enable-linger" in done.stderr
    shown = run("service", "show", "--config", str(config))
    assert file.read_text() == shown.stdout
    assert str(config) in shown.stdout
    assert run("service", "install", "--config", str(config), "--no-start").exit_code == 0
    assert systemctl.asked()[-1] == "--user enable squad-night.service"
    done = run("service", "remove", "--config", str(config))
    assert done.exit_code == 0, done.stderr
    assert systemctl.asked()[-2:] == ["--user disable --now squad-night.service", "--user daemon-reload"]
    assert not file.exists()
    done = run("service", "remove", "--config", str(config))
    assert (done.exit_code, "there is no service" in done.stderr) == (2, True)


def test_a_refusal_of_systemd_is_told(run: Run, config: Path, systemctl: Systemctl) -> None:
    systemctl.answer(1, "Failed to connect to bus")
    done = run("service", "install", "--config", str(config))
    assert done.exit_code == 1
    assert "Failed to connect to bus" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_systemd_it_says_where_to_go_on(
    run: Run, config: Path, systemctl: Systemctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("service", "install", "--config", str(config))
    assert done.exit_code == 1
    assert "there is no systemctl" in done.stderr
    assert "systemctl --user daemon-reload" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--run-as", "games"], (2, "add --system")),
        (["--system", "--run-as", "nobody-of-that-name"], (2, "useradd")),
        (["--config", "missing.yaml"], (4, "no such file")),
    ],
)
def test_mistakes(run: Run, config: Path, systemctl: Systemctl, words: list[str], expected: tuple[int, str]) -> None:
    status, said = expected
    done = run("service", "install", "--config", str(config), *words)
    assert (done.exit_code, said in done.stderr) == (status, True), done.stderr
    assert systemctl.asked() == []


def test_a_user_that_cannot_read_what_it_would_run_gets_no_service(
    run: Run, config: Path, systemctl: Systemctl
) -> None:
    config.parent.chmod(0o700)
    done = run("service", "install", "--system", "--run-as", "nobody", "--config", str(config))
    assert done.exit_code == 1
    assert "nobody cannot reach the " in done.stderr and "is closed to it; nothing was installed" in done.stderr
    assert "ls -ld " in done.stderr
    assert systemctl.asked() == []


def test_a_service_of_the_machine_is_not_run_by_root_unless_that_is_said(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "root")
    done = run("service", "show", "--system", "--config", str(config))
    assert (done.exit_code, "--run-as USER" in done.stderr) == (2, True)
    done = run("service", "show", "--system", "--run-as", "root", "--config", str(config))
    assert "\nUser=root\n" in done.stdout
