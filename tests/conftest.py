"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# The machines that run this are slow now and then; a deadline for each example would measure them, not us.
# The examples of the default run are always the same, so that it judges a change and not the day's luck; new ones are
# looked for by --hypothesis-profile explore, and for long by --hypothesis-profile fuzz.
settings.register_profile(
    "squad", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None
)
settings.register_profile("explore", settings.get_profile("squad"), derandomize=False)
settings.register_profile("fuzz", settings.get_profile("explore"), max_examples=2000)
settings.load_profile("squad")

_FROM_OUTSIDE = {
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "TRACEPARENT", "TRACESTATE"),
}

# What the terminal, the hook or the service that runs the tests has set is none of theirs: colours, widths, another
# repository, a trace. A test that is about one of these sets it itself.
for _name in tuple(os.environ):
    if _name.startswith(("GIT_", "OTEL_")) or _name in _FROM_OUTSIDE:
        del os.environ[_name]

# Under a shell in the background, or nohup, these are ignored, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _no_home_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A squad of the person who runs the tests is none of theirs."""
    for name in ("SQUAD_HOME", "SQUAD_MARK"):
        monkeypatch.delenv(name, raising=False)
    before = os.umask(0o077)
    yield
    os.umask(before)
