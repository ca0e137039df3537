"""A disk that does what a test wants, for a whole squad: ``a_disk.c``, compiled when it is needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_suffix(".c")


class Disk:
    """Everything in ``home`` is on it, for processes that are started with ``environment``."""

    def __init__(self, folder: Path, home: Path) -> None:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler, which a disk that fails on purpose needs")
        library, self._orders = folder / "disk.so", folder / "orders"
        options = ["-shared", "-fPIC", "-O1", "-D_LARGEFILE64_SOURCE", "-o", str(library), str(_SOURCE), "-ldl"]
        done = subprocess.run([compiler, *options], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a_disk.c cannot be compiled here: {done.stderr[:200]}")
        self.environment = {"LD_PRELOAD": str(library), "DISK_FOLDER": str(home), "DISK_ORDERS": str(self._orders)}

    def becomes(self, how: str) -> None:
        """``full``, ``broken``, ``readonly`` or ``slow``; "" for as it should be."""
        new = self._orders.with_suffix(".new")
        new.write_text(how)
        new.replace(self._orders)
