"""docs/reliability.md says of handlers out of control what the test of them finds."""

from __future__ import annotations

import re

from tests.faults.test_wild_handlers import FAILS, HANGS
from tests.running import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text()

# How a row of the page begins -> the handlers that it is about.
ROWS = {
    "exits the process": ["exit-the-process", "segfault", "abort", "kill-itself", "terminate-itself"],
    "raises anything": [
        *("exit-the-interpreter", "interrupt", "generator-exit", "cancelled-error", "stop-iteration", "recurse"),
        *("memory", "base", "unprintable", "surrogate-error", "long-error"),
    ],
    "returns, sends or keeps": [
        *("nan", "data", "cycle", "surrogate", "deep", "an-object", "keys", "huge-integer", "nan-state"),
    ],
    "sends more than": ["huge-send"],
    "hangs, whether": ["hang", "hang-and-ignore"],
    "hangs in native code": ["hang-deaf"],
}


def test_the_table_of_handlers_out_of_control() -> None:
    section = PAGE.partition("\n## Handlers out of control\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE))
    said = {}
    for begin, handlers in ROWS.items():
        (row,) = [end for handler, end in rows.items() if handler.startswith(begin)]
        said.update(dict.fromkeys(handlers, re.findall(r"attempt `(\w+)`", row)))
    assert said == {how: [outcome] for how, (outcome, _) in {**FAILS, **HANGS}.items()}


def test_every_test_that_the_page_names_is_there() -> None:
    there = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"`(test_\w+)`", PAGE)) <= there
