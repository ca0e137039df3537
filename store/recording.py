"""Writing history, and what the supervisor must remember."""

from __future__ import annotations

from collections.abc import Sequence

from squad.events import Event
from squad.store.session import Session
from squad.store.times import iso

_EVENT = "INSERT INTO events (at, kind, subject, detail) VALUES (?, ?, ?, ?)"
_RESIZE = "INSERT INTO convoy_resizes (at, convoy, from_size, to_size, reason, readings) VALUES (?, ?, ?, ?, ?, ?)"
_SAMPLE = """
    INSERT INTO machine_samples (at, cpu_percent, memory_percent, available_bytes, processes, throttle_seconds)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_PUT = """
    INSERT INTO keeper (key, value, updated_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""


def record_events(session: Session, events: Sequence[Event], now: float) -> None:
    """Append what was made by ``squad.events.event``."""
    at = iso(now)
    session.connection.executemany(_EVENT, [(at, *event) for event in events])


def record_resizes(session: Session, resizes: Sequence[tuple[str, int, int, str, str]], now: float) -> None:
    """Append (convoy, from, to, reason, readings as JSON text)."""
    at = iso(now)
    session.connection.executemany(_RESIZE, [(at, *resize) for resize in resizes])


def record_samples(session: Session, samples: Sequence[tuple[float, float, int, int, float]], now: float) -> None:
    """Append (CPU percent, memory percent, bytes available, processes of the squad, throttle in seconds)."""
    at = iso(now)
    session.connection.executemany(_SAMPLE, [(at, *sample) for sample in samples])


def put(session: Session, pairs: Sequence[tuple[str, str]], now: float) -> None:
    """Keep (key, JSON text), replacing what was kept under the same key."""
    at = iso(now)
    session.connection.executemany(_PUT, [(*pair, at) for pair in pairs])
