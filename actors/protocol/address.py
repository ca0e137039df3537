"""Of an actor: Thespian's ``ActorAddress``, opaque here."""

from __future__ import annotations

from typing import Any

Address = Any
