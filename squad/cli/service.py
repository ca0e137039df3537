"""``squad service``."""

from __future__ import annotations

import getpass
import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from squad.cli.command import Command, Group, explicit_home
from squad.cli.output import say
from squad.errors import ServiceError, UsageError
from squad.home import for_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from squad.service import Unit

F = TypeVar("F", bound="Callable[..., Any]")

_FOLDER = click.Path(path_type=Path, resolve_path=True)


@click.group(
    cls=Group,
    examples=[
        "squad service install --config squad.yaml",
        "squad service show --config squad.yaml",
        "squad service install --system --run-as audit --config /srv/audit/squad.yaml",
        "squad service remove",
    ],
)
def command() -> None:
    """Have systemd run a squad as a service.

    From the start of the machine on, and again after a crash. docs/deployment.md tells about it, and about containers.
    """


def _about_a_squad(command: F) -> F:
    """The options that say which squad, and as whom."""
    options = [
        click.option(
            "-c",
            "--config",
            type=_FOLDER,
            metavar="FILE",
            help="Configuration (default: squad.yaml here, else that of the squad that comes with Squad).",
        ),
        click.option("--system", is_flag=True, help="A service of the machine, not of the user who calls this."),
        click.option("--run-as", metavar="USER", help="With --system: the user it runs as (default: who calls sudo)."),
        click.option(
            "--write",
            "writable",
            type=_FOLDER,
            multiple=True,
            metavar="DIR",
            help="With --system: one more folder that agents may write to, beside those of configuration and home.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@command.command("show", cls=Command, examples=["squad service show", "squad service show --config squad.yaml"])
@_about_a_squad
def show(config: Path | None, system: bool, run_as: str | None, writable: tuple[Path, ...]) -> None:
    """Print the unit file, and change nothing."""
    unit = _unit(config, system, run_as, writable)
    click.echo(unit.text(), nl=False)
    say(f"squad service install would write this to {unit.folder / unit.name}")


@command.command("install", cls=Command, examples=["squad service install --config squad.yaml"])
@_about_a_squad
@click.option("--start/--no-start", default=True, help="Start it now as well (default), or only from the next boot on.")
def install(config: Path | None, system: bool, run_as: str | None, writable: tuple[Path, ...], start: bool) -> None:
    """Write the unit file, have systemd read it, and start the squad.

    An installed service is replaced; `systemctl restart` lets the new unit take effect. With --system it is refused
    when the user of the service cannot read the interpreter, Squad or the configuration, by their modes.
    """
    unit = _unit(config, system, run_as, writable)
    if unit.user is not None:
        _must_reach(unit.user, unit)
    file = unit.folder / unit.name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.write_text(unit.text(), encoding="utf-8")
        new.chmod(0o644)
        new.replace(file)
    except OSError as error:
        raise ServiceError(
            f"{file} cannot be written: {error.strerror}",
            hint="sudo squad service install --system …" if system else f"ls -ld {file.parent}",
        ) from None
    say(f"wrote {file}")
    manager = ["systemctl"] if system else ["systemctl", "--user"]
    _tell(manager, ["daemon-reload"])
    _tell(manager, ["enable", *(["--now"] if start else []), unit.name])
    say(f"installed; {shlex.join([*manager, 'status', unit.name])} shows it")
    if not system:
        say(f"it ends with your last session, unless you say: loginctl enable-linger {getpass.getuser()}")


@command.command("remove", cls=Command, examples=["squad service remove", "squad service remove --config squad.yaml"])
@click.option("-c", "--config", type=_FOLDER, metavar="FILE", help="Configuration of the squad, as for install.")
@click.option("--system", is_flag=True, help="The service of the machine.")
def remove(config: Path | None, system: bool) -> None:
    """Stop the service and delete its unit file. The squad's home, with all messages, stays."""
    unit = _unit(config, system, None, ())
    file = unit.folder / unit.name
    if not file.exists():
        raise UsageError(f"there is no service {file}", hint=f"ls {file.parent}")
    manager = ["systemctl"] if system else ["systemctl", "--user"]
    _tell(manager, ["disable", "--now", unit.name])
    try:
        file.unlink()
    except OSError as error:
        raise ServiceError(f"{file} cannot be deleted: {error.strerror}", hint=f"ls -l {file}") from None
    _tell(manager, ["daemon-reload"])
    say(f"removed {file}; the home of the squad is as it was")


def _unit(config: Path | None, system: bool, run_as: str | None, writable: tuple[Path, ...]) -> Unit:
    from squad.config.load import load
    from squad.launcher.begin import default_config
    from squad.service import Unit

    if not system and (run_as is not None or writable):
        raise UsageError("--run-as and --write are for a service of the machine", hint="add --system")
    file = config or default_config()
    settings = load(file)
    return Unit(
        squad=settings.name,
        python=Path(sys.executable),
        config=file,
        home=for_start(explicit_home(), config).path,
        shutdown=settings.longest_shutdown,
        user=_user(run_as) if system else None,
        writable=writable,
    )


def _must_reach(user: str, unit: Unit) -> None:
    """Raises ServiceError when the unit's user cannot read what it would run: then it could never start."""
    import squad
    from squad.service import out_of_reach

    for what, path, instead in (
        ("the interpreter", unit.python, "install Squad where all may read it: python3 -m venv /opt/squad"),
        ("Squad itself", Path(squad.__file__), "install Squad where all may read it: python3 -m venv /opt/squad"),
        ("the configuration", unit.config, f"move it: sudo -u {shlex.quote(user)} cat {unit.config} must print it"),
    ):
        try:
            obstacle = out_of_reach(path, user)
        except OSError as error:
            raise ServiceError(f"{what} cannot be looked at: {error.strerror}: {path}") from None
        if obstacle is not None:
            raise ServiceError(
                f"{user} cannot reach {what}, {path}: {obstacle} is closed to it; nothing was installed",
                hint=f"{instead}; or let it through: ls -ld {shlex.quote(str(obstacle))}",
            )


def _user(named: str | None) -> str:
    name = named or os.environ.get("SUDO_USER") or getpass.getuser()
    try:
        if pwd.getpwnam(name).pw_uid == 0 and named is None:
            raise UsageError("a squad should not run as root", hint="name its user: --run-as USER")
    except KeyError:
        raise UsageError(
            f"there is no user {name!r}", hint=f"sudo useradd --system --create-home {shlex.quote(name)}"
        ) from None
    return name


def _tell(manager: Sequence[str], words: Sequence[str]) -> None:
    """Have systemd do it. Raises ServiceError with what it said."""
    line = shlex.join([*manager, *words])
    if shutil.which(manager[0]) is None:
        raise ServiceError("systemd is not here: there is no systemctl", hint=f"where it is: {line}")
    done = subprocess.run([*manager, *words], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise ServiceError(
            f"`{line}` failed: {done.stderr.strip() or done.returncode}",
            hint="the unit file is written; when systemd runs, say that again",
        )
