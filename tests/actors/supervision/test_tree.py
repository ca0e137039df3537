from __future__ import annotations

import json
from pathlib import Path

import pytest

from squad.actors.supervision import tree
from squad.actors.supervision.children import Child, Convoy
from squad.actors.supervision.restarts import RestartBudget
from squad.config.schema import ConvoyConfig


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (["stopped", "stopped"], "stopped"),
        (["quarantined", "quarantined"], "quarantined"),
        (["quarantined", "restarting"], "resizing"),
        ([], "resizing"),
    ],
)
def test_a_convoys_state_is_that_of_its_workers(tmp_path: Path, states: list[str], shown: str) -> None:
    convoy = Convoy("pool", ConvoyConfig(class_="./a.py:A", min=2, max=4), 2)
    children = []
    for number, state in enumerate(states, 1):
        children.append(Child(convoy.spec(number), RestartBudget(3, 60, 0.1, 30, 0, lambda: 0.0)))
        children[-1].become(state)
    top = tree.supervisor_row(0.0, None, None, "ready")
    rows = tree.rows(top, children, [convoy], tmp_path)
    assert [row["name"] for row in rows] == ["supervisor", "pool", *(f"pool-{n + 1}" for n in range(len(states)))]
    assert rows[1]["state"] == shown


def test_saved_rows_are_marked_as_not_live(tmp_path: Path) -> None:
    tree.save(tmp_path / "tree.json", "audit", [tree.supervisor_row(0.0, 1, 2.0, "ready")])
    saved = json.loads((tmp_path / "tree.json").read_text())
    assert (saved["squad"], saved["live"], len(saved["actors"])) == ("audit", False, 1)
