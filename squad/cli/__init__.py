"""The command line: ``squad``. Every command module imports what it needs when it runs, so that starting is quick."""

from __future__ import annotations


def main() -> None:
    """The program ``squad``. Exits with a status of ``squad.errors.Exit``, 130 after Ctrl-C."""
    try:
        from squad.cli.app import cli
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    cli()
