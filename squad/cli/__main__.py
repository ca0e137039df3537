"""``python -m squad.cli``: the same as ``squad``."""

from squad.cli import main

main()
