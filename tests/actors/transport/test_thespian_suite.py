"""Thespian's own test suite, unmodified, on Squad's system base; ``bin/test --slow`` and ``.ci/run`` run it.

``LEFT_OUT`` has what is not run, with each reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.actors.transport.thespian_plugin import NAME
from tests.running import ROOT

LEFT_OUT = {
    "test_HAConvention": "several systems that find each other over the network",
    "test_manyActorSystems": "several systems that find each other over the network",
    "test_preRegistration": "several systems that find each other over the network",
    "TestFuncMultiProcessSystem": "several systems that find each other over the network",
    "TestFuncMultipleSystemsLoadSource": "several systems that find each other over the network",
    "TestFuncCapabilityUpdates": "several systems that find each other over the network",
    "test_ipbase": "addresses of the internet protocols",
    "testCommandAbort": "fails on multiprocTCPBase as well: it expects a killed program to have written nothing",
}


@pytest.mark.thespian_suite
@pytest.mark.timeout(900)
def test_thespians_own_tests_pass(tmp_path: Path) -> None:
    chosen = " and ".join([NAME, *(f"not {name}" for name in LEFT_OUT)])
    plugin = "tests.actors.transport.thespian_plugin"
    command = [sys.executable, "-m", "pytest", "-q", "-p", plugin, "-p", "no:cacheprovider", "-c", os.devnull]
    command += ["--rootdir", str(tmp_path), "--timeout", "120", "-k", chosen, "--pyargs", "thespian.test"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "THESPLOG_FILE": str(tmp_path / "thespian.log")}

    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    assert done.returncode == 0, done.stdout
    assert int(done.stdout.splitlines()[-1].split()[0]) > 260  # passed: it did find them
