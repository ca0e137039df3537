"""A process of a squad, as far as its log is concerned: writes numbered lines by the real log set-up.

python -m tests.cli.a_logger HOME NAME FIRST COUNT MAX_SIZE KEEP
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from squad.actors import logs
from squad.config.schema import LoggingConfig


def main() -> None:
    home, name, first, count, size, keep = sys.argv[1:]
    settings = LoggingConfig.model_construct(level="INFO", max_size=int(size), keep=int(keep))
    logs.configure(Path(home), name, settings)
    for number in range(int(first), int(first) + int(count)):
        logging.getLogger().info("%d", number)
        time.sleep(0.0005)  # the pace of a busy process: no line is to be rotated away before it can be read


if __name__ == "__main__":
    main()
