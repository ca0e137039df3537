# ruff: noqa: S311 - chance, not secrets
"""A shop's squad, for pictures and for trying the dashboard out: orders come in, are checked, packed and sent."""

from __future__ import annotations

import random
import time

from squad import Agent, Context, Refuse, handles, message


@message("order")
class Order:
    number: int
    customer: str
    items: list[str]


@message("check")
class Check:
    number: int
    customer: str


@message("pack")
class Pack:
    number: int
    items: list[str]


@message("ship")
class Ship:
    number: int


@message("invoice")
class Invoice:
    number: int
    customer: str


class Orders(Agent):
    @handles(Order)
    def order(self, msg: Order, ctx: Context) -> dict[str, int]:
        if not msg.items:
            raise Refuse("an order without items")
        ctx.send("checker", Check(msg.number, msg.customer))
        ctx.send("packer", Pack(msg.number, msg.items))
        ctx.send("billing", Invoice(msg.number, msg.customer))
        return {"number": msg.number}


class Checker(Agent):
    @handles(Check)
    def check(self, msg: Check, ctx: Context) -> dict[str, float]:
        time.sleep(random.lognormvariate(-4.2, 0.9))
        if random.random() < 0.004:
            raise TimeoutError("the register of customers did not answer")
        return {"risk": round(random.random(), 3)}


class Packer(Agent):
    @handles(Pack)
    def pack(self, msg: Pack, ctx: Context) -> dict[str, int]:
        time.sleep(random.lognormvariate(-4.6, 0.6) * len(msg.items))
        if random.random() < 0.02:
            ctx.log.warning("order %d: one of the boxes was damaged", msg.number)
        ctx.send("shipping", Ship(msg.number))
        return {"boxes": 1 + len(msg.items) // 4}


class Shipping(Agent):
    @handles(Ship)
    def ship(self, msg: Ship, ctx: Context) -> dict[str, str]:
        time.sleep(0.004)
        if msg.number % 50 == 0:
            ctx.log.info("order %d is on its way", msg.number)
        return {"label": f"PX{msg.number:09d}"}


class Billing(Agent):
    @handles(Invoice)
    def invoice(self, msg: Invoice, ctx: Context) -> dict[str, int]:
        time.sleep(0.003)
        if msg.number % 701 == 0:
            raise ValueError(f"customer {msg.customer!r} has no address for invoices")
        return {"cents": random.randrange(500, 90000)}
