"""Letting somebody change JSON in the editor of their own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from squad.cli.failures import show
from squad.cli.payload import parse_payload
from squad.errors import RefusedError, SquadError, UsageError

_VARIABLES = ("VISUAL", "EDITOR")


def edit(value: Any, accept: Callable[[dict[str, Any]], None], alternative: str) -> bool:
    """Have ``value`` edited until ``accept`` takes it without a RefusedError, or the user gives up.

    Every mistake is shown, and the same text is edited again. True when a change was accepted, False when nothing was
    changed. The text lies in a folder that nobody else can enter while it is edited. Raises UsageError, with
    ``alternative`` as its hint, when no editor is set, SquadError when it fails, and RefusedError after giving up.
    """
    command = _command(alternative)
    before = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with tempfile.TemporaryDirectory(prefix="squad-edit-") as folder:  # 0700: an editor may leave copies beside it
        path = Path(folder) / "payload.json"
        path.touch(0o600)
        path.write_text(before, encoding="utf-8", errors="backslashreplace")
        while True:
            _run([*command, str(path)])
            content = path.read_bytes()
            if content == before.encode(errors="backslashreplace"):
                return False
            try:
                accept(parse_payload(content, "the edited text"))
            except RefusedError as error:
                show(error.message, error.problems, error.hint)
                if not click.confirm("edit it again?", default=True, err=True):
                    raise RefusedError("nothing was changed", hint=alternative) from None
            else:
                return True


def _command(alternative: str) -> list[str]:
    name = next((name for name in _VARIABLES if os.environ.get(name)), None)
    if name is None:
        raise UsageError("no editor is set in $VISUAL or $EDITOR", hint=alternative)
    try:
        words = shlex.split(os.environ[name])
    except ValueError as error:
        raise UsageError(f"${name} is no command: {error}", hint=alternative) from None
    if not words:
        raise UsageError(f"${name} is empty", hint=alternative)
    return words


def _run(command: list[str]) -> None:
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise UsageError(f"the editor {command[0]!r} cannot be run: {error.strerror}") from None
    if status:
        raise SquadError(f"the editor {command[0]!r} ended with status {status}; nothing was changed")
