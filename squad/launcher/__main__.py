"""The launcher's own program; ``squad start`` executes it."""

from __future__ import annotations

import gc
import os
import sys

from squad.errors import Exit, Problem, SquadError
from squad.launcher import program


def main() -> int:
    os.umask(0o077)
    gc.disable()  # what is loaded stays: no need to look through it again and again
    try:
        from squad.actors.supervision import shared
        from squad.launcher.running import Launcher

        shared.load()
        plan, held = program.inheritance(sys.argv)
        gc.enable()
        return Launcher(plan, held).run()
    except SquadError as error:
        program.say(error.message)
        for problem in (*error.problems, *([Problem("hint", error.hint)] if error.hint else [])):
            program.say(f"  {problem}")
        return error.exit
    except OSError as error:  # a full disk, a home that was taken away
        program.say(f"the squad cannot go on: {error}")
        return Exit.FAILED


if __name__ == "__main__":
    sys.exit(main())
