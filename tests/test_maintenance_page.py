"""What docs/maintenance.md tells to type works as written, in the squad of the README; it names every finding."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from squad.config.maintenance import MaintenanceConfig
from squad.store.upkeep import rules
from tests.pages import commands, hello
from tests.running import ROOT, RunningSquad

PAGE = (ROOT / "docs/maintenance.md").read_text()


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    squad = hello(tmp_path)
    with (tmp_path / "squad.yaml").open("a") as config:
        config.write("maintenance: {schedule: none}\n")  # only by hand: it may be the time for it just now
    with squad:
        yield squad


def test_the_page(squad: RunningSquad) -> None:
    squad.wait(squad.send("counter", "count_words", {"text": "to be"}), tree=True)
    status, dry_run, *tidy = commands(PAGE, "Keeping it small")
    assert "last      never" in squad.cli(*status).stdout
    assert "nothing was done" in squad.cli(*dry_run).stderr
    for words in [*tidy, *commands(PAGE, "Checking"), *commands(PAGE, "Backing up")]:
        assert squad.cli(*words).stdout == ""
    stop, restore, _ = commands(PAGE, "Restoring")
    squad.cli(*stop)
    squad.wait_stopped()
    squad.cli(*restore, "--yes")
    with closing(sqlite3.connect(squad.home / "squad.db")) as database, database:
        database.execute("UPDATE totals SET messages = 99 WHERE status = 'completed'")
    shown = squad.cli("maintenance", "check", status=1).stdout
    assert shown.splitlines()[0] == re.findall(r"^fail .*", PAGE, re.MULTILINE)[0]
    squad.start()


def test_the_defaults_are_as_the_page_says() -> None:
    keys = set(MaintenanceConfig.model_fields)
    table = PAGE.partition("| key | unless set |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| (`[^|]*`) \| ([^|]*) \|", table, re.MULTILINE)
    assert {key for names, _ in named for key in re.findall(r"`(\w+)`", names)} == keys
    shown = MaintenanceConfig().model_dump(mode="json")
    for names, default in named:
        values = ", ".join(str(shown[key]) for key in re.findall(r"`(\w+)`", names))
        assert default.replace("`", "") == values


def test_every_finding_is_explained() -> None:
    elsewhere = {name for name, *_ in rules.ELSEWHERE} | {"damage", "schema", "depths", "totals", "references"}
    names = elsewhere | {rule.name for rule in (*rules.RULES, *rules.FULL_RULES)}
    table = PAGE.partition("| finding |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)))) == names
