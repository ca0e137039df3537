"""Mends that no actor can show in a reasonable time. The others are in ``test_deaths`` and ``test_system``."""

from __future__ import annotations

from types import SimpleNamespace

from thespian.system.ratelimit import RateThrottle

from squad.actors.transport.mends import MendedParent


def test_sending_is_not_throttled() -> None:
    """From 4,480 messages in a second, Thespian sleeps for a tenth of a second in each send."""
    parent = MendedParent()
    parent._governer = RateThrottle(4480)

    parent.init_replicator(SimpleNamespace(myAddress="here"), None)  # type: ignore[arg-type]

    assert not isinstance(parent._governer, RateThrottle)
