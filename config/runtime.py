"""What the actors of a squad talk through."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from squad.config.section import Section

Transport = Literal["unix", "insecure-tcp"]


class RuntimeConfig(Section):
    """How messages travel between the squad's processes."""

    transport: Transport = Field(
        default="unix",
        description="`unix`: sockets that only your user can reach. `insecure-tcp`: Thespian's own transport, for "
        "comparison only: it listens on every network interface, and whoever can connect can run code as you.",
    )
