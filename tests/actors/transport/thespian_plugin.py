"""Has Thespian's own test suite run on Squad's system base: ``pytest -p tests.actors.transport.thespian_plugin``.

The suite's fixture ``asys`` names Thespian's bases. Its modules take it from ``thespian.test`` when they are imported,
which is after this; so it is replaced there, and no file of the package is touched.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import thespian.test
from thespian.actors import ActorSystem

from squad.actors.transport import system_base
from squad.actors.transport.folder import open_folder

NAME = "multiprocSquadBase"


class ActorSystemBase(system_base.ActorSystemBase):
    """Each with a folder of its own, as the suite's systems have ports of their own."""

    def __init__(self, system: Any, logDefs: object = None) -> None:  # noqa: N803 - Thespian's name
        self.home = Path(tempfile.mkdtemp(prefix="thespian-"))
        self.folder = open_folder(self.home)
        system.capabilities[system_base.FOLDER] = self.folder
        super().__init__(system, logDefs)

    def shutdown(self) -> None:
        super().shutdown()
        self.folder.close()
        shutil.rmtree(self.home, ignore_errors=True)


sys.modules[f"thespian.system.{NAME}"] = sys.modules[__name__]


@pytest.fixture(params=[NAME])
def asys(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    capabilities = {"Foo Allowed": True, "Cows Allowed": True, "Dogs Allowed": True, "dog": "food"}
    system = ActorSystem(NAME, capabilities=capabilities, transientUnique=True)
    system.base_name, system.port_num, system.txonly = NAME, None, False
    yield system
    system.shutdown()


thespian.test.asys = asys
