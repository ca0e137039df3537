"""The agents of the soak."""

from __future__ import annotations

from squad import Agent, Context, Reply, handles, message


@message("entry")
class Entry:
    entry: int
    how: str = ""


@message("post")
class Post:
    entry: int


@message("booked")
class Booked:
    entry: int


@message("tick")
class Tick:
    pass


class Desk(Agent):
    """One entry in ten goes on to the convoy, and from there to the book; some ask for a reply, some fail at first."""

    @handles(Entry)
    def entry(self, msg: Entry, ctx: Context) -> None:
        if msg.how == "raise" and ctx.attempt == 1:
            raise ValueError("as asked")
        ctx.state["entries"] = ctx.state.get("entries", 0) + 1
        if msg.how == "stamp":
            ctx.send("printer", "stamp", {"entry": msg.entry})
        if msg.entry % 3 == 0:
            ctx.send("clerk", Post(msg.entry), reply_to=True if msg.entry % 30 == 0 else None)

    @handles(Reply)
    def reply(self, msg: Reply, ctx: Context) -> None:
        ctx.state["replies"] = ctx.state.get("replies", 0) + 1


class Clerk(Agent):
    @handles(Post)
    def post(self, msg: Post, ctx: Context) -> int:
        ctx.send("book", Booked(msg.entry))
        return msg.entry


class Book(Agent):
    @handles(Booked)
    def booked(self, msg: Booked, ctx: Context) -> None:
        ctx.state["booked"] = ctx.state.get("booked", 0) + 1

    @handles(Tick)
    def tick(self, msg: Tick, ctx: Context) -> None:
        ctx.state["ticks"] = ctx.state.get("ticks", 0) + 1
