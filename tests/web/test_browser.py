"""The pages in a real browser: live without flicker, in both themes, on a phone, by keyboard; and what buttons do."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from squad.config.schema import AgentConfig, SquadConfig, StoreConfig
from squad.ids import new_id
from squad.store.rows import NewTask
from squad.store.writer import Writer
from squad.web import site
from squad.web.gate import Gate
from tests.running import RunningSquad, eventually
from tests.web import browser as browsers
from tests.web.stand_ins import core, gate_of, row, served

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing() or "-")]

LIVELY = Path(__file__).parent / "lively"
TOKEN = "the-token-of-the-corner-shop"  # noqa: S105 - a test's
CONFIG = SquadConfig(agents={"scanner": AgentConfig.model_validate({"class": "./a.py:A"})})
WIDE = "return document.documentElement.scrollWidth <= window.innerWidth"
TEXT = "return document.querySelector(arguments[0])?.textContent"


@pytest.fixture(scope="module")
def opened() -> Iterator[Chrome]:
    with browsers.chromium(zone="Asia/Kolkata") as found:
        yield found


@pytest.fixture
def browser(opened: Chrome) -> Chrome:
    """Without a page, and without what was complained of before."""
    opened.get("about:blank")
    browsers.complaints(opened)
    return opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Writer]:
    with closing(Writer(tmp_path / "squad.db", StoreConfig())) as writer:
        yield writer


@pytest.fixture
def state() -> dict[str, Any]:
    return {"state": "idle"}


@pytest.fixture
def port() -> Iterator[int]:
    """One that is nobody else's while a server of it is away: bound by us, and never listened on."""
    with closing(socket.socket()) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server has it: it may use the port as well
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture
def address(store: Writer, state: dict[str, Any]) -> Iterator[str]:
    with served(gate_of(store.path, CONFIG, lambda: [*core(), row("scanner", **state)])) as url:
        yield url


def send(store: Writer, number: int = 1) -> None:
    with store.transaction():
        store.submit([NewTask(new_id(), "test", "scanner", "scan", "{}") for _ in range(number)], time.time())


def says(browser: Chrome, where: str, what: str) -> bool:
    return what in (browser.execute_script(TEXT, where) or "")


def test_a_page_is_live_and_leaves_alone_what_has_not_changed(
    browser: Chrome, address: str, store: Writer, state: dict[str, Any]
) -> None:
    browser.get(address)
    eventually(lambda: says(browser, ".verdict h1", "All is well."), "the verdict")
    # Marks that a page drawn anew would lose: a property of an element, the focus, an opened detail, the scroll.
    browser.execute_script(
        "document.querySelector('#t-scanner').mark = 1; document.querySelector('#t-scanner a').focus();"
    )
    send(store, 3)
    eventually(lambda: says(browser, "#t-scanner", "3"), "the queue's depth, live")
    state |= {"state": "quarantined", "last_error": "<b>no such disk</b>"}
    eventually(lambda: says(browser, ".verdict h1", "One thing is wrong."), "the verdict, live")
    assert says(browser, ".attention", "<b>no such disk</b>")
    assert browser.execute_script("return document.querySelector('#t-scanner').mark") == 1
    assert browser.execute_script("return document.activeElement.textContent") == "scanner"
    assert browsers.complaints(browser) == []


def test_a_page_that_is_not_live_says_so_and_comes_back(
    browser: Chrome, store: Writer, state: dict[str, Any], port: int
) -> None:
    def gate() -> Gate:
        return gate_of(store.path, CONFIG, lambda: [*core(), row("scanner", **state)])

    away = "return document.documentElement.classList.contains('away')"
    with served(gate(), port) as address:
        browser.get(address)
        eventually(lambda: says(browser, ".verdict h1", "All is well."), "the verdict")
        send(store)
        eventually(lambda: says(browser, "#t-scanner", "1"), "live")
        assert not browser.execute_script(away)
    eventually(lambda: says(browser, "#link-lost", "not live since"), "that nobody answers")
    assert browser.execute_script(away)  # "All is well" is not said as if it were known
    browsers.resize(browser, 360, 740)
    assert browser.execute_script(WIDE)
    browsers.resize(browser, 1280, 900)
    state |= {"state": "quarantined"}
    with served(gate(), port):
        eventually(lambda: says(browser, ".verdict h1", "One thing is wrong."), "the verdict, live again")
        assert not browser.execute_script(away)
        assert browser.execute_script(TEXT, "#link-lost") == ""


def test_a_page_whose_stream_is_refused_stays_and_says_that_it_is_not_live(
    browser: Chrome, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "_MOST_STREAMS", 0)
    browser.get(address)
    eventually(lambda: says(browser, "#link-lost", "not live since"), "that it is not live")
    assert says(browser, ".verdict h1", "All is well.")


def test_times_are_the_readers_with_the_exact_value_on_hover(browser: Chrome, address: str, store: Writer) -> None:
    with store.transaction():
        store.submit([NewTask(new_id(), "test", "scanner", "scan", "{}")], 1_790_000_000.25)  # 14:13:20 UTC
    browser.get(f"{address}/messages")
    eventually(lambda: says(browser, "td.when time", "19:43:20"), "the time in Kolkata, 5.5 hours ahead")
    title = browser.execute_script("return document.querySelector('td.when time').title")
    assert "19:43:20.250" in title
    assert "2026-09-21T14:13:20.250Z" in title


def test_the_theme_follows_the_system_until_one_is_chosen(browser: Chrome, address: str) -> None:
    ground = "return getComputedStyle(document.body.parentElement).backgroundColor"
    browser.get(address)
    light = browser.execute_script(ground)
    browsers.theme(browser, dark=True)
    dark = browser.execute_script(ground)
    assert dark != light
    browser.execute_script("document.querySelector('#theme').click()")
    assert browser.execute_script(ground) == light
    browser.get(f"{address}/queues")
    assert browser.execute_script(ground) == light
    browser.execute_script("localStorage.clear()")
    browsers.theme(browser, dark=False)


def test_every_page_fits_a_phone_and_obeys_the_policy(browser: Chrome, address: str, store: Writer) -> None:
    send(store, 5)
    browsers.resize(browser, 360, 740)
    try:
        pages = ("/", "/agents/scanner", "/messages", "/dead", "/queues", "/latency", "/resources", "/events")
        for page in (*pages, "/alerts", "/schedules", "/configuration", "/login"):
            browser.get(address + page)
            assert browser.execute_script(WIDE), page
            assert browsers.complaints(browser) == [], page
    finally:
        browsers.resize(browser, 1280, 900)


def test_the_keyboard_reaches_everything(browser: Chrome, address: str, store: Writer) -> None:
    from selenium.webdriver.common.keys import Keys

    send(store)
    browser.get(f"{address}/messages")
    body = browser.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    assert browser.execute_script("return document.activeElement.className") == "skip"
    body.send_keys("/")
    assert browser.execute_script("return document.activeElement.id") == "text"
    browser.switch_to.active_element.send_keys("nowhere", Keys.ENTER)
    eventually(lambda: "text=nowhere" in browser.current_url, "the search in the address")
    eventually(lambda: says(browser, "main", "No message fits"), "an answer")
    nameless = """
        return [...document.querySelectorAll('a, button, input:not([type=hidden]), select')].filter((element) =>
            !(element.textContent.trim() || element.ariaLabel || element.labels?.length)).map((e) => e.outerHTML)
    """
    assert browser.execute_script(nameless) == []


def test_tables_are_sorted_by_keyboard_and_stay_so(
    browser: Chrome, address: str, store: Writer, state: dict[str, Any]
) -> None:
    from selenium.webdriver.common.keys import Keys

    first = "return document.querySelector('#processes tbody tr').id"
    sorted_by = "return document.querySelector('#processes th[aria-sort]')?.ariaSort"
    browser.get(f"{address}/resources?span=1h")
    assert browser.execute_script(sorted_by) == "descending"  # by memory
    browser.find_element("css selector", "#processes button[value=name]").send_keys(Keys.ENTER)
    eventually(lambda: browser.current_url.endswith("/resources?span=1h&sort=name#processes"), "the order, shared")
    assert browser.execute_script(first) == "p-monitor"
    browser.find_element("css selector", "#processes button[value='-name']").send_keys(Keys.SPACE)
    eventually(lambda: "sort=-name" in browser.current_url, "the other way round")
    assert browser.execute_script(first) == "p-supervisor"
    assert browser.execute_script(sorted_by) == "descending"
    state["restarts"] = 7
    eventually(lambda: says(browser, "#p-scanner", "7"), "what has changed, live")
    assert browser.execute_script(first) == "p-supervisor"
    assert browsers.complaints(browser) == []


def test_with_the_token_dead_letters_are_mended_and_replayed(browser: Chrome, tmp_path: Path) -> None:
    """A real squad, from the sign-in page on."""
    squad = RunningSquad(tmp_path / "home", LIVELY / "squad.yaml", env={"SHOP_TOKEN": TOKEN})
    with squad:
        address = squad.cli("dashboard", "--print").stdout.strip().rstrip("/")
        task = squad.send("orders", "order", {"number": 1, "customer": "Ada", "items": []})
        squad.wait(task)
        page = f"{address}/messages/{task}"
        browser.get(page)
        assert browser.find_elements("css selector", "[data-call]") == []

        browser.get(f"{address}/login?next=/messages/{task}")
        browser.find_element("id", "token").send_keys("not-the-token-of-the-shop")
        browser.find_element("css selector", "form button.strong").click()
        eventually(lambda: says(browser, "main", "That is not the token"), "a refusal")
        browser.find_element("id", "token").send_keys(TOKEN)
        browser.find_element("css selector", "form button.strong").click()
        eventually(lambda: browser.current_url == page, "the page that was asked for")
        assert browser.execute_script("return document.cookie") == ""  # no script can read it

        field = browser.find_element("css selector", "textarea")
        field.clear()
        field.send_keys('{"number": 1, "customer": "Ada", "items": [7]}')
        field.find_element("xpath", "./ancestor::form").find_element("tag name", "button").click()
        eventually(lambda: says(browser, "#told", "items"), "the type's refusal, in words")
        field.clear()
        field.send_keys('{"number": 9007199254740993, "customer": "Ada", "items": ["tea"]}')
        field.find_element("xpath", "./ancestor::form").find_element("tag name", "button").click()
        eventually(lambda: says(browser, "#told", "The payload is changed"), "the new payload")
        assert json.loads(squad.task(task)["payload"])["number"] == 2**53 + 1  # which a script would round

        browser.get(f"{address}/dead")
        browser.find_element("css selector", "input[name=chosen]").click()
        browser.find_element("xpath", "//button[text()='Replay chosen']").click()
        eventually(lambda: says(browser, "#sure-text", "Replay the 1 chosen?"), "the question")
        browser.find_element("css selector", "#sure button[value=yes]").click()
        squad.wait(task, tree=True)
        eventually(lambda: squad.task(task)["status"] == "completed", "the message handled again")
        eventually(lambda: says(browser, "main", "No dead letters"), "the list without it, live")
        refused = [text for text in browsers.complaints(browser) if "Content Security Policy" in text]
        assert refused == []

        browser.execute_script("document.querySelector('main').mark = 1")
        squad.kill("gateway")
        eventually(lambda: squad.health() is not None, "the next gateway")
        squad.wait(squad.send("orders", "order", {"number": 2, "customer": "Ken", "items": []}))
        eventually(lambda: says(browser, "main", "an order without items"), "the page, live with the next gateway")
        assert browser.execute_script("return document.querySelector('main').mark") == 1  # it was not loaded again
        assert browser.find_elements("css selector", "[data-chosen]") != []  # and still may change things
