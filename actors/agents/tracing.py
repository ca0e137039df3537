"""The spans that users' code makes with OpenTelemetry while a handler runs belong to the trace of its message.

Only in a process whose own code has imported OpenTelemetry, and only where the configuration has exporters: nobody else
needs it, and nobody else pays for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from squad.trace import Parent


class Tracing:
    """A message's place in its trace, as the current context of OpenTelemetry on one thread."""

    def __init__(self, place: Parent, api: Any) -> None:
        self._place = place
        self._api = api

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        from opentelemetry import context

        api, (trace_id, span_id, flags) = self._api, self._place
        above = api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=api.TraceFlags(flags))
        token = context.attach(api.set_span_in_context(api.NonRecordingSpan(above)))
        try:
            yield
        finally:
            context.detach(token)

    def inner(self) -> str | None:
        """The handler's own span that is open now, as a ``traceparent``; None: there is none."""
        now = self._api.get_current_span().get_span_context()
        if not now.is_valid or now.is_remote or now.trace_id != self._place.trace_id:
            return None
        return Parent(now.trace_id, now.span_id, int(now.trace_flags)).text()


def begin(place: Callable[[], Parent]) -> Tracing | None:
    """None where nobody could make a span."""
    api = sys.modules.get("opentelemetry.trace")
    return None if api is None else Tracing(place(), api)
