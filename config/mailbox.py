"""How many messages may wait for an agent, and what happens to one too many."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from squad.config.section import Section


class QueueConfig(Section):
    """The mailbox of an agent or a convoy: messages that wait, delayed ones included."""

    limit: int = Field(default=1000, ge=1, le=10**9, description="Most messages that may wait.")
    warn_at: float = Field(
        default=0.8, gt=0, le=1, description="Part of `limit` at which a warning is recorded, once until it has shrunk."
    )
    when_full: Literal["refuse", "drop_oldest"] = Field(
        default="refuse",
        description="What then happens: a send from outside is refused (what handlers send is still taken, up to ten "
        "times `limit`), or whatever waits longest is dropped as `expired`.",
    )
