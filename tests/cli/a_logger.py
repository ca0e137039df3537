"""A process of a squad, as far as its log is concerned: writes numbered lines by the real log set-up.

python -m tests.cli.a_logger HOME NAME FIRST COUNT MAX_SIZE KEEP [BATCH]

Before each BATCH lines it waits for a line on its standard input.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from squad.actors import logs
from squad.config.schema import LoggingConfig


def main() -> None:
    home, name, first, count, size, keep = sys.argv[1:7]
    batch = int(sys.argv[7]) if len(sys.argv) > 7 else 0
    settings = LoggingConfig.model_construct(level="INFO", max_size=int(size), keep=int(keep))
    logs.configure(Path(home), name, settings)
    for number in range(int(first), int(first) + int(count)):
        if batch and (number - int(first)) % batch == 0:
            sys.stdin.readline()
        logging.getLogger().info("%d", number)
        time.sleep(0.0005)  # the pace of a busy process


if __name__ == "__main__":
    main()
