"""What is read from the store, as the JSON documents that the commands print (see docs/json.md)."""

from __future__ import annotations

from squad.store.documents import attempt_document, message_document, parsed, tree_document

__all__ = ["attempt_document", "first_line", "message_document", "parsed", "tree_document"]


def first_line(text: str | None) -> str:
    """The beginning of an error: the exception without its traceback."""
    return (text or "").partition("\n")[0]
