"""What a test is told when its squad did not do what it asked of it. All are failures of the test, not errors in it."""

from __future__ import annotations


class UnfinishedError(AssertionError):
    """A result was asked for, and the message has none: it failed, or has not ended."""


class HandlerError(AssertionError):
    """A handler has raised an exception, in a squad with ``raise_errors``."""


class StuckError(AssertionError):
    """A handler, or the squad, is at something for longer than it may be."""
