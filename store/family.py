"""What a message caused, as a tree: as much of it as somebody can look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from peewee import Database

from squad.store.models import Task
from squad.store.queries import COLUMNS, MessageRow, message_rows

_MOST_CHILDREN = 50  # shown of one message, of those that it caused itself


@dataclass(slots=True)
class Node:
    """A message with what it caused, in order of arrival. ``hidden`` more of its own children are not in it."""

    message: MessageRow
    children: list[Node] = field(default_factory=list)
    hidden: int = 0


def family(database: Database, root: MessageRow, most: int = 200) -> Node:
    """``root`` and what came of it, level by level until there are ``most`` messages."""
    top = Node(root)
    level, left = [top], most - 1
    while level:
        below: list[Node] = []
        for node in level:
            parent = Task.parent_id == node.message.task_id
            room = min(left, _MOST_CHILDREN)
            query = Task.select(*COLUMNS).where(parent).order_by(Task.id).limit(room + 1)
            rows = message_rows(database, query)
            if len(rows) > room:
                node.hidden = Task.select().where(parent).count(database) - room
            node.children = [Node(row) for row in rows[:room]]
            left -= len(node.children)
            below += node.children
        level = below
    return top
