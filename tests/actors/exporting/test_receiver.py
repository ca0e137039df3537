"""Sending to a real receiver, and what its answers mean."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from squad.actors.exporting.receiver import Receiver
from squad.actors.exporting.spans import Exceptional, Span
from tests.otlp import OtlpReceiver
from tests.running import eventually

SPAN = Span("smith", "process forge", "consumer", 7, 8, 9, 1_000, 2_000, {"squad.priority": 5, "tags": ("a", "b")})
FAILED = Span(
    "clerk",
    "attempt 1",
    "internal",
    7,
    10,
    None,
    1_000,
    2_000,
    {},
    "no",
    (Exceptional(2_000, {"exception.type": "E"}),),
)


@pytest.fixture
def there() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def sender(there: OtlpReceiver, timeout: float = 20.0) -> Receiver:
    return Receiver(there.address, {"x-tenant": "us"}, timeout, "trek", "1.2.3")


def test_spans_arrive_as_they_are(there: OtlpReceiver) -> None:
    answer = sender(there).send([SPAN, FAILED])

    assert (answer.kind, answer.rejected) == ("taken", 0)
    ((path, headers, (one, other)),) = there.requests
    assert path == "/v1/traces"
    assert headers["x-tenant"] == "us"
    assert headers["content-type"] == "application/x-protobuf"
    assert (one.name, one.agent, one.kind, one.status) == ("process forge", "smith", 5, 0)
    assert (one.trace_id, one.span_id, one.parent_id) == (f"{7:032x}", f"{8:016x}", f"{9:016x}")
    assert (one.start, one.end) == (1_000, 2_000)
    assert one.attributes == {"squad.priority": 5, "tags": ["a", "b"]}
    assert one.resource["service.namespace"] == "trek"
    assert (other.agent, other.parent_id, other.kind, other.status, other.said) == ("clerk", "", 1, 2, "no")
    assert other.events == [("exception", {"exception.type": "E"})]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retry_after"),
    [
        (429, {"retry-after": "7"}, "away", 7.0),
        (503, {"retry-after": "Fri, 01 Jan 1999 00:00:00 GMT"}, "away", 0.0),
        (503, {"retry-after": "soon"}, "away", None),
        (500, {}, "away", None),
        (401, {}, "barred", None),
        (404, {}, "barred", None),
        (302, {"location": "http://127.0.0.1:1/"}, "barred", None),
        (413, {}, "too large", None),
        (400, {}, "malformed", None),
    ],
)
def test_each_answer_has_its_meaning_and_is_asked_for_once(
    there: OtlpReceiver, status: int, headers: dict[str, str], kind: str, retry_after: float | None
) -> None:
    there.answers = [(status, headers)]

    answer = sender(there).send([SPAN])

    assert (answer.kind, answer.retry_after) == (kind, retry_after)
    assert str(status) in answer.why
    assert there.refused == 1
    assert there.requests == []


def test_spans_that_a_receiver_throws_away_are_told(there: OtlpReceiver) -> None:
    there.partial = (1, "too old")

    answer = sender(there).send([SPAN])

    assert (answer.kind, answer.rejected, answer.why) == ("taken", 1, "too old")


def test_nobody_there_and_nobody_who_answers(there: OtlpReceiver) -> None:
    to_it = sender(there, timeout=0.3)
    there.hanging.set()
    assert (to_it.send([SPAN]).kind, to_it.send([SPAN]).why) == ("away", "it did not answer in time")
    there.hanging.clear()
    there.close()
    answer = sender(there).send([SPAN])
    assert (answer.kind, answer.why) == ("away", "nobody listens there")

    there.open()
    eventually(lambda: to_it.send([SPAN]).kind == "taken", "it is taken, within its short time-out")


def test_a_name_that_nobody_has() -> None:
    answer = Receiver("http://no-such-host.invalid/v1/traces", {}, 20, "trek", "1").send([SPAN])

    assert (answer.kind, answer.why) == ("away", "its name is not known")


def test_a_web_page_is_no_receiver() -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<h1>Welcome</h1>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        answer = Receiver(f"http://127.0.0.1:{server.server_port}/v1/traces", {}, 20, "trek", "1").send([SPAN])

    assert answer.kind == "barred"
    assert "web page" in answer.why
