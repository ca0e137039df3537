from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.cli.top.keys import Keys


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"jk ?", ["j", "k", " ", "?"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA\x1bOB", ["up", "down"]),  # in the keypad's application mode
        (b"\x1b[5~\x1b[6~", ["page up", "page down"]),
        (b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~", ["home", "end"] * 3),
        (b"\x02\x06", ["page up", "page down"]),
        (b"\x04", ["quit"]),
        (b"\r\n", ["enter", "enter"]),
        (b"\x1b[1;5Aq", ["q"]),  # Ctrl-Up means nothing
        (b"\x1b[<0;12;3Mq", ["q"]),  # nor does a mouse
        ("ä€q".encode(), ["q"]),
        (b"\x00\x7fq", ["q"]),
        (b"\x1bq", ["escape", "q"]),
        (b"", []),
    ],
)
def test_what_terminals_send(data: bytes, keys: list[str]) -> None:
    assert Keys().feed(data) == keys


def test_a_sequence_may_come_in_parts() -> None:
    keys = Keys()
    assert [keys.feed(bytes([byte])) for byte in b"\x1b[6~q"] == [[], [], [], ["page down"], ["q"]]


def test_an_escape_by_itself_is_a_key_once_nothing_follows() -> None:
    keys = Keys()
    assert (keys.feed(b"\x1b"), keys.flush(), keys.flush()) == ([], ["escape"], [])
    keys.feed(b"\x1b[5")
    assert (keys.flush(), keys.feed(b"q")) == ([], ["q"])


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_whatever_is_sent_q_is_heard_at_last(portions: list[bytes]) -> None:
    keys = Keys()
    for portion in portions:
        keys.feed(portion)
    keys.flush()
    assert keys.feed(b"q") == ["q"]


@given(st.binary(max_size=40), st.integers(1, 8))
def test_portions_make_no_difference(data: bytes, size: int) -> None:
    whole, parts = Keys(), Keys()
    assert whole.feed(data) == [key for n in range(0, len(data), size) for key in parts.feed(data[n : n + size])]
