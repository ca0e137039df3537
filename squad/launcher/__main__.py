"""The launcher's own program; ``squad start`` executes it."""

from __future__ import annotations

import os
import sys

from squad.errors import Problem, SquadError
from squad.launcher import program
from squad.launcher.running import Launcher


def main() -> int:
    os.umask(0o077)
    plan, held = program.inheritance(sys.argv)
    try:
        return Launcher(plan, held).run()
    except SquadError as error:
        program.say(error.message)
        for problem in (*error.problems, *([Problem("hint", error.hint)] if error.hint else [])):
            program.say(f"  {problem}")
        return error.exit


if __name__ == "__main__":
    sys.exit(main())
