"""The example of docs/supervision.md, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.running import ROOT, RunningSquad, eventually

PAGE = (ROOT / "docs" / "supervision.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_runs_restarts_and_reloads(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text(block("python"))
    config = tmp_path / "squad.yaml"
    config.write_text(block("yaml"))
    with RunningSquad(tmp_path / "home", config) as squad:
        squad.wait(squad.send("fetcher", "fetch", {"url": "https://example.org"}), tree=True)
        assert squad.counts() == {("fetch", "completed"): 1, ("index", "completed"): 1}
        before = squad.pids("fetcher"), squad.kill("indexer")
        eventually(lambda: squad.tree()["fetcher"]["pid"] not in (None, *before[0]), "the fetcher is restarted as well")
        eventually(lambda: squad.tree()["fetcher"]["state"] == "idle", "ready")

        config.write_text(block("yaml").replace("fetcher:\n", "fetcher:\n    options: {depth: 2}\n", 1))
        said = squad.cli("reload", "--dry-run").stdout
        assert said.splitlines()[0] == "restart  fetcher: options changed"
        assert said.splitlines()[0] in PAGE
        squad.cli("reload")
