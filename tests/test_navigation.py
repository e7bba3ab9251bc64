"""From page to page: before Material's script is there, on a slow line, by Back, after a reload, by keyboard."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from browsing import NO_WORKER, Server, mounted, serve, stop, until
from playwright.sync_api import Browser, Page, Route, expect

CHAPTER = "fundamentals/metrics.html"
OTHER = "fundamentals/losses.html"
MATERIAL = "**/bundle.*.js"
WATCH_SHIFTS = (
    "window.shifts = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => (shifts += e.value)))"
    ".observe({ type: 'layout-shift' })"
)
TOP = "Math.round(document.querySelector(':target').getBoundingClientRect().top)"


@pytest.fixture(params=["desktop", "phone"])
def reader(request, browser: Browser, address: str) -> Iterator[Page]:
    kinds = {
        "desktop": {"viewport": {"width": 1280, "height": 900}},
        "phone": {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True},
    }
    context = browser.new_context(base_url=address, **kinds[request.param])
    context.add_init_script(NO_WORKER)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def follow(page: Page, url: str) -> None:
    """Follow a link to `url`, a path in the site, that is put into the page."""
    page.evaluate(
        "url => { const link = Object.assign(document.createElement('a'), { href: new URL(url, location.origin + '/') });"
        " document.querySelector('article').prepend(link); link.click() }",
        url,
    )


def opened(page: Page, url: str) -> None:
    page.goto(url)
    mounted(page)


PLACES = "[...document.querySelectorAll('article p')].map((p) => p.getBoundingClientRect().top)"


def read(page: Page) -> tuple[int, float]:
    """Read on; return the number of a paragraph in the window, and where it stands."""
    for y in range(0, 9_600, 400):  # as one reads: what is passed gets its own height
        page.evaluate(f"scrollTo(0, {y})")
        page.wait_for_timeout(40)
    page.wait_for_timeout(400)
    places = page.evaluate(PLACES)
    return min(enumerate(places), key=lambda row: abs(row[1] - 300))


def is_at(page: Page, place: tuple[int, float]) -> bool:
    """Whether the page is where `read` left it."""
    number, top = place
    return abs(page.evaluate(PLACES)[number] - top) <= 4


def held(page: Page, pattern: str) -> list[Route]:
    """What is asked for by this pattern from now on, which waits until it is continued."""
    routes: list[Route] = []
    page.route(pattern, lambda route: routes.append(route))
    return routes


def test_search_that_was_opened_early_stays_open(reader):
    waiting = held(reader, MATERIAL)
    reader.goto(f"{CHAPTER}#metric-auc", wait_until="domcontentloaded")
    search = reader.get_by_role("combobox", name="Search")
    reader.evaluate("document.getElementById('__search').click()")
    search.fill("precision")
    until(reader, "document.querySelector('script[src*=bundle]:not([type])')")
    reader.wait_for_timeout(300)
    waiting[0].continue_()
    mounted(reader)
    reader.wait_for_timeout(400)  # Material follows the #anchor after 0.125 s
    reader.keyboard.type(" recall")
    expect(search).to_have_value("precision recall")
    expect(search).to_be_focused()
    reader.keyboard.press("Escape")
    assert not reader.evaluate("document.getElementById('__search').checked")


def test_code_whose_button_was_pressed_early_is_copied(reader):
    waiting = held(reader, MATERIAL)
    reader.goto("cuda/matmul.html", wait_until="domcontentloaded")
    until(reader, "document.querySelector('script[src*=bundle]:not([type])')")
    reader.locator(".md-code__button").first.click()
    waiting[0].continue_()
    expect(reader.locator(".md-dialog")).to_have_text(re.compile("Copied"))


@pytest.mark.parametrize("late", [MATERIAL, "**/assets/js/material.js"])
def test_back_before_scripts_are_there_leads_back(reader, late):
    opened(reader, CHAPTER)
    follow(reader, "questions.html")
    expect(reader.locator("article h1")).to_contain_text("All questions")
    waiting = held(reader, late)
    reader.reload(wait_until="commit")
    until(reader, "document.readyState !== 'loading'")
    reader.evaluate("history.back()")
    if late != MATERIAL:
        reader.wait_for_timeout(300)
        waiting[0].continue_()
    expect(reader.locator("article h1")).to_contain_text("Metrics")
    reader.unroute_all(behavior="ignoreErrors")


def test_a_page_with_styles_of_its_own_is_shown_with_them(reader):
    opened(reader, CHAPTER)
    reader.evaluate(WATCH_SHIFTS)
    waiting = held(reader, "**/notebook.css")
    follow(reader, "notebooks/cuda/transpose.html")
    until(reader, "document.querySelector('.nb-cell')")
    reader.wait_for_timeout(500)
    assert reader.evaluate("getComputedStyle(document.querySelector('.nb-cell')).visibility") == "hidden"
    waiting[0].continue_()
    expect(reader.locator("article h1")).to_be_visible()
    reader.wait_for_timeout(300)
    assert reader.evaluate("shifts") <= 0.01


class Late(Server):
    """Sends one chapter a second late."""

    def do_GET(self) -> None:
        if self.path.startswith(f"/{OTHER}"):
            time.sleep(1)
        return super().do_GET()


@pytest.mark.parametrize("hash_", ["", "#loss-hinge"])
def test_a_page_begins_where_the_link_leads_whatever_the_reader_does_meanwhile(reader, built, hash_):
    server = serve(built, handler=Late)
    address = f"http://127.0.0.1:{server.server_port}/"
    opened(reader, address + CHAPTER)
    reader.evaluate("scrollTo(0, 3000)")
    reader.wait_for_timeout(300)
    follow(reader, OTHER + hash_)
    loads: list[str] = []
    reader.on("load", lambda page: loads.append(page.url))
    reader.wait_for_timeout(200)
    reader.evaluate("dispatchEvent(new WheelEvent('wheel')); scrollBy(0, 500)")
    expect(reader.locator("article h1")).to_contain_text("Loss")
    reader.wait_for_timeout(1200)
    if hash_:
        assert 40 <= reader.evaluate(TOP) <= 90
    else:
        assert reader.evaluate("scrollY") == 0
    assert loads == [], "instant navigation"
    stop(server)


def test_a_reload_keeps_the_place(reader):
    opened(reader, CHAPTER)
    place = read(reader)
    reader.reload()
    mounted(reader)
    reader.wait_for_timeout(500)
    assert is_at(reader, place)


@pytest.mark.parametrize("hash_", ["", "#loss-hinge"])
def test_back_while_the_next_page_is_on_its_way_leads_to_the_place(reader, hash_):
    opened(reader, CHAPTER)
    place = read(reader)
    held(reader, f"**/{OTHER}")
    follow(reader, OTHER + hash_)
    reader.wait_for_timeout(300)
    reader.evaluate("document.querySelector('article').dataset.left = ''; history.back()")
    until(reader, "!document.querySelector('[data-left]')")
    reader.wait_for_timeout(500)
    assert is_at(reader, place)
    reader.unroute_all(behavior="ignoreErrors")
    follow(reader, OTHER)  # and the next begins at its top
    expect(reader.locator("article h1")).to_be_focused()
    assert reader.evaluate("scrollY") == 0


@pytest.mark.parametrize("slow", [False, True])
def test_back_while_styles_are_on_their_way_leads_to_the_place(reader, slow):
    opened(reader, CHAPTER)
    place = read(reader)
    styles = held(reader, "**/notebook.css")
    follow(reader, "notebooks/cuda/transpose.html")
    until(reader, "document.querySelector('.nb-cell')")
    reader.wait_for_timeout(300)
    waiting = held(reader, f"**/{CHAPTER}") if slow else []
    reader.evaluate("history.back()")
    if slow:  # the page that Back leads to comes after the styles of the one that is left
        reader.wait_for_timeout(300)
        styles[0].continue_()
        reader.wait_for_timeout(300)
        waiting[0].continue_()
    until(reader, "document.querySelector('article h1').textContent.includes('Metrics')")
    reader.wait_for_timeout(500)
    assert reader.evaluate("getComputedStyle(document.querySelector('article')).visibility") == "visible"
    assert is_at(reader, place)
    reader.wait_for_timeout(3000)  # so long the notebook would have waited
    assert is_at(reader, place)
    reader.unroute_all(behavior="ignoreErrors")


def test_back_from_a_shorter_page_leads_to_the_place_on_a_slow_line(reader):
    opened(reader, CHAPTER)
    place = read(reader)
    follow(reader, "offline.html")
    expect(reader.locator("article h1")).to_have_text(re.compile("Read offline"))
    reader.wait_for_timeout(300)
    waiting = held(reader, f"**/{CHAPTER}")
    reader.evaluate("history.back()")
    reader.wait_for_timeout(600)
    assert reader.evaluate("scrollY") == 0  # the page that is still here stays as it is
    waiting[0].continue_()
    expect(reader.locator("article h1")).to_contain_text("Metrics")
    reader.wait_for_timeout(500)
    assert is_at(reader, place)


def test_a_link_that_is_followed_while_back_is_on_its_way_begins_at_the_top(reader):
    opened(reader, OTHER)
    read(reader)
    follow(reader, CHAPTER)
    expect(reader.locator("article h1")).to_contain_text("Metrics")
    read(reader)
    follow(reader, "offline.html")
    expect(reader.locator("article h1")).to_have_text(re.compile("Read offline"))
    reader.wait_for_timeout(300)
    held(reader, f"**/{CHAPTER}")
    reader.evaluate("history.back()")
    reader.wait_for_timeout(300)
    follow(reader, OTHER)
    expect(reader.locator("article h1")).to_contain_text("Loss")
    reader.wait_for_timeout(500)
    assert reader.evaluate("scrollY") == 0
    reader.unroute_all(behavior="ignoreErrors")


def test_a_page_read_before_is_at_its_anchor_though_its_first_fetch_fails(reader):
    opened(reader, CHAPTER)
    read(reader)
    follow(reader, OTHER)
    expect(reader.locator("article h1")).to_contain_text("Loss")
    reader.route(f"**/{CHAPTER}", lambda route: route.abort(), times=1)
    follow(reader, f"{CHAPTER}#metric-auc")
    expect(reader.locator("article h1")).to_contain_text("Metrics")
    mounted(reader)
    reader.wait_for_timeout(500)
    assert 0 <= reader.evaluate(TOP) <= 120


def test_nothing_moves_where_a_link_leads_to_an_anchor(reader):
    if reader.viewport_size["width"] < 500:
        reader.set_viewport_size({"width": 360, "height": 800})
    opened(reader, CHAPTER)
    reader.context.new_cdp_session(reader).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    follow(reader, "distributed/index.html")
    expect(reader.locator("article h1")).to_contain_text("Distributed")
    reader.wait_for_timeout(1000)
    reader.evaluate(WATCH_SHIFTS)
    follow(reader, f"{CHAPTER}#metric-auc")
    expect(reader.locator("article h1")).to_contain_text("Metrics")
    reader.wait_for_timeout(2000)
    assert reader.evaluate("shifts") <= 0.01


@pytest.mark.parametrize("late", [50, 600])
def test_a_second_click_on_a_link_is_nothing(reader, late):
    opened(reader, CHAPTER)
    link = reader.locator(f".md-footer a[href$='{OTHER}']")
    link.scroll_into_view_if_needed()
    reader.wait_for_timeout(400)
    place = reader.evaluate("scrollY")
    waiting = held(reader, f"**/{OTHER}")
    entries = reader.evaluate("history.length")
    link.evaluate("async (link) => { link.click(); await new Promise((go) => setTimeout(go, 60)); link.click() }")
    reader.wait_for_timeout(late)
    waiting[0].continue_()
    expect(reader.locator("article h1")).to_contain_text("Loss")
    reader.wait_for_timeout(500)
    assert reader.evaluate("scrollY") == 0
    expect(reader.locator("article h1")).to_be_focused()
    assert reader.evaluate("history.length") == entries + 1
    reader.go_back(wait_until="commit")
    expect(reader.locator("article h1")).to_contain_text("Metrics")
    reader.wait_for_timeout(500)
    assert abs(reader.evaluate("scrollY") - place) < 100


@pytest.mark.parametrize("hash_", ["", "#loss-hinge"])
def test_an_answer_that_is_no_page_of_the_book_is_shown_as_it_is(reader, hash_):
    opened(reader, CHAPTER)
    login = "<!doctype html><title>Wi-Fi</title><h1>Log in</h1>"
    reader.route(f"**/{OTHER}", lambda route: route.fulfill(body=login, content_type="text/html"))
    follow(reader, OTHER + hash_)
    expect(reader.locator("h1")).to_have_text("Log in")
    assert reader.url.endswith(OTHER + hash_)
    assert not reader.locator("article").count()
    reader.unroute_all()
    reader.reload()
    expect(reader.locator("article h1")).to_contain_text("Loss")


class Halved(Server):
    """Sends pages in two parts, one half a second after the other."""

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:
        content = source.read()
        middle = len(content) // 2 if self.path.endswith(".html") else 0
        outputfile.write(content[:middle])
        time.sleep(0.5 if middle else 0)
        outputfile.write(content[middle:])


@pytest.mark.parametrize(
    "url", [f"{CHAPTER}#metric-auc", "notebooks/fundamentals/classification_metrics.html#confusion"]
)
def test_a_page_is_at_its_anchor_before_scripts_are_there_and_may_be_scrolled_then(reader, built, url):
    server = serve(built, handler=Halved)
    reader.add_init_script(
        """(function look() {
          const isSeen = document.querySelector("article") && !document.documentElement.style.visibility
          isSeen ? (window.first = scrollY) : requestAnimationFrame(look)
        })()"""
    )
    waiting = held(reader, "**/assets/js/*.js")
    reader.goto(f"http://127.0.0.1:{server.server_port}/{url}", wait_until="commit")
    until(reader, "document.querySelector(':target')")
    reader.wait_for_timeout(500)
    assert 40 <= reader.evaluate(TOP) <= 90
    assert reader.evaluate("first") > 0, "its top was seen"
    reader.mouse.move(reader.viewport_size["width"] / 2, 400)  # not above the menu
    reader.mouse.wheel(0, 500)
    reader.wait_for_timeout(500)
    place = reader.evaluate(TOP)
    assert place < -300
    for route in waiting:
        route.continue_()
    mounted(reader)
    reader.wait_for_timeout(500)
    assert abs(reader.evaluate(TOP) - place) <= 4
    stop(server)


def test_the_keyboard_goes_on_where_a_link_leads(reader):
    opened(reader, CHAPTER)
    follow(reader, f"{OTHER}#loss-hinge")
    expect(reader.locator("article h1")).to_contain_text("Loss")
    expect(reader.locator("[id='loss-hinge']")).to_be_focused()
    reader.wait_for_timeout(700)
    assert 0 <= reader.evaluate(TOP) <= 120


def test_the_keyboard_goes_on_where_a_page_begins(reader):
    opened(reader, CHAPTER)
    follow(reader, OTHER)
    expect(reader.locator("article h1")).to_contain_text("Loss")
    expect(reader.locator("article h1")).to_be_focused()
    reader.evaluate("scrollTo(0, 6000)")
    reader.wait_for_timeout(200)
    reader.evaluate("scrollTo(0, 5800)")
    top = reader.locator(".md-top")
    expect(top).to_be_visible()
    top.focus()
    reader.keyboard.press("Enter")
    expect(reader.locator("article h1")).to_be_focused()


def test_three_clicks_take_a_whole_paragraph(reader):
    opened(reader, OTHER)
    paragraph = reader.locator("article p:has(mjx-container)").filter(has_text="likelihood").first
    paragraph.scroll_into_view_if_needed()
    paragraph.click(click_count=3, position={"x": 4, "y": 8})
    reader.wait_for_timeout(200)
    taken, whole = paragraph.evaluate("(p) => [getSelection().toString().trim(), p.innerText.trim()]")
    assert taken[-20:] == whole[-20:]


def test_a_page_on_its_way_is_seen(reader):
    opened(reader, CHAPTER)
    waiting = held(reader, f"**/{OTHER}")
    follow(reader, OTHER)
    until(reader, "getComputedStyle(document.querySelector('.md-progress')).opacity > 0.9")
    waiting[0].continue_()
    expect(reader.locator("article h1")).to_contain_text("Loss")
