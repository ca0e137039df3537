"""A real receiver of OTLP over HTTP on loopback, which can be told to refuse, to hang, or to be away.

    with OtlpReceiver() as receiver:
        send_something_to(receiver.address)
        receiver.answers = [(503, {"retry-after": "1"})]
        receiver.wait_for(lambda spans: len(spans) == 3)

``answers`` are for the next requests, one after the other; then it takes what comes.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.running import eventually

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came. Ids are hexadecimal text, times nanoseconds; ``resource`` and ``attributes`` plain values."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    kind: int
    status: int  # 0 unset, 1 well, 2 an error
    said: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def agent(self) -> str:
        return str(self.resource["service.name"])

    @property
    def message(self) -> str:
        return str(self.attributes.get("messaging.message.id"))


class OtlpReceiver:
    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, dict[str, str], list[ReceivedSpan]]] = []  # taken: path, headers, spans
        self.refused = 0  # requests that were answered otherwise
        self.answers: list[tuple[int, dict[str, str]]] = []  # for the next requests; then they are taken
        self.partial: tuple[int, str] | None = None  # (spans rejected, why), said whenever it takes some
        self.hanging = threading.Event()  # while it is set, nobody is answered
        self._server: ThreadingHTTPServer | None = None
        # Bound and never listening: the port is nobody else's while it is away, as the server may use it again.
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", port))
        self.port: int = self._kept.getsockname()[1]

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.hanging.clear()
        self.close()
        self._kept.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def open(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Nobody listens any more, until it is opened again."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def spans(self) -> list[ReceivedSpan]:
        return [span for _, _, spans in list(self.requests) for span in spans]

    def wait_for(self, condition: Callable[[list[ReceivedSpan]], object], what: str = "spans") -> list[ReceivedSpan]:
        eventually(lambda: condition(self.spans), what, 60)
        return self.spans

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                while receiver.hanging.is_set():
                    threading.Event().wait(0.05)
                if receiver.answers:
                    receiver.refused += 1
                    status, headers = receiver.answers.pop(0)
                    self._answer(status, headers, b"")
                    return
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                request = ExportTraceServiceRequest()
                request.ParseFromString(body)
                found = _spans(request)
                receiver.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, found))
                response = ExportTraceServiceResponse()
                if receiver.partial is not None:
                    response.partial_success.rejected_spans = receiver.partial[0]
                    response.partial_success.error_message = receiver.partial[1]
                self._answer(200, {"content-type": PROTOBUF}, response.SerializeToString())

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                with contextlib.suppress(OSError):  # whoever asked was killed
                    self.send_response(status)
                    for name, value in {**headers, "content-length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _spans(request: ExportTraceServiceRequest) -> list[ReceivedSpan]:
    return [
        ReceivedSpan(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            kind=span.kind,
            status=span.status.code,
            said=span.status.message,
            attributes=_plain(span.attributes),
            resource=_plain(group.resource.attributes),
            events=[(event.name, _plain(event.attributes)) for event in span.events],
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _plain(attributes: Any) -> dict[str, Any]:
    return {item.key: _value(item.value) for item in attributes}


def _value(value: Any) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, which)
