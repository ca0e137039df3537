"""Attempts whose process was ended, because it hung or took too much, are told from those whose process died.

The rows need no change for it: as in ``m0003_totals`` the text of the table is replaced.
"""

from __future__ import annotations

import sqlite3

_OLD = "CHECK (outcome IN ('error', 'timeout', 'refused', 'crash'))"
_NEW = "CHECK (outcome IN ('error', 'timeout', 'refused', 'crash', 'hung', 'ceiling'))"


def up(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA schema_version").fetchone()[0]
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'attempts'", (_OLD, _NEW)
        )
        connection.execute(f"PRAGMA schema_version = {version + 1}")
    finally:
        connection.execute("PRAGMA writable_schema = RESET")  # and reads the schema anew
