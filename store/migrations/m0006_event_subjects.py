"""What happened to one agent or one message is found by its name, however many events there are."""

from __future__ import annotations

import sqlite3


def up(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE INDEX events_subject ON events (subject)")
