"""What must be true of every row of a sound database, whatever has happened: conditions that no row may meet.

They are what the transactions of the store keep to (docs/states.md), so a row that meets one was written by something
else, or the file is damaged.
"""

from __future__ import annotations

from typing import NamedTuple

_BY_HAND = (
    "something else than the squad has written to the database: restore a backup (squad maintenance restore FILE),"
    " or stop the squad and mend these rows with sqlite3"
)
_BY_A_START = "squad restart storage puts such messages back into their queues"


class Rule(NamedTuple):
    """``wrong`` is an SQL condition on a row of ``tasks``; ``what`` follows the number of rows: "3 messages …"."""

    name: str
    wrong: str
    what: str
    todo: str = _BY_HAND


RULES = (
    Rule(
        "ended",
        "(status NOT IN ('queued', 'running')) != (completed_at IS NOT NULL)",
        "have ended without a time, or have a time of their end and have not ended",
    ),
    Rule(
        "leases",
        "status = 'running' AND (lease_owner IS NULL OR claimed_at IS NULL OR fence < 1 OR not_before IS NOT NULL)",
        "are running without a lease",
        _BY_A_START,
    ),
    Rule(
        "queued",
        "status = 'queued' AND (lease_owner IS NOT NULL OR claimed_at IS NOT NULL OR cancelling IS NOT NULL)",
        "are queued, and leased or cancelled at the same time",
    ),
    Rule(
        "completed",
        "status = 'completed' AND (attempts < 1 OR started_at IS NULL)",
        "have completed without having been handled",
    ),
    Rule(
        "dead",
        "status = 'failed' AND (error_message IS NULL OR attempts < 1)",
        "are dead letters without an error or an attempt",
    ),
    Rule(
        "times",
        "created_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*Z'"
        " OR completed_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*Z'",
        "have a time that is not written as 2026-01-31T09:30:00.250Z",
    ),
    Rule("trees", "parent_id IS NOT NULL AND COALESCE(root_id, task_id) = task_id", "have a parent and are roots"),
)

FULL_RULES = (
    Rule("payloads", "NOT json_valid(payload)", "have a payload that is no JSON"),
    Rule("results", "result IS NOT NULL AND NOT json_valid(result)", "have a result that is no JSON"),
)

# Statements that find (id, why) of what is wrong elsewhere, each with its name and what to do.
ELSEWHERE = (
    (
        "dead",
        "SELECT task_id, 'is a dead letter whose last failure is not in its history' FROM tasks INDEXED BY tasks_failed"
        " WHERE status = 'failed' AND NOT EXISTS"
        " (SELECT 1 FROM attempts WHERE task_row = tasks.id AND final = 1)",
        _BY_HAND,
    ),
    (
        "attempts",
        "SELECT task_row, 'is a row with several attempts of one number' FROM attempts"
        " GROUP BY task_row, number HAVING COUNT(*) > 1",
        _BY_HAND,
    ),
    (
        "states",
        "SELECT agent, 'is an agent whose state is no JSON object' FROM agent_state"
        " WHERE version < 1 OR NOT json_valid(state) OR json_type(state) != 'object'",
        _BY_HAND,
    ),
    (
        "alerts",
        "SELECT alert_id, 'is an alert that was told again, and never told before' FROM alerts"
        " WHERE reminders > 0 AND told_at IS NULL",
        _BY_HAND,
    ),
    (
        "archive",
        "SELECT tasks.task_id, 'is in the archive, and among the other messages too' FROM tasks_archive"
        " CROSS JOIN tasks USING (id)",
        _BY_HAND,
    ),
    (
        "archive",
        "SELECT task_id, 'is in the archive without a time of its end' FROM tasks_archive WHERE completed_at IS NULL",
        _BY_HAND,
    ),
    (
        "metrics",
        "SELECT series, 'is a number under which points of a metric are kept, and no metric''s'"
        " FROM (SELECT DISTINCT series FROM metric_points)"
        " WHERE NOT EXISTS (SELECT 1 FROM metric_series WHERE id = series)",
        _BY_HAND,
    ),
    (
        "metrics",
        "SELECT name, 'is a metric whose histogram does not hold as many values as were recorded' FROM metric_series"
        " WHERE kind = 'histogram' AND buckets IS NOT NULL AND (NOT json_valid(buckets) OR count !="
        " (SELECT SUM(value) FROM json_each(buckets) WHERE json_each.key % 2 = 1))",
        _BY_HAND,
    ),
    ("keeper", "SELECT key, 'is kept, and no JSON' FROM keeper WHERE NOT json_valid(value)", _BY_HAND),
)
