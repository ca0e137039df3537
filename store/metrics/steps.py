"""How long points are kept, and when those of one length are folded into those of the next."""

from __future__ import annotations

STEPS = (60, 600, 3600)
"""Seconds that a point is about."""

KEPT = {60: 3 * 3600, 600: 36 * 3600}
"""Seconds after which points are folded into the next step; the last step's are kept as configured."""
