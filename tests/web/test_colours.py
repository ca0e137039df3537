"""The style sheet's colours: text can be read on what it stands on, in both themes."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

SHEET = (files("squad.web") / "static" / "squad.css").read_text()
COLOURS = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", SHEET)}
LEAST = 4.5  # WCAG 2.2, 1.4.3
TEXTS = {
    **dict.fromkeys(("ink", "soft", "faint", "accent", "good", "warn", "bad", "busy"), ("ground", "card", "raised")),
    **{f"{text} in a pill": (f"{text}-soft",) for text in ("accent", "good", "warn", "bad")},
    "faint in the message that is shown": ("accent-soft",),
}


def _brightness(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_can_be_read(theme: int) -> None:
    for text, grounds in TEXTS.items():
        for ground in grounds:
            pair = (_brightness(COLOURS[text.partition(" ")[0]][theme]), _brightness(COLOURS[ground][theme]))
            contrast = (max(pair) + 0.05) / (min(pair) + 0.05)
            assert contrast >= LEAST, (text, ground, round(contrast, 2))
