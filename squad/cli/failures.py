"""What a command prints when it fails, and the exit status it ends with.

squad: what failed
  where: what is wrong (what to do about it)
hint: what to type next
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from squad.errors import Exit, Problem, SquadError
from squad.terminal import escape

INTERRUPTED = 130  # as shells report a program that Ctrl-C ended
PIPE_CLOSED = 141  # likewise for one whose reader went away
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_SHOWN = 50  # problems; a batch may have thousands


def status_of(error: BaseException, logs: Path | None) -> int:
    """Print ``error`` for the user and return the exit status. A bug's traceback goes to a file in ``logs``."""
    if isinstance(error, BrokenPipeError):
        _forget_output()
        return PIPE_CLOSED
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return INTERRUPTED
    try:
        return _report(error, logs)
    except BrokenPipeError:
        _forget_output()
        return PIPE_CLOSED


def _report(error: BaseException, logs: Path | None) -> int:
    if isinstance(error, SquadError):
        show(error.message, error.problems, error.hint)
        return error.exit
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "squad"
        near = getattr(error, "possibilities", None)  # the best first
        said = f"{_sentence(error.message)} (did you mean {near[0]!r}?)" if near else _sentence(error.format_message())
        show(said, hint=f"{path} --help")
        return Exit.USAGE
    if isinstance(error, click.ClickException):
        show(_sentence(error.format_message()))
        return error.exit_code
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE:
        _forget_output()
        show(f"the output cannot be written: {error.strerror}")
        return Exit.FAILED
    where = _keep_traceback(error, logs)
    show(f"this is a bug in Squad: {type(error).__name__}: {_first_line(error)}", hint=f"its traceback is in {where}")
    return Exit.FAILED


def show(message: str, problems: Sequence[Problem] = (), hint: str = "") -> None:
    """The three parts of an error on standard error, in colour on a terminal unless NO_COLOR is set."""
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    click.echo(f"{_styled('squad:', colour, fg='red', bold=True)} {escape(message, lines=True)}", err=True)
    for problem in problems[:_SHOWN]:
        click.echo(f"  {escape(str(problem), lines=True)}", err=True)
    if len(problems) > _SHOWN:
        click.echo(f"  and {len(problems) - _SHOWN} more", err=True)
    if hint:
        click.echo(f"{_styled('hint:', colour, fg='cyan')} {escape(hint, lines=True)}", err=True)


def _styled(text: str, colour: bool, *, fg: str, bold: bool = False) -> str:
    return click.style(text, fg=fg, bold=bold) if colour else text


def _sentence(text: str) -> str:
    """Click's messages in the form of ours: no capital, no full stop."""
    text = text.strip().removesuffix(".")
    return text[:1].lower() + text[1:]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _keep_traceback(error: BaseException, logs: Path | None) -> str:
    text = "".join(traceback.format_exception(error))
    if logs is not None and logs.is_dir():
        path = logs / f"crash-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return str(path)
    descriptor, name = tempfile.mkstemp(prefix="squad-crash-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return name


def _forget_output() -> None:
    """Point standard output at nothing, so that the interpreter's last flush of it does not complain."""
    with contextlib.suppress(OSError, io.UnsupportedOperation):
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
