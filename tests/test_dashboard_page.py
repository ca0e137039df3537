"""docs/dashboard.md names every page that there is, and its pictures are there and small."""

from __future__ import annotations

import re

from squad.web.pages import PAGES
from tests.running import ROOT
from tests.web.pictures import PICTURES

PAGE = (ROOT / "docs/dashboard.md").read_text()
CARRIED = ROOT / "squad/web/static/carried"


def test_every_page_is_in_the_table() -> None:
    named = set(re.findall(r"\| `(/[^`]*)` \|$", PAGE, re.MULTILINE))
    assert named == {re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), page.path) for page in PAGES}


def test_the_pictures_are_those_that_the_program_makes() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(images/dashboard-([\w-]+)\.png\)", PAGE)
    assert sorted(set(shown)) == sorted({picture.name for picture in PICTURES})
    for name in shown:
        assert (ROOT / f"docs/images/dashboard-{name}.png").stat().st_size < 120_000, name


def test_the_versions_of_what_is_carried_are_told() -> None:
    (htmx,) = re.findall(r'version="([0-9.]+)"', (CARRIED / "htmx.min.js").read_text())
    (uplot,) = re.findall(r"uPlot \(v([0-9.]+)\)", (CARRIED / "uplot.min.js").read_text())
    assert f"[htmx](https://htmx.org) {htmx} " in PAGE
    assert f"[uPlot](https://github.com/leeoniya/uPlot) {uplot}." in PAGE
