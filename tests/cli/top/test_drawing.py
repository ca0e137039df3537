from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from squad.cli.top.drawing import frame, plain
from squad.cli.top.view import View
from tests.cli.a_tree import tree
from tests.cli.top.a_look import crowd, look

HELD = {"kind": "frozen", "since": "2026-01-31T09:30:00.250Z", "by": "root", "reason": "disk"}


def drawn(columns: int = 80, rows: int = 24, view: View | None = None, **fields: object) -> list[str]:
    return [line.plain.rstrip() for line in frame(look(**fields), view or View(), columns, rows)]


def test_a_narrow_terminal() -> None:
    lines = drawn()
    assert len(lines) == 24
    assert lines[0].startswith(" audit  up 2h  3 of 4 agents ready")
    assert "Rate    36/s" in lines[1]
    assert "Queued   1,204" in lines[1]
    assert lines[1].endswith("Running 3  Dead 2")
    assert "CPU      34%" in lines[2]
    titles = lines[4].split()
    assert titles == ["NAME", "STATE", "CPU", "MEMORY", "QUEUE", "RATE", "P95", "WAIT", "CURRENT"]
    told = ["└─", "checker", "resizing", "2%", "41M", "40", "8.0", "900ms", "1m", "size", "2/3", "(2-8)"]
    assert lines[11].split() == told
    assert lines[12].split()[-2:] == ["check_file", "5m"]
    assert lines[-1] == " q leave   h help   s sort: tree   f fold"


def test_a_wide_one_has_everything() -> None:
    lines = drawn(160)
    for title in ("P99", "RST", "UP", "TREND", "LAST ERROR"):
        assert title in lines[4]
    assert "ValueError: no disk" in lines[10]
    assert "█" in lines[11]


def test_the_column_that_it_is_sorted_by_is_marked() -> None:
    view = View()
    view.press("u")
    lines = drawn(view=view)
    assert "QUEUE▾" in lines[4]
    assert lines[5].startswith("checker ")
    assert lines[-1].endswith("s sort: queue   f fold")


def test_more_agents_than_lines() -> None:
    view = View()
    lines = drawn(80, 24, view, document=crowd(200))
    assert lines[-1].endswith("Up/Down 1-18 of 201")
    view.press("end")
    lines = drawn(80, 24, view, document=crowd(200))
    assert lines[-2].startswith("└─ agent-199")
    assert lines[-1].endswith("Up/Down 184-201 of 201")
    titles = lines[4]
    view.press("home")
    assert drawn(80, 24, view, document=crowd(200))[4] == titles  # nothing moves


def test_help_fits_on_the_smallest_terminal() -> None:
    view = View()
    view.press("h")
    lines = drawn(80, 24, view)
    assert lines[-1] == " any key: back"
    assert any(line.startswith(" q ") for line in lines)
    assert any("MEMORY" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_what_must_not_be_overlooked() -> None:
    document = tree()
    document["actors"][0]["held"] = HELD
    document["actors"][5]["held"] = HELD
    lines = drawn(document=document)
    assert "THE SQUAD IS FROZEN" in lines[3]
    note = drawn(note="no squad is running: this is how it was 3m ago")
    assert note[0].split()[:3] == ["audit", "not", "live"]
    assert "no squad is running" in note[3]


def test_who_is_paused_says_so() -> None:
    document = tree(held=HELD | {"kind": "paused"})
    (line,) = [line for line in drawn(document=document) if "scanner" in line]
    assert "paused" in line


def test_control_characters_are_escaped() -> None:
    text = "\n".join(drawn(200, document=tree(last_error="\x1b]0;gotcha\x07")))
    assert "\x1b" not in text
    assert "\\x1b]0;gotcha\\x07" in text


@settings(deadline=None)
@given(
    columns=st.integers(1, 250),
    rows=st.integers(1, 70),
    keys=st.lists(st.sampled_from("tcmurlwfhsj"), max_size=3),
    count=st.integers(0, 60),
)
def test_it_fits_whatever_the_terminal_is(columns: int, rows: int, keys: list[str], count: int) -> None:
    view = View()
    for key in keys:
        view.press(key)
    for document in (tree(), crowd(count)):
        lines = frame(look(document), view, columns, rows)
        assert len(lines) == rows
        assert max(line.cell_len for line in lines) <= columns


def test_a_name_that_is_wider_than_it_is_long() -> None:
    document = tree()
    document["actors"][4]["current"] = {"id": "x", "type": "漢字" * 30, "since": None}
    assert max(line.cell_len for line in frame(look(document), View(), 80, 24)) <= 80


def test_once_as_text() -> None:
    lines = plain(look()).splitlines()
    assert lines[1].split() == ["Rate", "36/s", "Queued", "1,204", "Running", "3", "Dead", "2"]
    assert " ".join(lines[4].split()) == "NAME STATE CPU MEMORY QUEUE RATE P50 P95 P99 WAIT RST UP CURRENT LAST ERROR"
    assert lines[11].startswith("└─ checker ")
    assert "not live" in plain(look(note="no squad is running"))
