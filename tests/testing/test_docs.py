"""The examples in docs/testing.md are run as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_examples_of_the_documentation(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    blocks = re.findall(r"```(python|yaml)\n(.*?)```", text, re.DOTALL)
    (tmp_path / "test_examples.py").write_text("\n".join(code for kind, code in blocks if kind == "python"))
    (tmp_path / "squad.yaml").write_text("\n".join(code for kind, code in blocks if kind == "yaml"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_examples.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout, done.stdout
