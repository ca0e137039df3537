"""``squad doctor``."""

from __future__ import annotations

import os
import shutil
import textwrap
from typing import TYPE_CHECKING

import click

from squad.cli.command import Command, explicit_home, output_option
from squad.cli.output import on_terminal, print_json, say
from squad.errors import Exit, NotRunningError
from squad.home import find, for_start
from squad.terminal import escape

if TYPE_CHECKING:
    from squad.doctor import Finding
    from squad.home import Home

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_LEAST = 40  # columns for what was found


@click.command(
    cls=Command,
    examples=["squad doctor", "squad doctor --fix", "squad doctor --home /var/lib/squad/audit -o json"],
)
@click.option("--fix", is_flag=True, help="Repair what can be repaired safely, and say what was done.")
@output_option
@click.pass_context
def command(ctx: click.Context, fix: bool, as_json: bool) -> None:
    """Find what keeps a squad from running well.

    It says what to do about it, and does it with --fix where that is safe. It looks at the machine, the home, the
    database, the configuration, and at what a killed squad may have left, whether a squad runs or not, and before the
    first start as well. The exit status is 1 when something has failed; warnings alone leave it 0. docs/doctor.md
    explains every check.
    """
    from squad.doctor import Subject, Verdict, examine, mend, worst

    home = _home()
    findings = examine(Subject(home))
    done = mend(Subject(home), findings) if fix else []
    if done:
        findings = examine(Subject(home))
    if as_json:
        print_json(_document(home, findings, done))
    else:
        _print(findings)
        for sentence in done:
            say(sentence)
        say(_conclusion(findings, fix))
    ctx.exit(Exit.FAILED if worst(findings) == Verdict.FAIL else Exit.DONE)


def _home() -> Home:
    """The home that is meant, as it is; where ``squad start`` would make it when there is none."""
    try:
        return find(explicit_home())
    except NotRunningError:
        return for_start(explicit_home())


def _document(home: Home, findings: list[Finding], done: list[str]) -> dict[str, object]:
    from squad.doctor import worst

    checks = [
        {
            "name": finding.name,
            "verdict": str(finding.verdict),
            "what": finding.what,
            "todo": finding.todo or None,
            "fixable": finding.fixable,
        }
        for finding in findings
    ]
    return {"home": str(home.path), "verdict": str(worst(findings)), "checks": checks, "fixed": done}


def _print(findings: list[Finding]) -> None:
    """A line or more for each: verdict, name, what was found, and below it what to do."""
    colour = on_terminal() and not os.environ.get("NO_COLOR")
    name_width = max(len(finding.name) for finding in findings)
    indent = " " * (name_width + 8)
    width = max(_LEAST, shutil.get_terminal_size().columns - len(indent)) if on_terminal() else 1_000_000
    for finding in findings:
        mark = f"{finding.verdict:<4}"
        shown = (
            click.style(mark, fg=_COLOURS[finding.verdict], bold=finding.verdict != "ok" or None) if colour else mark
        )
        lines = _wrapped(finding.what, width)
        lines += [f"{'→ ' if first else '  '}{line}" for first, line in _marked(_wrapped(finding.todo, width - 2))]
        click.echo(f"{shown}  {finding.name:<{name_width}}  {lines[0]}")
        for line in lines[1:]:
            click.echo(f"{indent}{line}")


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(escape(text), width, break_long_words=False, break_on_hyphens=False)


def _marked(lines: list[str]) -> list[tuple[bool, str]]:
    return [(number == 0, line) for number, line in enumerate(lines)]


def _conclusion(findings: list[Finding], fix: bool) -> str:
    bad = [finding for finding in findings if finding.verdict != "ok"]
    if not bad:
        return "all is well"
    count = {verdict: sum(finding.verdict == verdict for finding in bad) for verdict in ("fail", "warn")}
    parts = [f"{count['fail']} failed"] if count["fail"] else []
    parts += [f"{count['warn']} warning{'s' if count['warn'] > 1 else ''}"] if count["warn"] else []
    repairable = any(finding.fixable for finding in bad) and not fix
    return f"{' and '.join(parts)}{'; squad doctor --fix repairs what it can' if repairable else ''}"
