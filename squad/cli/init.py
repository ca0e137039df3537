"""``squad init``: a small working squad to begin with."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from squad.cli.command import Command
from squad.cli.completion_values import folders
from squad.cli.output import say
from squad.errors import Problem, SquadError, UsageError
from squad.templates import DEFAULT, TEMPLATES, render

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_LONGEST_NAME = 64


def _templates(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name, help=what) for name, what in TEMPLATES.items() if name.startswith(incomplete)]


@click.command(cls=Command, examples=["squad init", "squad init --into hello", "squad init minimal --into hello"])
@click.argument("template", required=False, default=DEFAULT, shell_complete=_templates)
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    shell_complete=folders,
    help="The folder to write into, made when missing (default: this one).",
)
def command(template: str, into: Path) -> None:
    """Write a small working squad, to change into your own.

    TEMPLATE is basic (the default: a Python agent, a command agent, a convoy and a schedule) or minimal (one Python
    agent); both have tests. Nothing is ever overwritten: when one of the files is there already, none is written.
    """
    if template not in TEMPLATES:
        raise _unknown(template)
    files = render(template, _name_for(into))
    _write(into, files)
    say(f"wrote {template}, {TEMPLATES[template]}, into {into.resolve()}:")
    say("\n".join(f"  {name}" for name in files))
    say("\nnow type:")
    say("\n".join(f"  {line}" for line in [*_preparations(into), *first_commands(files["README.md"])]))


def first_commands(readme: str) -> list[str]:
    """The commands which a template's README tells to type first."""
    return readme.partition("```sh\n")[2].partition("```")[0].splitlines()


def _unknown(template: str) -> UsageError:
    from squad.messages import did_you_mean

    near = did_you_mean(template, TEMPLATES)
    known = "; ".join(f"{name} ({what})" for name, what in TEMPLATES.items())
    return UsageError(f"there is no template {template!r}{f' ({near})' if near else ''}", hint=f"there are {known}")


def _name_for(folder: Path) -> str:
    """The squad's name: that of the folder, as far as it may be one."""
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9 ._-]+", "-", plain).strip(" ._-")
    return name[:_LONGEST_NAME] or "squad"


def _write(folder: Path, files: dict[str, str]) -> None:
    """All of them or none. Raises UsageError naming those that are there already, SquadError when it cannot be done."""
    if there := [name for name in files if os.path.lexists(folder / name)]:
        raise UsageError(
            f"nothing was written: {folder.resolve()} has files which would be overwritten",
            hint="write it into another folder: squad init --into DIR",
            problems=[Problem(str(folder / name), "is there already") for name in there],
        )
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:  # x: never over one that came in between
                written.append(folder / name)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise SquadError(
            f"nothing was written: {error.filename or folder}: {error.strerror}",
            hint="write it into another folder: squad init --into DIR",
        ) from None


def _preparations(folder: Path) -> list[str]:
    """What must be typed before the commands of the README work in this shell."""
    lines = []
    program = shutil.which("squad")
    activate = Path(sys.prefix, "bin", "activate")
    if (program is None or Path(program).parent != activate.parent) and activate.exists():
        lines.append(f"source {shlex.quote(str(activate))}")
    if folder.resolve() != Path.cwd():
        lines.append(f"cd {shlex.quote(str(folder))}")
    if find_spec("pytest") is None:
        lines.append("python -m pip install pytest")
    return lines
