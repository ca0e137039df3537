"""Convoys out of the rows of the actor tree, as documents: the same from the command line and over HTTP (docs/json.md).

A ``tree`` is what ``/v1/tree`` answers: ``{"squad", "live", "taken_at", "actors"}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from squad.errors import UsageError
from squad.store.documents import resize_document

if TYPE_CHECKING:
    from squad.store.queries import ResizeRow

Row = Mapping[str, Any]

RESIZES = 100
"""Changes of its size that the document of a convoy has at most, the newest."""

FIELDS = ("name", "state", "size", "target", "min", "max", "pinned", "queue_depth", "in_hand", "reason")
"""What a list says of each."""


def listed(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Each convoy: ``size`` of its workers are there, ``target`` are wanted."""
    actors: list[Row] = tree["actors"]
    convoys = [
        {**facts(row), "workers": [worker["name"] for worker in actors if worker["parent"] == row["name"]]}
        for row in actors
        if row["kind"] == "convoy"
    ]
    return {**_about(tree), "convoys": convoys}


def facts(row: Row) -> dict[str, Any]:
    return {field: row.get(field) for field in FIELDS}


def find(tree: Mapping[str, Any], name: str) -> tuple[Row, list[Row]]:
    """Its row and those of its workers. Raises UsageError when there is no convoy of that name."""
    convoys = {row["name"]: row for row in tree["actors"] if row["kind"] == "convoy"}
    if name not in convoys:
        from squad.messages import did_you_mean

        hint = did_you_mean(name, convoys) or "squad convoy list shows all of them"
        raise UsageError(f"there is no convoy {name!r} in the squad {tree['squad']!r}", hint=hint)
    return convoys[name], [row for row in tree["actors"] if row["parent"] == name]


def shown(tree: Mapping[str, Any], name: str, resizes: Iterable[ResizeRow]) -> dict[str, Any]:
    """One convoy with its workers and the changes of its size. Raises UsageError likewise."""
    convoy, workers = find(tree, name)
    changes = [resize_document(change) for change in resizes]
    return {**_about(tree), "convoy": dict(convoy), "workers": [dict(row) for row in workers], "resizes": changes}


def _about(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tree[key] for key in ("squad", "live", "taken_at")}
