"""``squad verify``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from squad.cli.command import Command, Number, output_option
from squad.cli.output import Column, print_json, print_table, print_text, say
from squad.durations import format_duration, format_size
from squad.endings import interrupted_by_signals
from squad.errors import Exit

if TYPE_CHECKING:
    from squad.verify import Report

_KILLS_A_MINUTE = 40
_ROUNDS = (10, 100)  # fewest and most kills for one recovery time; one for each ten kills
_MEANING = {
    "agent": "an idle agent",
    "storage": "the storage",
    "tree": "all but the launcher",
    "launcher": "everything, until it is started again",
}


@click.command(
    cls=Command,
    examples=[
        "squad verify",
        "squad verify --minutes 10 --seed 7",
        "squad verify --minutes 60 --kills 2000 -o json",
    ],
)
@click.option(
    "--minutes",
    type=Number(0, 10_000, min_open=True),
    default=2.0,
    metavar="N",
    help="How long the squad is under attack (default: 2); starting, waiting and checking come on top.",
)
@click.option("--seed", type=int, metavar="S", help="Repeats a run's plan (default: another one each time).")
@click.option(
    "--kills",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help=f"How many processes are killed in that time (default: {_KILLS_A_MINUTE} a minute).",
)
@click.option("--keep", is_flag=True, help="Leave the folder with the squad's database and logs for a look.")
@output_option
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - the options
    ctx: click.Context, minutes: float, seed: int | None, kills: int | None, keep: bool, as_json: bool
) -> None:
    """Kill a squad again and again, and check that nothing is lost.

    A throw-away squad in a temporary folder is given messages whose effects are known beforehand. Every kind of its
    processes is killed with signal 9 or stopped for a while, at moments that the seed decides. At the end every
    message that was acknowledged must be completed exactly once or be a dead letter with its reason, and nothing else
    may have happened. The exit status is 0 if that is so and 1 if not. No squad of yours is touched.
    docs/reliability.md says what is checked.
    """
    import secrets

    from squad.verify import Plan, verify

    wanted = kills if kills is not None else max(1, round(minutes * _KILLS_A_MINUTE))
    fewest, most = _ROUNDS
    plan = Plan(
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        seconds=minutes * 60,
        kills=wanted,
        rounds=max(fewest, min(most, wanted // 10)),
    )
    folder = Path(tempfile.mkdtemp(prefix="squad-verify-"))
    say(f"seed {plan.seed}, {wanted:,} kills; in {folder}")
    whole = False
    try:
        with interrupted_by_signals():
            report = verify(plan, folder, say)
        whole = True
    finally:
        kept = keep or (whole and not report.passed)
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        print_json(_document(report, folder if kept else None))
    else:
        _print(report)
        say(_conclusion(report, folder if kept else None))
    ctx.exit(Exit.DONE if report.passed else Exit.FAILED)


def _document(report: Report, folder: Path | None) -> dict[str, Any]:
    account = report.account
    return {
        "verdict": "passed" if report.passed else "failed",
        "seed": report.plan.seed,
        "seconds": round(report.seconds, 1),
        "folder": None if folder is None else str(folder),
        "killed": dict(report.killed),
        "frozen": report.frozen,
        "missed": report.missed,
        "launcher_starts": report.starts,
        "messages": {
            "acknowledged": account.acknowledged,
            "resent": report.resent,
            "stored": account.stored,
            "completed": account.completed,
            "dead": account.dead,
        },
        "handlers": {"begun": account.runs, "crashed": account.crashes, "ended_again": account.again},
        "recovery": [
            {
                "of": name,
                "trials": len(times.seconds),
                "median_seconds": round(times.median, 3),
                "p99_seconds": round(times.p99, 3),
                "worst_seconds": round(times.worst, 3),
            }
            for name, times in report.recovery.items()
        ],
        "processes": [
            {
                "name": growth.name,
                "descriptors": [growth.first.descriptors, growth.last.descriptors],
                "threads": [growth.first.threads, growth.last.threads],
                "memory_bytes": [growth.first.memory, growth.last.memory],
            }
            for growth in report.growth
        ],
        "violations": list(report.violations),
    }


def _print(report: Report) -> None:
    account = report.account
    killed = ", ".join(f"{kind} {number:,}" for kind, number in sorted(report.killed.items()))
    for name, text in (
        ("killed", f"{report.killed.total():,}: {killed}"),
        ("stopped for a while", f"{report.frozen:,}"),
        ("acknowledged", f"{account.acknowledged:,}, after {report.resent:,} requests without an answer"),
        ("stored", f"{account.stored:,}: {account.completed:,} completed, {account.dead:,} dead letters"),
        ("handlers begun", f"{account.runs:,}; {account.crashes:,} attempts ended by a death"),
        ("ran twice", f"{account.again:,} handlers ran to their end more than once, which is allowed"),
    ):
        print_text(f"{name:<20} {text}")
    print_text("")
    print_table(
        [
            Column("TIME FROM THE KILL OF"),
            *(Column(title, right=True) for title in ("TRIALS", "MEDIAN", "P99", "WORST")),
        ],
        [
            [_MEANING[name], str(len(times.seconds)), *map(format_duration, (times.median, times.p99, times.worst))]
            for name, times in report.recovery.items()
        ],
        empty="no recovery was measured",
    )
    print_text("")
    print_table(
        [Column("LONG-LIVED PROCESS"), *(Column(title, right=True) for title in ("FILES", "THREADS", "MEMORY"))],
        [
            [
                growth.name,
                f"{growth.first.descriptors} to {growth.last.descriptors}",
                f"{growth.first.threads} to {growth.last.threads}",
                f"{format_size(growth.first.memory)} to {format_size(growth.last.memory)}",
            ]
            for growth in report.growth
        ],
        empty="no process of the core lived through the end",
    )
    sys.stdout.flush()


def _conclusion(report: Report, folder: Path | None) -> str:
    took = f"in {format_duration(report.seconds)}, seed {report.plan.seed}"
    where = [] if folder is None else [f"everything is in {folder}"]
    if report.passed:
        return "\n".join([f"passed: nothing lost, nothing done twice, nothing left behind; {took}", *where])
    return "\n".join([f"FAILED {took}", *(f"  {violation}" for violation in report.violations), *where])
