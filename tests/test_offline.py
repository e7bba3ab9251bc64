"""Reading without a network: by the service worker, from a disk; and the policy that every page passes."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import browsing
import pytest
from conftest import ROOT
from handbook import chapters, offline
from playwright.sync_api import Browser, BrowserContext, Page, expect

BOOK = chapters.read_all(ROOT)
CHAPTER = BOOK[0]
CHAPTER_URL = CHAPTER.name.removesuffix(".md") + ".html"
PUBLISHED_AT = "https://worked-answers.github.io/handbook/"
NOTEBOOK_URL = "notebooks/cuda/coalescing.html"
KINDS = ["index.html", CHAPTER_URL, NOTEBOOK_URL, "cuda/index.html", "questions.html", "wrong.html", "sources.html"]
KINDS += ["evidence.html", "conventions.html", "offline.html"]


def search(page: Page, words: str) -> list[str]:
    """The addresses that the search box shows for `words`."""
    page.get_by_role("combobox", name="Search").fill(words)  # by key: test_search.py
    box = page.locator("[role=listbox]")
    expect(box).to_have_attribute("data-query", words, timeout=20_000)
    return box.locator("[role=option]").evaluate_all("options => options.map(option => option.href)")


# ---- pure functions --------------------------------------------------------------------------


def test_one_policy_for_all_pages_allows_each_inline_script_by_its_hash(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<meta content="@POLICY@"><script>one</script><script src="x.js"></script>')
    (tmp_path / "a/b.html").write_text(
        '<meta content="@POLICY@"><script>two</script><script type="application/json">{}</script>'
    )
    policy = offline.write_policy(tmp_path)
    assert policy.count("sha256-") == 2
    assert "'unsafe-inline'" not in re.sub("style-src-attr [^;]*;", "", policy)
    assert all(policy in path.read_text() for path in tmp_path.rglob("*.html"))


def test_an_edition_is_its_content_and_nothing_else(tmp_path):
    def build(folder: Path, text: str) -> str:
        (folder / "assets/js").mkdir(parents=True)
        (folder / "assets/js/a.js").write_text("a")
        (folder / "index.html").write_text(text)
        (folder / "book.pdf").write_text("large")
        (folder / "sw.js").write_text('const EDITION = "@EDITION@"')
        return offline.write_edition(folder)

    first, same, other = (build(tmp_path / name, text) for name, text in zip("abc", ("x", "x", "y"), strict=True))
    assert first == same != other
    listed = json.loads((tmp_path / "a/edition.json").read_text())
    assert set(listed["files"]) == {"assets/js/a.js", "index.html"}
    assert listed["core"] == ["assets/js/a.js", "index.html"]
    assert first in (tmp_path / "a/sw.js").read_text()


# ---- files -----------------------------------------------------------------------------------


def test_the_edition_lists_every_page_and_no_download(built):
    edition = json.loads((built / "edition.json").read_text())
    pages = {p.relative_to(built).as_posix() for p in built.rglob("*.html")} - {"404.html"}
    assert pages <= set(edition["files"])
    assert not [name for name in edition["files"] if name.endswith((".pdf", ".epub", ".ipynb", ".map"))]
    assert offline.digest((built / "edition.json").read_bytes()) in (built / "sw.js").read_text()
    for name in ("index.html", CHAPTER_URL, "assets/js/search.js"):
        assert edition["files"][name] == [offline.digest((built / name).read_bytes()), (built / name).stat().st_size]


def test_materials_search_is_not_shipped(built):
    assert not list(built.rglob("search_index.json")) + list(built.rglob("lunr*")) + list(built.rglob("workers/*"))


# ---- the policy, in Chromium -------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_no_page_violates_its_policy_and_none_asks_another_host(browser, address, built, scheme):
    base = address if scheme == "http" else built.as_uri() + "/"
    context = browser.new_context()
    context.add_init_script(
        browsing.NO_WORKER + ";window.violations = [];"
        "document.addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective + ' ' + e.blockedURI))"
    )
    page = context.new_page()
    faults = browsing.watch(page, base)
    for url in KINDS:
        page.goto(base + url)
        policy = page.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content")
        assert policy.startswith("default-src 'none'")
        if url == CHAPTER_URL:
            search(page, "warp")
        assert page.evaluate("violations") == [], url
    page.goto(base + "index.html")
    page.locator("article a[href*='questions.html']").first.click()
    expect(page.locator("article h1")).to_have_text(re.compile("All questions"))
    expect(page.locator(".question-filter form")).to_be_visible()  # its script ran again after instant navigation
    # The policy bites: what it should refuse, it refuses.
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))"
    )
    assert page.evaluate("window.bad") is None
    assert len(page.evaluate("violations")) == 1
    context.close()
    assert [fault for fault in faults if "Executing inline script" not in fault] == []


def test_the_site_reads_and_searches_from_a_disk(browser, built, tmp_path):
    """From a folder whose name has a blank, as on a USB stick; no request leaves it."""
    copy = tmp_path / "USB stick"
    shutil.copytree(built, copy, ignore=shutil.ignore_patterns("*.map", "*.ipynb"))
    context = browser.new_context(offline=True)
    page = context.new_page()
    faults = browsing.watch(page, copy.as_uri())
    page.goto(f"{copy.as_uri()}/index.html")
    page.locator("article a[href*='questions.html']").first.click()
    page.locator(f"article a[href*='{CHAPTER_URL}']").first.click()
    expect(page.locator("article h1")).to_contain_text(CHAPTER.title)
    assert page.locator("article mjx-container").count() > 0
    page.locator("article a.claim").first.click()
    expect(page.locator(".nb-cell:target")).to_be_in_viewport()
    question = CHAPTER.questions[1]
    found = search(page, question.title.rstrip("?"))
    assert found[0].endswith(f"{CHAPTER_URL}#{question.id}")
    page.get_by_role("combobox", name="Search").press("Enter")
    expect(page.locator(f"[id='{question.id}']")).to_be_in_viewport()
    page.goto(f"{copy.as_uri()}/offline.html")
    expect(page.locator("[data-offline] output")).to_contain_text("copy on a disk")
    context.close()
    assert faults == []


# ---- the service worker ------------------------------------------------------------------------


class Published:
    """A copy of the built site on a server of its own, which can be stopped, and published anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.age = 3600
        self.server = browsing.serve(folder)
        self.port = self.server.server_port
        self.address = f"http://127.0.0.1:{self.port}/"
        self.publish("sitemap.xml", PUBLISHED_AT, self.address)

    def cut(self) -> None:
        browsing.stop(self.server)

    def restore(self) -> None:
        self.server = browsing.serve(self.folder, self.port)

    def publish(self, name: str, old: str, new: str) -> None:
        """A new edition, in which one file differs."""
        path = self.folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        shutil.copy(ROOT / "docs/sw.js", self.folder / "sw.js")
        offline.write_edition(self.folder)
        self.age -= 60  # this server tells files apart by their second
        for changed in (path, self.folder / "sw.js", self.folder / "edition.json"):
            os.utime(changed, (time.time() - self.age,) * 2)


@pytest.fixture
def published(built, tmp_path) -> Iterator[Published]:
    shutil.copytree(built, tmp_path / "site", ignore=shutil.ignore_patterns("*.map", "*.ipynb"))
    site = Published(tmp_path / "site")
    yield site
    site.cut()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(30_000)
    yield context
    context.close()


def ready(page: Page) -> None:
    """Wait until the worker rules the page."""
    browsing.until(page, "navigator.serviceWorker.controller")


def test_what_was_read_opens_without_a_network_and_the_rest_says_so(context, published):
    page = context.new_page()
    page.goto(published.address + CHAPTER_URL)  # before there is a worker
    ready(page)
    page.goto(published.address + NOTEBOOK_URL)
    assert search(page, "coalescing")
    # The page that was open before the worker was, is kept too; by then it is.
    browsing.until(page, f"(await (await caches.open('handbook')).keys()).some(r => r.url.includes('{CHAPTER_URL}'))")
    published.cut()
    context.set_offline(True)
    faults = browsing.watch(page, published.address)
    page.goto(published.address + CHAPTER_URL)
    expect(page.locator("article h1")).to_contain_text(CHAPTER.title)
    page.goto(published.address + NOTEBOOK_URL)
    assert page.locator(".nb-cell").count() > 5
    assert search(page, "coalescing"), "the parts of the index that were used are kept"
    assert faults == []
    page.goto(published.address + "cuda/matmul.html")
    expect(page.locator("[data-offline-missing]")).to_contain_text("cuda/matmul.html was not opened")
    published.restore()


def test_the_whole_book_is_saved_read_searched_and_removed(context, published):
    page = context.new_page()
    page.goto(published.address + "offline.html")
    ready(page)
    save = page.get_by_role("button", name="Save the whole book")
    save.click()
    expect(page.locator("[data-offline] output")).to_contain_text("Saving:")
    expect(page.locator("[data-offline] output")).to_contain_text("The whole book is saved", timeout=60_000)
    assert page.locator("[data-offline] progress").evaluate("bar => bar.value === bar.max && bar.max > 100")
    published.cut()
    context.set_offline(True)
    faults = browsing.watch(page, published.address)
    for url in ("", CHAPTER_URL, "notebooks/cuda/transpose.html", "questions.html"):
        page.goto(published.address + url)
        expect(page.locator("article h1").first).to_be_visible()
    question = CHAPTER.questions[-1]
    assert search(page, question.title.rstrip("?"))[0].endswith(f"#{question.id}")
    page.get_by_role("combobox", name="Search").press("Enter")
    expect(page.locator(f"[id='{question.id}']")).to_be_in_viewport()
    page.locator("article a.claim").first.click()
    expect(page.locator(".nb-cell:target")).to_be_in_viewport()
    assert faults == []
    published.restore()
    context.set_offline(False)
    page.goto(published.address + "offline.html")
    page.get_by_role("button", name="Remove what is saved").click()
    expect(save).to_be_visible()
    assert page.evaluate("async () => (await (await caches.open('handbook')).keys()).length") < 40


def test_a_new_edition_is_announced_taken_and_the_old_one_leaves(context, published):
    page = context.new_page()
    page.goto(published.address + CHAPTER_URL)
    ready(page)
    page.goto(published.address + CHAPTER_URL)  # now kept
    kept = "async () => (await (await caches.open('handbook')).keys()).map(r => r.url)"
    before = page.evaluate(kept)
    published.publish(CHAPTER_URL, CHAPTER.title, "A new title")
    page.goto(published.address + CHAPTER_URL)  # the old edition, whole, until the reader asks
    expect(page.locator("article h1")).to_contain_text(CHAPTER.title)
    notice = page.locator(".edition")
    # Not `expect`: its polling keeps the page from the idle moment in which Chromium answers `register`.
    page.evaluate(
        "async () => { while (!document.querySelector('.edition')) await new Promise(go => setTimeout(go, 250)) }"
    )
    expect(notice).to_contain_text("A new edition of the book is here")
    notice.get_by_role("button", name="Read it").click()
    expect(page.locator("article h1")).to_contain_text("A new title")
    expect(notice).to_have_count(0)
    after = page.evaluate(kept)
    changed = {url for url in before if url not in after}
    assert {re.sub(r"^.*?//[^/]*/|\?.*", "", url) for url in changed} == {CHAPTER_URL, "edition.json"}
    assert len(after) == len(before)


def test_an_edition_that_arrives_half_is_not_taken(context, published):
    page = context.new_page()
    page.goto(published.address + CHAPTER_URL)
    ready(page)
    published.publish(CHAPTER_URL, CHAPTER.title, "A new title")
    chapter = published.folder / CHAPTER_URL
    chapter.write_text(chapter.read_text() + "<!-- of yet another edition -->")
    page.evaluate("async () => { const r = await navigator.serviceWorker.ready; await r.update().catch(() => {}) }")
    page.wait_for_timeout(1500)
    page.reload()
    expect(page.locator(".edition")).to_have_count(0)
    expect(page.locator("article h1")).to_contain_text(CHAPTER.title)
