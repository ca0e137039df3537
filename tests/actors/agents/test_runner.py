"""The runner with a real thread and real handlers."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from squad.actors.agents.blackbox import BlackBox, read
from squad.actors.agents.context import Context, StateCell
from squad.actors.agents.handlers import Agent, handles
from squad.actors.agents.runner import Runner, Tray, Workbench
from squad.actors.agents.sendrate import SendRate
from squad.errors import RateLimitError, Refuse, RetryAfter, SquadError
from squad.messages import message
from squad.store.rows import Lease, Outcome


@message("do")
class Do:
    what: str


@message("other")
class Other:
    n: int = 0


class Hollow(Refuse):
    """A signal that has nothing of what its base says about itself."""

    def __init__(self) -> None:
        pass


class Worker(Agent):
    def start(self) -> None:
        self.gate = threading.Event()
        self.begun = threading.Event()

    @handles(Do)
    def do(self, msg: Do, ctx: Context) -> Any:  # noqa: PLR0911, PLR0912 - one answer for each thing to do
        match msg.what:
            case "echo":
                return {"attempt": ctx.attempt, "id": ctx.message_id, "from": ctx.sender, "options": self.options}
            case "send":
                return [ctx.send("worker", Other(n), priority=n + 1, key=f"k{n}") for n in range(3)]
            case "count":
                ctx.state["n"] = ctx.state.get("n", 0) + 1
                return ctx.state["n"]
            case "count-then-fail":
                ctx.state["n"] = 1000
                ctx.send("worker", Other())
                raise RuntimeError("after all")
            case "refuse":
                raise Refuse("never")
            case "later":
                raise RetryAfter(60)
            case "at":
                raise RetryAfter(datetime.now(UTC) + timedelta(hours=1))
            case "exit":
                raise SystemExit(3)
            case "refuse-with-an-error":
                raise Refuse(KeyError("a reason that is no text"))  # type: ignore[arg-type]
            case "refuse-at-length":
                raise Refuse("x" * 1_000_000)
            case "refuse-in-its-own-way":
                raise Hollow
            case "later-not-text":
                raise RetryAfter("10m")  # type: ignore[arg-type]
            case "later-never":
                raise RetryAfter(float("nan"))
            case "later-far":
                raise RetryAfter(1e300)
            case "later-long-ago":
                raise RetryAfter(-(10**400))
            case "later-because":
                raise RetryAfter(1, reason=KeyError("no text either"))  # type: ignore[arg-type]
            case "an-error-of-ours":
                raise SquadError(3)  # type: ignore[arg-type]
            case "nobody":
                ctx.send("nobdy", Other())
            case "unsayable":
                return object()
            case "nan":
                return float("nan")
            case "surrogate":
                return "\ud800"
            case "wait":
                self.begun.set()
                self.gate.wait(10)
            case "until-cancelled":
                self.begun.set()
                deadline = time.monotonic() + 10
                while not ctx.cancelled:
                    assert not self.gate.wait(0.005)
                    assert time.monotonic() < deadline
                return "cancelled"
            case "is-cancelled":
                return ctx.cancelled
        return None

    @handles(Other)
    async def other(self, msg: Other, ctx: Context) -> int:
        await asyncio.sleep(0)
        return msg.n * 2


class Bench:
    def __init__(self, folder: Path, rate: SendRate | None = None, state: StateCell | None = None) -> None:
        self.folder = folder
        self.outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.ready = threading.Event()
        self.failed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.state = state
        self.made: list[Worker] = []
        self._row = 0
        bench = Workbench(
            name="worker",
            home=folder,
            recipients={"worker": frozenset({"do", "other"})},
            rate=rate,
            state=state,
            black_box=BlackBox(folder, "worker.1"),
            max_payload=1000,
            log=logging.getLogger("test"),
        )
        self.runner = Runner(
            self._make, bench, ready=self.ready.set, failed=self.failed.put, finished=self.outcomes.put
        )
        self.runner.start()

    def _make(self) -> Worker:
        self.made.append(Worker())
        self.made[0].options = {"a": 1}
        return self.made[0]

    def lease(self, what: str, kind: str = "do", payload: str | None = None) -> Lease:
        self._row += 1
        text = payload or f'{{"what":"{what}"}}'
        return Lease(self._row, 5, f"id-{self._row}", "cli", kind, text, 5, 2, "root")

    def run(self, what: str, **arguments: Any) -> Outcome:
        lease = self.lease(what, **arguments)
        self.runner.tray.put([lease])
        outcome = self.outcomes.get(timeout=10)
        assert (outcome.row, outcome.fence) == (lease.row, lease.fence)
        return outcome

    def close(self) -> None:
        if self.made and hasattr(self.made[0], "gate"):
            self.made[0].gate.set()
        self.runner.tray.close()
        self.runner.join(timeout=10)
        assert not self.runner.is_alive()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, state=StateCell(4, "{}"))
    yield made
    made.close()


def test_a_result_is_json_and_the_context_knows_the_message(bench: Bench) -> None:
    outcome = bench.run("echo")
    assert outcome.kind == "done"
    assert outcome.result == '{"attempt":2,"id":"id-1","from":"cli","options":{"a":1}}'
    assert outcome.started > 1e9


def test_async_handlers_run(bench: Bench) -> None:
    assert bench.run("", kind="other", payload='{"n":21}').result == "42"


def test_sends_are_kept_with_the_outcome(bench: Bench) -> None:
    outcome = bench.run("send")
    assert [(s.recipient, s.type, s.priority, s.key, s.payload) for s in outcome.sends] == [
        ("worker", "other", n + 1, f"k{n}", f'{{"n":{n}}}') for n in range(3)
    ]
    assert {(s.parent_id, s.root_id, s.sender) for s in outcome.sends} == {("id-1", "root", "worker")}


def test_state_builds_up_and_a_failure_leaves_it_alone(bench: Bench) -> None:
    first, failed, second = bench.run("count"), bench.run("count-then-fail"), bench.run("count")
    assert (first.state, first.state_version) == ('{"n":1}', 4)
    assert (failed.kind, failed.state, failed.sends) == ("error", None, ())
    assert (second.state, second.state_version, second.result) == ('{"n":2}', 5, "2")
    assert bench.run("echo").state is None


@pytest.mark.parametrize(
    ("what", "kind", "text"),
    [
        ("refuse", "refused", "never"),
        ("count-then-fail", "error", "RuntimeError: after all"),
        ("exit", "error", "SystemExit: 3"),
        ("nobody", "error", "no agent is called 'nobdy' (there are: worker); at "),
        ("unsayable", "error", "not JSON serializable"),
        ("nan", "error", "not JSON compliant"),
        ("surrogate", "error", "surrogates not allowed"),
        ("refuse-with-an-error", "refused", "a reason that is no text"),
        ("refuse-at-length", "refused", "xxx"),
        ("refuse-in-its-own-way", "error", "'Hollow' object has no attribute 'reason'"),
        ("later-not-text", "error", "RetryAfter takes seconds or an aware datetime, not '10m'"),
        ("later-never", "error", "RetryAfter takes seconds or an aware datetime, not nan"),
        ("later-far", "error", "RetryAfter takes seconds or an aware datetime, not 1e+300"),
        ("later-long-ago", "error", "OverflowError"),
        ("later-because", "retry", "no text either"),
        ("an-error-of-ours", "error", "3"),
    ],
)
def test_how_failures_end(bench: Bench, what: str, kind: str, text: str) -> None:
    outcome = bench.run(what)
    assert outcome.kind == kind
    assert type(outcome.error) is str  # storage takes nothing else
    assert text in outcome.error
    assert len(outcome.error) <= 8000
    assert "/runner.py" not in outcome.error
    assert bench.run("echo").kind == "done"  # the thread is still there


def test_giving_back_is_no_attempt(bench: Bench) -> None:
    later, at = bench.run("later"), bench.run("at")
    assert (later.kind, at.kind) == ("retry", "retry")
    assert later.not_before is not None
    assert at.not_before is not None
    assert 3000 < at.not_before - later.not_before < 3600


def test_a_type_it_does_not_handle_and_a_payload_that_does_not_fit(bench: Bench) -> None:
    assert bench.run("", kind="strange").kind == "refused"
    assert "what: is missing" in bench.run("", payload="{}").error


def test_the_black_box_says_what_is_in_hand(bench: Bench) -> None:
    assert bench.ready.wait(10)
    bench.runner.tray.put([bench.lease("wait")])
    while (hand := read(bench.folder, "worker.1")) is None:
        assert bench.runner.is_alive()
    assert (hand.row, hand.fence) == (1, 5)
    bench.made[0].gate.set()
    bench.outcomes.get(timeout=10)
    assert read(bench.folder, "worker.1") is None


def test_what_was_not_begun_can_be_withdrawn(bench: Bench) -> None:
    assert bench.ready.wait(10)
    bench.runner.tray.put([bench.lease("wait")])
    while bench.runner.current is None:
        assert bench.runner.is_alive()
    later = [bench.lease("echo"), bench.lease("echo")]
    bench.runner.tray.put(later)
    assert bench.runner.tray.withdraw() == later
    bench.made[0].gate.set()
    assert bench.outcomes.get(timeout=10).row == 1


def test_an_empty_bucket_raises_or_waits(tmp_path: Path) -> None:
    rate = SendRate(1, 3, wait=False)
    rate.charge(threading.Event())
    raising = Bench(tmp_path, rate=rate)
    outcome = raising.run("send")
    assert outcome.kind == "limited"  # given back until there are three tokens
    assert rate.level() == pytest.approx(2, abs=0.5)  # what it had taken was not used
    raising.close()
    waiting = Bench(tmp_path, rate=SendRate(6000, 1, wait=True))
    outcome = waiting.run("send")
    waiting.close()
    assert (outcome.kind, len(outcome.sends)) == ("done", 3)
    assert outcome.duration_ms >= 15


def test_more_sends_than_the_bucket_holds_are_an_error_that_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=SendRate(1, 2, wait=False))
    outcome = bench.run("send")
    bench.close()
    assert outcome.kind == "error"
    assert "allows 2 messages at once, and this handler sends 3 or more" in outcome.error
    assert f"; at {__file__}:" in outcome.error


@pytest.mark.parametrize(("what", "left"), [("send", 0), ("count-then-fail", 3)])
def test_tokens_are_for_what_is_sent(tmp_path: Path, what: str, left: int) -> None:
    rate = SendRate(1, 3, wait=False)
    bench = Bench(tmp_path, rate=rate, state=StateCell(4, "{}"))
    assert bench.run(what).kind == ("error" if left else "done")
    bench.close()
    assert rate.level() == pytest.approx(left, abs=0.5)


def test_a_refused_send_says_its_mistake_once(bench: Bench) -> None:
    assert bench.run("nobody").error.count("nobdy") == 2  # the send and its mistake


def test_a_wait_for_tokens_ends_when_the_agent_stops(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=SendRate(0.001, 1, wait=True))
    bench.runner.tray.put([bench.lease("send")])
    bench.runner.wind_up()
    assert bench.outcomes.get(timeout=10).kind == "limited"
    bench.close()


def test_only_the_handler_of_a_cancelled_lease_is_told(bench: Bench) -> None:
    waits, follows = bench.lease("until-cancelled"), bench.lease("is-cancelled")
    assert not bench.runner.cancel(waits.claim)  # nothing is in hand
    bench.runner.tray.put([waits, follows])
    assert bench.ready.wait(10)
    assert bench.made[0].begun.wait(10)
    assert not bench.runner.cancel(follows.claim)
    assert not bench.runner.cancel((waits.row, waits.fence + 1))
    assert bench.runner.cancel(waits.claim)
    assert bench.outcomes.get(timeout=10).result == '"cancelled"'
    assert bench.outcomes.get(timeout=10).result == "false"


def test_a_handler_is_told_once(bench: Bench) -> None:
    lease = bench.lease("wait")
    bench.runner.tray.put([lease])
    assert bench.ready.wait(10)
    assert bench.made[0].begun.wait(10)
    assert [bench.runner.cancel(lease.claim) for _ in range(3)] == [True, False, False]


def test_when_the_agent_winds_up_every_handler_is_told(bench: Bench) -> None:
    bench.runner.wind_up()
    assert bench.run("is-cancelled").result == bench.run("is-cancelled").result == "true"


def test_a_lease_can_be_taken_off_the_tray() -> None:
    tray = Tray()
    leases = [Lease(row, 1, f"id-{row}", "cli", "do", "{}", 5, 1, "root") for row in range(3)]
    tray.put(leases)
    assert tray.remove((1, 1))
    assert not tray.remove((1, 1))
    assert not tray.remove((2, 7))
    assert tray.withdraw() == [leases[0], leases[2]]


def test_rate_limit_errors_say_when(tmp_path: Path) -> None:
    rate = SendRate(60, 1, wait=False)
    rate.charge(threading.Event())
    with pytest.raises(RateLimitError) as caught:
        rate.charge(threading.Event())
    assert 0 < caught.value.retry_after <= 1
    assert rate.level() < 1


def test_an_agent_that_cannot_start_says_why(tmp_path: Path) -> None:
    class Broken(Agent):
        def start(self) -> None:
            raise RuntimeError("no key")

    failed: queue.SimpleQueue[str] = queue.SimpleQueue()
    bench = Workbench("b", tmp_path, {}, None, None, BlackBox(tmp_path, "b.1"), 1000, logging.getLogger("test"))
    Runner(Broken, bench, ready=lambda: None, failed=failed.put, finished=lambda outcome: None).start()
    assert "RuntimeError: no key" in failed.get(timeout=10)


def test_a_payload_over_the_limit_is_refused(tmp_path: Path) -> None:
    class Big(Agent):
        @handles(Do)
        def do(self, msg: Do, ctx: Context) -> None:
            ctx.send("worker", Do("x" * 2000))

    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    recipients = {"worker": frozenset({"do"})}
    bench = Workbench("b", tmp_path, recipients, None, None, BlackBox(tmp_path, "b.1"), 1000, logging.getLogger("test"))
    runner = Runner(Big, bench, ready=lambda: None, failed=lambda text: None, finished=outcomes.put)
    runner.start()
    runner.tray.put([Lease(1, 1, "id", "cli", "do", '{"what":"x"}', 5, 1, "id")])
    assert "larger than the limit of 1000 bytes" in outcomes.get(timeout=10).error
    runner.tray.close()
    runner.join(timeout=10)


def test_a_crash_beside_the_handlers_is_said(tmp_path: Path) -> None:
    class Quiet(Agent):
        @handles(Do)
        def do(self, msg: Do, ctx: Context) -> None: ...

    failed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def broken(outcome: Outcome) -> None:
        raise OSError("as if the actor were gone")

    bench = Workbench("b", tmp_path, {}, None, None, BlackBox(tmp_path, "b.1"), 1000, logging.getLogger("test"))
    runner = Runner(Quiet, bench, ready=lambda: None, failed=failed.put, finished=broken)
    runner.start()
    runner.tray.put([Lease(1, 1, "id", "cli", "do", '{"what":"x"}', 5, 1, "id")])
    assert "OSError beside the handlers" in failed.get(timeout=10)
    runner.join(timeout=10)
