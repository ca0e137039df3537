"""What was typed: names of keys from the bytes that a terminal sends."""

from __future__ import annotations

# After ESC [ or ESC O, as xterm, the Linux console and tmux send them.
_SEQUENCES = {
    b"A": "up",
    b"B": "down",
    b"H": "home",
    b"F": "end",
    b"1~": "home",
    b"7~": "home",
    b"4~": "end",
    b"8~": "end",
    b"5~": "page up",
    b"6~": "page down",
}
_CONTROL = {b"\x02": "page up", b"\x06": "page down", b"\x04": "quit", b"\r": "enter", b"\n": "enter"}


class Keys:
    """Bytes may come in any portions: what is begun and not complete waits for the rest."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete now: a character, or a name such as ``page down``."""
        self._rest += data
        found = []
        while self._rest:
            taken, key = _first(self._rest)
            if not taken:
                break
            self._rest = self._rest[taken:]
            if key:
                found.append(key)
        return found

    def flush(self) -> list[str]:
        """Nothing has come for a while: an ESC by itself was the key of that name."""
        begun, self._rest = self._rest, b""
        return ["escape"] if begun == b"\x1b" else []


def _first(data: bytes) -> tuple[int, str]:
    """How many bytes the first key has and its name; "" for one that means nothing, 0 while it is not complete."""
    if data[:1] != b"\x1b":
        byte = data[:1]
        if byte in _CONTROL:
            return 1, _CONTROL[byte]
        return 1, byte.decode("ascii") if b" " <= byte <= b"~" else ""
    if len(data) == 1:
        return 0, ""
    if data[1:2] not in (b"[", b"O"):
        return 1, "escape"
    for end in range(2, len(data)):
        if b"@" <= data[end : end + 1] <= b"~":  # the final byte of a control sequence (ECMA-48, 5.4)
            return end + 1, _SEQUENCES.get(data[2 : end + 1], "")
    return 0, ""
