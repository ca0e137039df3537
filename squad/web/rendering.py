"""Templates to HTML. Everything is escaped unless a template of ours says otherwise; jinja2 is imported with this."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from squad.durations import format_size
from squad.store.times import iso
from squad.terminal import escape as visible
from squad.web import wording


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("squad.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        count=wording.count,
        rate=wording.rate,
        size=_size,
        took=wording.took,
        percent=wording.percent,
        visible=_visible,
        pretty=pretty,
        segment=lambda text: quote(str(text), safe=""),
        moment=moment,
        first_line=wording.first_line,
        worker_name=wording.worker_name,
    )
    made.globals.update(link=link, state_tone=wording.state_tone, status_tone=wording.status_tone)
    return made


def page(name: str, context: dict[str, Any]) -> str:
    """The whole document."""
    body = Markup(fragment(name, context))  # noqa: S704 - made by a template, which has escaped it
    return environment().get_template("document.html").render(context, body=body)


def fragment(name: str, context: dict[str, Any]) -> str:
    """What is live of it: all that is seen."""
    return environment().get_template(name).render(context)


def link(path: str, /, **parameters: object) -> str:
    """``path`` with the parameters that have a value."""
    given = {name.rstrip("_"): value for name, value in parameters.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given)}" if given else path


def moment(at: str | float | None, how: str = "age") -> Markup:
    """A time, as the page's script shows it in the reader's zone: ``age``, ``clock``, ``exact`` or ``date``. Without a
    script it is UTC."""
    if at is None or at == "":
        return Markup('<span class="none">{}</span>').format(wording.UNKNOWN)
    text = iso(at) if isinstance(at, int | float) else at
    return Markup('<time datetime="{0}" data-as="{1}" title="{0}">{2}</time>').format(text, how, text[:19] + "Z")


def pretty(text: str | None) -> str:
    """JSON text with its lines, for people; as it is when it is none."""
    if text is None:
        return ""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _visible(text: object) -> str:
    """Control characters and what reverses the direction of writing, shown as escapes; lines stay lines."""
    return visible(str(text), lines=True)


def _size(number: float | None) -> str:
    return wording.UNKNOWN if number is None else format_size(int(number))
