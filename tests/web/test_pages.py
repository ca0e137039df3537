"""Every page over a store with all that may be in one: it answers, and nothing that came in a message does anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from starlette.routing import Route

from squad.config.schema import AgentConfig, ConvoyConfig, SquadConfig, StoreConfig
from squad.events import event
from squad.ids import new_id
from squad.store.database import open_reader
from squad.store.queries import Filter, messages
from squad.store.rows import NewTask, Outcome
from squad.store.times import iso
from squad.store.writer import Writer
from squad.web import Gate, routes
from squad.web.pages import PAGES
from tests.store import singly
from tests.web.stand_ins import convoy, core, gate_of, row, served

T0 = 1_790_000_000.0
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\" onmouseover='x' {{ 7*7 }}\x1b[31m\u202e"
CONFIG = SquadConfig(
    name="stand-in",
    agents={"scanner": AgentConfig.model_validate({"class": "./a.py:A", "options": {"api_key": "s3cret-value"}})},
    convoys={"checker": ConvoyConfig.model_validate({"class": "./a.py:A", "min": 1, "max": 4})},
)


def _rows() -> list[dict[str, Any]]:
    busy = {"id": new_id(), "type": HOSTILE, "since": iso(T0)}
    down = row("scanner", state="quarantined", last_error=HOSTILE, current=busy, restarts=3, last_cause="crash")
    return [*core(), down, *convoy("checker", 2)]


def _schedules(path: Path) -> list[dict[str, Any]]:
    """Hostile, but for what the configuration lets nobody write."""
    plain = {"timezone": "Europe/Berlin", "recipient": "scanner", "type": HOSTILE, "priority": 5, "missed": "once"}
    kept = {"planned": iso(T0), "id": ids(path)[0]}
    gone = {"planned": iso(T0), "id": "ffffffff-0000-7000-8000-000000000000"}
    return [
        plain | {"name": "nightly", "cron": "0 6 * * 1-5", "next": iso(T0 + 9), "last": kept},
        plain | {"name": "rare", "cron": "0 0 29 2 *", "next": None, "last": None},
        plain | {"name": "old", "cron": "0 0 1 1 *", "next": iso(T0 + 5), "last": gone},
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every text that came from outside is hostile."""
    path = tmp_path_factory.mktemp("store") / "squad.db"
    payload, result = json.dumps({"text": HOSTILE}), json.dumps(HOSTILE)
    with closing(Writer(path, StoreConfig())) as writer, writer.transaction():
        root = NewTask(new_id(), HOSTILE, "scanner", "scan", payload, key=HOSTILE)
        below = [NewTask(new_id(), "scanner", "checker", "check", payload, parent_id=root.task_id) for _ in range(3)]
        writer.submit([root, *below], T0)
        for kind in ("done", "refused"):
            (lease,) = singly.claim(writer, "checker", "checker-1.x", 1, T0)
            outcome = Outcome(lease.row, lease.fence, kind, T0, 5, result, HOSTILE)
            singly.settle(writer, "checker-1.x", "checker", [outcome], T0, lambda recipient, how, attempts: None)
        writer.record_events([event("restarted", "scanner", reason=HOSTILE, cause="crash")], T0)
    (path.parent / "logs").mkdir()
    record = {"at": iso(T0), "name": "scanner", "level": "INFO", "message": HOSTILE}
    (path.parent / "logs" / "scanner.jsonl").write_text(json.dumps(record) + "\n")
    return path


@pytest.fixture(scope="module", params=[True, False], ids=["may change", "read-only"])
def address(path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with served(gate_of(path, CONFIG, _rows, write=request.param, schedules=_schedules(path))) as url:
        yield url


def get(url: str) -> tuple[int, str]:
    try:
        with urlopen(Request(url), timeout=20) as answer:  # noqa: S310 - ours
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def ids(path: Path) -> list[str]:
    with open_reader(path) as pool, pool.connection() as database:
        return [message.task_id for message in messages(database, Filter())]


def addresses(path: Path) -> list[str]:
    """All pages, each with what its path may name."""
    found = []
    for page in PAGES:
        if "{name}" in page.path:
            found += [page.path.format(name=name) for name in ("scanner", "checker", "checker-1", "storage")]
        elif "{id}" in page.path:
            found += [page.path.format(id=task_id) for task_id in ids(path)]
        else:
            found.append(page.path)
    return [*found, "/login", "/login?wrong=1"]


class _Document(HTMLParser):
    """What a browser would run or fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str | None] = []
        self.elements: list[str] = []
        self.bad: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.append(tag)
        if tag == "script":
            self.scripts.append(given.get("src"))
        self.bad += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        self.bad += [
            value for value in (given.get("href"), given.get("src")) if value and not value.startswith(("/", "#"))
        ]
        if (name := given.get("id")) is not None:
            self.ids.append(name)


def test_every_page_answers_and_holds_nothing_that_a_message_could_run(address: str, path: Path) -> None:
    for place in addresses(path):
        status, text = get(address + place)
        assert status == 200, (place, text)
        document = _Document(text)
        assert document.bad == [], place
        assert None not in document.scripts, place
        assert "img" not in document.elements, place
        assert "alert(1)" not in text or "&lt;script&gt;alert(1)" in text, place
        assert "\x1b" not in text, place
        assert "\u202e" not in text or "textarea" in document.elements, place  # where it is edited it stays as it is
        assert "<noscript" in text, place  # without scripts nothing is live: that must not look as if it were
        assert "49" not in re.findall(r"onmouseover=.{0,20}", text), place
        assert len(document.ids) == len(set(document.ids)), (place, sorted(document.ids))


def test_hostile_queries_are_answered_and_escaped(address: str) -> None:
    fields = ("text", "agent", "type", "status", "sender", "error", "span", "kind", "next", "sort")
    for page in (*(page.path for page in PAGES if "{" not in page.path), "/login", "/series"):
        for field in fields:
            status, text = get(f"{address}{page}?{field}={quote(HOSTILE)}")
            assert status in (200, 422), (page, field, text)
            if page != "/series":
                assert _Document(text).bad == [], (page, field)
                assert "<script>alert(1)" not in text, (page, field)


@pytest.mark.parametrize(
    ("place", "status", "said"),
    [
        ("/agents/nobody", 404, "no agent, convoy or part of the core is called"),
        ("/agents/scaner", 404, "scanner"),
        ("/messages/ffffffff-0000-7000-8000-000000000000", 404, "there is no message"),
        ("/messages?before=x", 422, "before must be a whole number"),
        ("/messages?since=yesterday", 422, "since"),
        ("/messages?text=" + "x" * 1001, 422, "longer than 1,000 characters"),
        ("/series?chart=none", 422, "there is no such chart"),
        ("/static/../site.py", 404, "no such file"),
        ("/static/carried/../../site.py", 404, "no such file"),
    ],
)
def test_what_cannot_be_shown_is_said(address: str, place: str, status: int, said: str) -> None:
    found, text = get(address + place)
    assert (found, said in text) == (status, True), text


def named(text: str, start: str) -> list[str]:
    """The rows' names, in the order in which they are shown."""
    return re.findall(rf'<tr id="{start}-([^"]+)"', text)


def test_schedules_are_listed_in_words_with_what_came_of_them(address: str, path: Path) -> None:
    text = get(f"{address}/schedules")[1]
    assert named(text, "s") == ["old", "nightly", "rare"]  # the next first
    assert "At 06:00 on Monday through Friday" in text
    assert f'href="/messages/{ids(path)[0]}"' in text
    assert "its message is no longer kept" in text
    assert "/messages/ffffffff" not in text
    assert '<a href="/schedules" aria-current="page">' in text


@pytest.mark.parametrize(
    ("place", "start", "first"),
    [
        ("/?sort=-name", "t", "scanner"),
        ("/?sort=name", "t", "checker"),
        ("/?sort=state", "t", "scanner"),
        ("/queues?sort=name&span=1h", "q", "checker"),
        ("/queues?sort=-name&span=1h", "q", "scanner"),
        ("/resources?sort=name", "p", "checker-1"),
        ("/resources?sort=-restarts", "p", "scanner"),
        ("/latency?sort=-name", "l-agent", ""),
        ("/schedules?sort=-name", "s", "rare"),
    ],
)
def test_tables_are_sorted_as_the_address_says(address: str, place: str, start: str, first: str) -> None:
    text = get(address + place)[1]
    key = place.partition("sort=")[2].partition("&")[0]
    assert ("\n".join(named(text, start)[:1])) == first
    assert text.count('aria-sort="descending"' if key.startswith("-") else 'aria-sort="ascending"') in (0, 1, 2)
    other = key.removeprefix("-") if key.startswith("-") else f"-{key}"
    if first:
        assert f'name="sort" value="{other}"' in text  # what the next click asks for
    if "span" in place:
        assert '<input type="hidden" name="span" value="1h">' in text
        assert f"sort={key}" in text  # another span keeps the order


def test_secrets_of_the_configuration_are_hidden(address: str) -> None:
    text = get(f"{address}/configuration")[1]
    assert "api_key" in text
    assert "s3cret-value" not in text


def test_only_who_has_shown_the_token_sees_what_changes_something(address: str, path: Path, request: Any) -> None:
    may_change = "may change" in request.node.name
    dead = (
        next(task_id for task_id in ids(path) if ">Replay<" in get(f"{address}/messages/{task_id}")[1])
        if may_change
        else None
    )
    assert ("data-call" in get(f"{address}/dead")[1]) is may_change
    assert ("data-call" in get(f"{address}/agents/scanner")[1]) is may_change
    if dead is not None:
        assert f'data-call="PUT /v1/dead/{dead}"' in get(f"{address}/messages/{dead}")[1]


def test_the_calls_of_all_buttons_are_routes_of_the_gateway(address: str, path: Path) -> None:
    from squad.actors.gateway import attending, holding, ordering, steering

    text = "".join(Path(module.__file__ or "").read_text() for module in (attending, holding, ordering, steering))
    calls = {
        call
        for place in addresses(path)
        for call in re.findall(r'data-call="(\w+ /v1/[^"]*)"', get(address + place)[1])
    }
    for call in calls:
        method, place = call.split(" ")
        form = re.sub(r"/(scanner|checker|checker-1|storage)/", "/{name}/", place)
        form = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{id}", form)
        assert f'"{form}"' in text, call
        assert method in ("POST", "PUT"), call


def test_a_store_without_messages_has_pages_that_say_what_will_be_there(tmp_path: Path) -> None:
    with closing(Writer(tmp_path / "squad.db", StoreConfig())):
        pass
    with served(gate_of(tmp_path / "squad.db", SquadConfig(), core)) as url:
        assert "All is well." in get(f"{url}/")[1]
        assert "No agents yet" in get(f"{url}/")[1]
        assert "No messages yet" in get(f"{url}/messages")[1]
        assert "No dead letters" in get(f"{url}/dead")[1]
        assert "No schedules" in get(f"{url}/schedules")[1]
        assert "No alert goes on" in get(f"{url}/alerts")[1]
        assert "Nothing was handled in this time" in get(f"{url}/latency")[1]


def event_of(stream: Any) -> str:
    """The next event of a stream, decoded."""
    lines: list[str] = []
    while line := stream.readline().decode().rstrip("\n"):
        lines.append(line.removeprefix("data: "))
    return "\n".join(lines)


def test_a_stream_says_what_is_seen_and_no_more_until_that_changes(path: Path) -> None:
    rows = [*core(), row("scanner")]
    with served(gate_of(path, CONFIG, lambda: list(rows))) as url:
        with urlopen(f"{url}/live/agents/scanner", timeout=20) as stream:  # noqa: S310
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            first = event_of(stream)
            assert first.lstrip().startswith("<header")
            assert "<!doctype" not in first
            rows[-1] = row("scanner", restarts=7)
            assert re.sub(r"\s+", "", event_of(stream)) != re.sub(r"\s+", "", first)
        with urlopen(f"{url}/live/agents/nobody", timeout=20) as stream:  # noqa: S310
            assert stream.read() == b""


def test_files_are_sent_once(address: str) -> None:
    with urlopen(f"{address}/static/squad.css", timeout=20) as answer:  # noqa: S310
        tag = answer.headers["ETag"]
    with pytest.raises(HTTPError) as error:
        urlopen(Request(f"{address}/static/squad.css", headers={"If-None-Match": tag}), timeout=20)  # noqa: S310
    assert error.value.code == 304
    error.value.close()


def test_every_file_that_a_page_names_is_there_with_the_licences_of_what_is_carried(address: str) -> None:
    text = get(f"{address}/")[1]
    for place in set(re.findall(r'(?:src|href)="(/static/[^"#]+)', text)):
        assert get(address + place)[0] == 200, place
    for name in ("htmx", "uplot"):
        assert "WARRANT" in get(f"{address}/static/carried/{name}.LICENSE")[1]


def test_all_routes_only_read(path: Path) -> None:
    gate: Gate = gate_of(path, CONFIG)
    for route in routes(gate):
        assert isinstance(route, Route)
        assert route.methods == {"GET", "HEAD"}
    gate.pool.close()
