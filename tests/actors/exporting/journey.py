"""Agents whose messages travel: from a scout to a smith to a clerk, and one that fails."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from squad import Agent, Context, Refuse, handles, message


@message("scout")
class Scout:
    spans: bool = False


@message("forge")
class Forge:
    pass


@message("file")
class File:
    pass


@message("stumble")
class Stumble:
    times: int = 1


@message("noted")
class Noted:
    number: int = 0


class Scouting(Agent):
    @handles(Scout)
    def scout(self, msg: Scout, ctx: Context) -> Any:
        if not msg.spans:
            ctx.send("smith", Forge())
            return {"traceparent": ctx.traceparent}
        tracer = TracerProvider().get_tracer("a user's own")
        with tracer.start_as_current_span("look around") as span:
            ctx.send("smith", Forge())
            own, above = span.get_span_context(), span.parent  # type: ignore[attr-defined]
        inside = trace.get_current_span().get_span_context()
        return {
            "traceparent": ctx.traceparent,
            "trace": f"{own.trace_id:032x}",
            "span": f"{own.span_id:016x}",
            "parent": None if above is None else f"{above.span_id:016x}",
            "inside": f"{inside.trace_id:032x}",
        }

    @handles(Noted)
    async def note(self, msg: Noted, ctx: Context) -> str:
        return f"{trace.get_current_span().get_span_context().trace_id:032x}"


class Smith(Agent):
    @handles(Forge)
    def forge(self, msg: Forge, ctx: Context) -> str:
        ctx.send("clerk", File())
        return ctx.traceparent


class Clerk(Agent):
    @handles(File)
    def file(self, msg: File, ctx: Context) -> str:
        return ctx.traceparent

    @handles(Noted)
    def note(self, msg: Noted, ctx: Context) -> int:
        return msg.number

    @handles(Stumble)
    def stumble(self, msg: Stumble, ctx: Context) -> None:
        if msg.times < 0:
            raise Refuse("never")
        if ctx.attempt <= msg.times:
            raise ValueError(f"stumbled {ctx.attempt}")
