"""A receiver of traces: OTLP over HTTP, by OpenTelemetry's own exporter. The one module that knows its packages.

The exporter would try again by itself for as long as one request may take, and then only say that it failed. So the
session that it sends with lets it try once, and remembers what came of that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from squad.actors.exporting.pace import Answer
from squad.actors.exporting.spans import Span

_KINDS = {"consumer": SpanKind.CONSUMER, "internal": SpanKind.INTERNAL}
_SHOWN = 200  # characters of what a receiver says
_BARRED = {301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 406, 410, 415, 421, 451, 501}
_LARGE = 413

# It says each failure by itself, again and again.
logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL + 1)
logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").setLevel(logging.CRITICAL + 1)
logging.getLogger("urllib3").setLevel(logging.ERROR)


class _FailedError(Exception):
    """Said to the exporter in place of whatever it would try again."""


class _Session(requests.Session):
    """``answer``: what the last request came to."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = Answer("away", "it was not asked yet")

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        try:
            response = super().request(*args, **kwargs)
        except requests.RequestException as error:
            self.answer = _unreached(error)
            raise _FailedError from error
        self.answer = _answer(response)
        if self.answer.kind != "taken":
            raise _FailedError
        return response


class Receiver:
    """``send`` blocks for ``timeout`` seconds or so. For one thread. Raises nothing that it can put into an Answer."""

    def __init__(self, address: str, headers: Mapping[str, str], timeout: float, squad: str, version: str) -> None:
        self._session = _Session()
        self._exporter = OTLPSpanExporter(
            endpoint=address,
            headers=dict(headers),
            timeout=timeout,
            compression=Compression.Gzip,
            session=self._session,
        )  # type: ignore[call-overload,unused-ignore]
        self._squad = squad
        self._version = version
        self._scope = InstrumentationScope("squad", version)
        self._around = OTELResourceDetector().detect()  # what OTEL_RESOURCE_ATTRIBUTES says
        self._resources: dict[str, Resource] = {}

    def send(self, spans: Sequence[Span]) -> Answer:
        self._session.answer = Answer("malformed", "it could not be written as OTLP")
        try:
            result = self._exporter.export([self._made(span) for span in spans])
        except _FailedError:
            return self._session.answer
        answer = self._session.answer
        if result is not SpanExportResult.SUCCESS and answer.kind == "taken":
            return Answer("away", "the exporter says that it failed")
        return answer

    def _made(self, span: Span) -> ReadableSpan:
        parent = None
        if span.parent_id is not None:
            parent = SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=TraceFlags(1))
        return ReadableSpan(
            name=span.name,
            context=SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=TraceFlags(1)),
            parent=parent,
            resource=self._resource(span.agent),
            attributes=span.attributes,
            events=[Event("exception", dict(raised.attributes), raised.at) for raised in span.exceptions],
            kind=_KINDS[span.kind],
            status=Status() if span.error is None else Status(StatusCode.ERROR, span.error),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=self._scope,
        )

    def _resource(self, agent: str) -> Resource:
        if agent not in self._resources:
            own = {"service.name": agent, "service.namespace": self._squad, "service.version": self._version}
            self._resources[agent] = self._around.merge(Resource(own))
        return self._resources[agent]


def _unreached(error: requests.RequestException) -> Answer:
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
        return Answer("barred", f"{type(error).__name__}: {_short(str(error))}")
    if isinstance(error, requests.Timeout):
        return Answer("away", "it did not answer in time")
    if isinstance(error, requests.exceptions.SSLError):
        return Answer("away", f"its certificate is not accepted: {_short(str(error))}")
    text = str(error)
    for part, said in (
        ("Connection refused", "nobody listens there"),
        ("resolve", "its name is not known"),
        ("Remote end closed", "it closed the connection"),
        ("Connection reset", "it closed the connection"),
    ):
        if part in text:
            return Answer("away", said)
    return Answer("away", f"{type(error).__name__}: {_short(text)}")


def _answer(response: requests.Response) -> Answer:
    status = response.status_code
    said = f"it answers {status} {response.reason or ''}".strip()
    if status < 300:
        return _taken(response, said)
    if text := _short(_text(response)):
        said = f"{said}: {text}"
    if status == _LARGE:
        return Answer("too large", said)
    if status in _BARRED:
        return Answer("barred", said)
    if status >= 500 or status in (408, 425, 429):
        return Answer("away", said, _retry_after(response))
    return Answer("malformed", said)


def _taken(response: requests.Response, said: str) -> Answer:
    if "html" in response.headers.get("content-type", ""):
        return Answer("barred", f"{said} with a web page, as no receiver does")
    if not response.content or "protobuf" not in response.headers.get("content-type", ""):
        return Answer("taken")
    message = ExportTraceServiceResponse()
    try:
        message.ParseFromString(response.content)
    except Exception:  # protobuf has no class of its own for this in all its implementations
        return Answer("taken")
    partial = message.partial_success
    return Answer("taken", _short(partial.error_message), rejected=partial.rejected_spans)


def _text(response: requests.Response) -> str:
    kind = response.headers.get("content-type", "")
    return response.text if kind.startswith("text/plain") or "json" in kind else ""


def _retry_after(response: requests.Response) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
