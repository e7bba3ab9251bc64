"""Reading without a network: by the service worker, from a disk; and the policy that every page passes."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import browsing
import pytest
from conftest import ROOT
from handbook import chapters, offline
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

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
    expect(page.locator(".nb-cell :target")).to_be_in_viewport()
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
        self.age = 36_000
        self.server = browsing.serve(folder)
        self.port = self.server.server_port
        self.address = f"http://127.0.0.1:{self.port}/"
        self.publish("sitemap.xml", PUBLISHED_AT, self.address)

    def cut(self) -> None:
        browsing.stop(self.server)

    def restore(self) -> None:
        self.server = browsing.serve(self.folder, self.port)

    def slow(self, seconds: float) -> list[str]:
        """Have each request wait; returns the list to which the paths asked for are added."""
        asked: list[str] = []

        class Slow(browsing.Server):
            def do_GET(self) -> None:
                asked.append(self.path)
                time.sleep(seconds)
                return super().do_GET()

        self.server.RequestHandlerClass = partial(Slow, directory=str(self.folder))
        return asked

    def refuse(self, part: str, status: int) -> None:
        """Answer requests for addresses with `part` in them with an error."""

        class Refusing(browsing.Server):
            def send_head(self):
                return self.send_error(status) if part in self.path else super().send_head()

        self.server.RequestHandlerClass = partial(Refusing, directory=str(self.folder))

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old` in a file."""
        path = self.folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        self._date(path)

    def edit_index(self) -> None:
        """Give all parts of the search index other names, as other content would."""
        files = list((self.folder / "search").glob("*.js"))
        hashes = {name for path in files for name in re.findall(r"-([0-9a-f]{8})\b", path.stem)}
        named = re.compile(f'({"|".join(hashes)})(?=["-])')
        for path in files:
            path.write_text(named.sub(r"\g<1>0", path.read_text(encoding="utf-8")), encoding="utf-8")
            self._date(path.rename(path.with_stem(named.sub(r"\g<1>0", path.stem + "-")[:-1])))
        assert hashes

    def issue(self) -> None:
        """Publish what was edited as a new edition."""
        edition = offline.write_edition(self.folder)
        self._date(self.folder / "edition.json")
        # At once, and dated: the browser may look at any time, and what it once has is not sent again for an older date.
        worker = self.folder / "sw.new"
        worker.write_text((ROOT / "docs/sw.js").read_text(encoding="utf-8").replace(offline.EDITION, edition))
        self._date(worker)
        worker.replace(self.folder / "sw.js")

    def publish(self, name: str, old: str, new: str) -> None:
        """A new edition, in which one file differs."""
        self.edit(name, old, new)
        self.issue()

    def _date(self, path: Path) -> None:
        self.age -= 1  # this server tells files apart by their second
        os.utime(path, (time.time() - self.age,) * 2)


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


def ruled(context: BrowserContext, published: Published) -> Page:
    """A page of the chapter that the worker answered for."""
    page = context.new_page()
    page.goto(published.address + CHAPTER_URL)
    ready(page)
    page.goto(published.address + CHAPTER_URL)
    return page


def announced(page: Page) -> Locator:
    """Wait for the notice of a new edition."""
    # Not `expect`: its polling keeps the page from the idle moment in which Chromium answers `register`.
    page.evaluate(
        "async () => { for (let turn = 0; !document.querySelector('.edition'); turn++) {"
        " if (turn > 80) throw new Error('no notice'); await new Promise(go => setTimeout(go, 250)) } }"
    )
    return page.locator(".edition")


def saved(page: Page) -> set[str]:
    """The addresses of what the browser keeps."""
    return set(page.evaluate("async () => (await (await caches.open('handbook')).keys()).map(request => request.url)"))


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
    download = page.locator("a[download]").first
    assert "needs the network" in download.evaluate("link => getComputedStyle(link, '::after').content")
    assert search(page, "coalescing"), "the parts of the index that were used are kept"
    assert faults == []
    page.goto(published.address + "cuda/matmul.html")
    expect(page.locator("[data-offline-missing]")).to_contain_text("cuda/matmul.html was not opened")
    published.restore()


def test_a_page_that_was_missing_opens_when_the_network_is_back(context, published):
    page = ruled(context, published)
    page.goto(published.address + "index.html")
    wanted = published.address + "questions.html?level=senior#questions"
    context.set_offline(True)
    published.cut()
    page.goto(wanted)
    missing = page.locator("[data-offline-missing]")
    expect(missing).to_contain_text("questions.html was not opened")
    again = missing.get_by_role("link", name="Try again")
    assert again.evaluate("link => link.href") == wanted
    published.restore()
    context.set_offline(False)
    page.wait_for_url(wanted)
    expect(page.locator("article h1")).to_have_text(re.compile("All questions"))
    page.goto(published.address + "offline.html#questions.html%23questions")  # by Back, or loaded anew
    again.click()
    page.wait_for_url("**/questions.html#questions")
    page.goto(published.address + "offline.html#javascript:alert(1)")  # leads nowhere but below this folder
    assert again.evaluate("link => link.href") == published.address + "javascript:alert(1)"


def test_a_page_that_is_loaded_looks_for_a_new_edition_once(context, published):
    page = ruled(context, published)
    page.wait_for_timeout(4000)
    asked = published.slow(0)
    page.goto(published.address + "index.html")
    page.wait_for_timeout(5000)  # the browser looks some two seconds later
    assert asked.count("/sw.js") == 1


def test_the_whole_book_is_saved_read_searched_and_removed(context, published):
    page = context.new_page()
    page.goto(published.address + "offline.html")
    ready(page)
    save = page.get_by_role("button", name="Save the whole book")
    save.click()
    expect(page.locator("[data-offline] output")).to_contain_text("Saving.")
    expect(page.locator("[data-offline] output")).to_contain_text("The whole book is saved", timeout=60_000)
    assert page.locator("[data-offline] progress").evaluate("bar => bar.value === bar.max && bar.max > 100")
    shutil.copy(published.folder / "cuda/matmul.html", published.folder / "cuda/new.html")
    published.publish(CHAPTER_URL, "<article", "<article data-edition=2")
    page.reload()
    announced(page).get_by_role("button", name="Read it").click()
    expect(page.locator("[data-offline] output")).to_contain_text("book is saved", timeout=20_000)  # loaded anew
    assert {published.address + name for name in ("cuda/new.html", CHAPTER_URL)} <= {
        u.split("?")[0] for u in saved(page)
    }
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
    expect(page.locator(".nb-cell :target")).to_be_in_viewport()
    assert faults == []
    published.restore()
    context.set_offline(False)
    page.goto(published.address + "offline.html")
    expect(page.get_by_role("button", name="All is saved")).to_be_disabled()
    page.get_by_role("button", name="Remove what is saved").click()
    page.get_by_role("button", name="Remove all? Press again").click()
    expect(save).to_be_enabled()
    assert page.evaluate("async () => (await (await caches.open('handbook')).keys()).length") < 40


def test_a_new_edition_is_announced_taken_and_the_old_one_leaves(context, published):
    page = context.new_page()
    page.goto(published.address + CHAPTER_URL)
    ready(page)
    page.goto(published.address + CHAPTER_URL)  # now kept
    browsing.until(page, f"(await (await caches.open('handbook')).keys()).some(r => r.url.includes('{CHAPTER_URL}'))")
    before = saved(page)
    published.publish(CHAPTER_URL, CHAPTER.title, "A new title")
    page.goto(published.address + CHAPTER_URL)  # the old edition, whole, until the reader asks
    expect(page.locator("article h1")).to_contain_text(CHAPTER.title)
    notice = page.locator(".edition")
    announced(page)
    expect(notice).to_contain_text("A new edition of the book is here")
    notice.get_by_role("button", name="Read it").click()
    expect(page.locator("article h1")).to_contain_text("A new title")
    expect(notice).to_have_count(0)
    after = saved(page)

    def paths(urls: set[str]) -> list[str]:
        return sorted(re.sub(r"^.*?//[^/]*/|\?.*", "", url) for url in urls)

    assert paths(before - after) == sorted([CHAPTER_URL, "edition.json"])
    assert len(set(paths(after))) == len(after), "one file of each path"


def test_a_new_edition_is_announced_to_a_reader_who_turns_the_page(context, published):
    page = ruled(context, published)
    browsing.mounted(page)
    published.publish(CHAPTER_URL, CHAPTER.title, "A new title")
    page.evaluate("window.isSamePage = true")
    page.locator("a[href$='questions.html']").first.evaluate("link => link.click()")
    expect(page.locator("article h1")).to_contain_text("All questions")
    announced(page)
    assert page.evaluate("window.isSamePage"), "instant navigation"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_panel_keeps_its_height(context, published, width):
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    height = "document.querySelector('.offline-box').offsetHeight"
    page.add_init_script(f"addEventListener('DOMContentLoaded', () => (window.before ??= {height}))")
    page.goto(published.address + "offline.html")
    expect(page.locator("[data-offline] output")).to_contain_text("Saved: ")
    assert page.evaluate(height) == page.evaluate("before")


def test_where_nothing_can_be_kept_the_page_says_so(context, published):
    published.edit("index.html", "<article", "<article data-other")  # not what the edition lists
    page = context.new_page()
    page.goto(published.address + "offline.html")
    expect(page.locator("[data-offline] output")).to_contain_text("keeps nothing now", timeout=20_000)


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


# ---- while a new edition waits -----------------------------------------------------------------


def test_search_goes_on_in_a_tab_that_is_open_while_a_new_edition_comes(context, published):
    context.add_init_script(browsing.NO_WORKER)
    page = context.new_page()
    page.goto(published.address + CHAPTER_URL)
    assert search(page, "warp")
    published.edit_index()
    assert search(page, "gradient clipping")


def test_search_goes_on_while_a_new_edition_waits(context, published):
    page = ruled(context, published)
    assert search(page, "warp")
    published.edit_index()
    published.issue()
    page.reload()
    for words in ("batch norm folding", "gradient clipping"):  # of which no part is kept
        assert search(page, words), words
    announced(page).get_by_role("button", name="Later").click()
    assert search(page, "learning rate warmup")
    page.reload()
    assert search(page, "focal loss imbalance")


def test_a_claim_whose_page_is_not_kept_leads_to_the_reason(context, published):
    page = ruled(context, published)
    browsing.mounted(page)
    published.cut()
    context.set_offline(True)
    page.locator("article a.claim").first.evaluate("link => link.click()")
    expect(page.locator("[data-offline-missing]")).to_contain_text("was not opened", timeout=15_000)
    published.restore()


def test_a_claim_leads_to_its_notebook_while_a_new_edition_waits(context, published):
    page = ruled(context, published)
    published.publish("cuda/matmul.html", "<article", "<article data-edition=2")
    page.reload()
    announced(page).get_by_role("button", name="Later").click()
    browsing.mounted(page)
    page.locator("article a.claim").first.evaluate("link => link.click()")
    expect(page.locator(".nb-cell :target")).to_be_in_viewport(timeout=15_000)


def test_search_names_the_true_cause(context, published):
    page = ruled(context, published)
    assert search(page, "warp")
    status = page.locator("[data-search] [role=status]")
    for part in (published.folder / "search").glob("*-*.js"):  # half published
        part.unlink()
    assert search(page, "gradient clipping") == []
    expect(status).to_contain_text("could not be read")
    published.cut()
    assert search(page, "focal loss imbalance") == []
    expect(status).to_contain_text("No network")
    published.restore()


def test_each_of_two_tabs_takes_the_new_edition(context, published):
    one, two = context.new_page(), context.new_page()
    one.goto(published.address + CHAPTER_URL)
    ready(one)
    two.goto(published.address + CHAPTER_URL)
    ready(two)
    published.publish(CHAPTER_URL, CHAPTER.title, "A new title")
    one.reload()
    announced(one)
    two.bring_to_front()
    announced(two)
    for tab in (one, two):
        tab.bring_to_front()
        tab.get_by_role("button", name="Read it").click()
        expect(tab.locator("article h1")).to_contain_text("A new title")
        expect(tab.locator(".edition")).to_have_count(0)


def test_each_page_has_the_scripts_of_its_own_edition(context, published):
    page = ruled(context, published)
    page.goto(published.address + "index.html")
    published.edit("assets/js/reading.js", "", "")
    with (published.folder / "assets/js/reading.js").open("a") as script:
        script.write(";window.edition = 2")
    for url in (CHAPTER_URL, "cuda/matmul.html", "questions.html"):
        published.edit(url, "<article", "<article data-edition=2")
    published.issue()
    page.reload()
    announced(page)
    of = "[document.querySelector('article').dataset.edition ?? '1', String(window.edition ?? 1)]"
    page.goto(published.address + "cuda/matmul.html")  # not kept: the new one's
    assert page.evaluate(of) == ["2", "2"]
    page.goto(published.address + CHAPTER_URL)  # kept
    assert page.evaluate(of) == ["1", "1"]
    page.locator("a[href$='questions.html']").first.evaluate("link => link.click()")  # instant navigation, not kept
    expect(page.locator("article h1")).to_have_text(re.compile("All questions"))
    page.wait_for_load_state()
    assert page.evaluate(of) == ["2", "2"]


# ---- saving: stopped, short of room, removed -----------------------------------------------------


def begin_saving(page: Page, published: Published) -> list[str]:
    """Press the button on a slow network and wait for a few files; returns what is asked of the server."""
    page.goto(published.address + "offline.html")
    ready(page)
    asked = published.slow(0.05)
    page.get_by_role("button", name="Save the whole book").click()
    count = page.locator("[data-offline] [data-count]")
    expect(count).to_have_text(re.compile(r"\d+ of \d+ files"))
    expect(count).not_to_have_text(count.text_content())
    return asked


def test_saving_is_stopped_and_removed_and_leaving_the_page_changes_nothing(context, published):
    page = context.new_page()
    asked = begin_saving(page, published)
    output = page.locator("[data-offline] output")
    page.locator("a[href$='questions.html']").first.evaluate("link => link.click()")
    expect(page.locator("article h1")).to_have_text(re.compile("All questions"))
    page.go_back()
    expect(output).to_contain_text("Saving.")
    stop = page.get_by_role("button", name="Stop saving")
    stop.click()
    expect(output).to_contain_text(re.compile(r"Saved: \d+ of"))

    def files() -> list[str]:
        return [path for path in asked if path != "/sw.js"]  # at which the browser looks whenever it likes

    before = files(), saved(page)
    page.wait_for_timeout(700)
    assert (files(), saved(page)) == before

    page.get_by_role("button", name="Save the whole book").click()
    expect(output).to_contain_text("Saving.")
    other = context.new_page()  # removed in another tab: saving stops in this one
    other.goto(published.address + "offline.html")
    other.get_by_role("button", name="Remove what is saved").click()
    other.get_by_role("button", name="Remove all? Press again").click()
    expect(other.locator("[data-offline] output")).to_contain_text(re.compile(r"Saved: \d\d of"))
    page.bring_to_front()
    expect(output).to_contain_text(re.compile(r"Saved: \d\d of"))
    before = files()
    page.wait_for_timeout(700)
    assert files() == before
    assert len(saved(page)) < 45


def test_a_double_click_begins_to_save_and_another_stops(context, published):
    page = context.new_page()
    page.goto(published.address + "offline.html")
    ready(page)
    published.slow(0.05)
    output = page.locator("[data-offline] output")
    page.get_by_role("button", name="Save the whole book").dblclick()
    expect(page.locator("[data-offline] [data-count]")).to_contain_text(re.compile(r"\d\d of \d+ files"))
    page.wait_for_timeout(1000)
    expect(output).to_contain_text("Saving.")
    page.get_by_role("button", name="Stop saving").dblclick()
    expect(output).to_contain_text("Saved: ")
    page.wait_for_timeout(1000)
    expect(output).to_contain_text("Saved: ")


def test_saving_stops_at_once_though_the_line_hangs(context, published):
    page, other = context.new_page(), context.new_page()
    other.goto(published.address + "offline.html")
    page.bring_to_front()
    begin_saving(page, published)
    browsing.hang(published.server)
    page.wait_for_timeout(500)
    output = page.locator("[data-offline] output")
    page.get_by_role("button", name="Stop saving").click()
    expect(output).to_contain_text(re.compile(r"Saved: \d+ of"))
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Save the whole book").click()
    expect(output).to_contain_text("Saving.")
    other.bring_to_front()  # removes what another tab is waiting for
    other.get_by_role("button", name="Remove what is saved").click()
    other.get_by_role("button", name="Remove all? Press again").click()
    for tab in (other, page):
        tab.bring_to_front()
        expect(tab.locator("[data-offline] output")).to_contain_text(re.compile(r"Saved: \d\d of"))
    assert len(saved(page)) < 45


def test_saving_goes_on_after_a_line_that_hung_and_in_one_tab_though_another_stops(context, published):
    published.edit("sw.js", "30_000", "2_000")  # ms of patience
    page, other = context.new_page(), context.new_page()
    other.goto(published.address + "offline.html")
    page.bring_to_front()
    begin_saving(page, published)
    back = browsing.hang(published.server)
    output = page.locator("[data-offline] output")
    expect(output).to_contain_text("Trying again")
    back()
    expect(output).to_contain_text("Saving.")
    other.bring_to_front()
    other.get_by_role("button", name="Save the whole book").click()
    other.wait_for_timeout(700)
    other.get_by_role("button", name="Stop saving").click()
    expect(other.locator("[data-offline] output")).to_contain_text("Saved: ")
    page.bring_to_front()
    published.slow(0)
    expect(output).to_contain_text("The whole book is saved", timeout=60_000)


@pytest.mark.parametrize("status", [503, 404])
def test_a_servers_error_is_no_new_edition(context, published, status):
    page = context.new_page()
    page.goto(published.address + "offline.html")
    ready(page)
    published.refuse("/notebooks/cuda/", status)
    save = page.get_by_role("button", name="Save the whole book")
    output = page.locator("[data-offline] output")
    save.click()
    expect(output).to_contain_text(f"the server does not answer as it should ({status})", timeout=20_000)
    if status == 404:  # and now it is one, which has the notebooks no longer
        shutil.rmtree(published.folder / "notebooks/cuda")
        offline.write_edition(published.folder)
        save.click()
        expect(output).to_contain_text("a new edition was published")


def test_a_stopped_save_says_why_and_the_next_edition_fetches_only_what_changed(context, published):
    page = context.new_page()
    begin_saving(page, published)
    published.cut()
    output = page.locator("[data-offline] output")
    expect(output).to_contain_text("Stopped: no network")
    page.wait_for_timeout(700)
    expect(output).to_contain_text("Stopped: no network")
    page.evaluate(
        "async () => (await caches.open('handbook')).put('whole-book', new Response(''))"
    )  # the first worker's
    kept = saved(page)
    published.publish("index.html", "<article", "<article data-edition=2")
    published.restore()
    asked = published.slow(0)
    page.goto(published.address + CHAPTER_URL)
    asked.clear()
    announced(page)
    assert len(asked) < 10, asked
    assert {re.sub(r"\?.*", "", url) for url in saved(page) - kept} <= {
        published.address + name for name in ("index.html", "edition.json", CHAPTER_URL)
    }
    page.get_by_role("button", name="Read it").click()
    expect(page.locator(".edition")).to_have_count(0)
    assert published.address + "whole-book" not in saved(page)


def test_a_new_edition_comes_though_there_is_no_room_for_the_book(context, published):
    page = context.new_page()
    page.goto(published.address + "offline.html")
    ready(page)
    session = context.new_cdp_session(page)
    session.send("Storage.overrideQuotaForOrigin", {"origin": published.address.rstrip("/"), "quotaSize": 9_000_000})
    page.get_by_role("button", name="Save the whole book").click()
    output = page.locator("[data-offline] output")
    expect(output).to_contain_text("no more room", timeout=60_000)
    published.edit("assets/js/reading.js", "", "")
    for script in (published.folder / "assets/js").glob("*.js"):
        with script.open("a") as end:
            end.write("\n;" + "0;" * 50_000)
    published.publish("index.html", "<article", "<article data-edition=2")
    page.goto(published.address + "index.html")
    announced(page).get_by_role("button", name="Read it").click()
    expect(page.locator("article[data-edition='2']")).to_be_visible()
    page.goto(published.address + "offline.html")
    expect(output).to_contain_text(re.compile(r"Saved: \d+ of"))


# ---- addresses, and where the site stands --------------------------------------------------------


def test_odd_addresses_reach_the_server_and_lead_on_without_it(context, published):
    page = context.new_page()
    page.goto(published.address + "nlp/index.html")
    ready(page)
    page.goto(published.address + "nlp/index.html")
    assert page.goto(published.address + "nope/%E0%A4%A.html").status == 404
    page.goto(published.address + "offline.html#%E0%A4%A")
    expect(page.locator("[data-offline] output")).to_contain_text("Saved:")
    published.cut()
    page.goto(published.address + "nlp")
    expect(page).to_have_url(published.address + "nlp/")
    page.goto(published.address + "nlp/index")
    expect(page).to_have_url(published.address + "nlp/index.html")
    missing = page.locator("[data-offline-missing]")
    page.goto(published.address + "cuda")
    expect(missing).to_contain_text("cuda/index.html was not opened")
    page.goto(published.address + "nope/%E0%A4%A.html")
    expect(missing).to_contain_text("nope/%E0%A4%A.html was not opened")
    page.goto(published.address + "offline.html#disk")
    page.reload()
    expect(missing).to_be_hidden()
    published.restore()


def test_two_books_at_one_host_are_two_apps_and_keep_apart(context, built, tmp_path):
    ids = []
    for name in ("one", "two"):
        shutil.copytree(built, tmp_path / name, ignore=shutil.ignore_patterns("*.map", "*.ipynb", "notebooks"))
    server = browsing.serve(tmp_path)
    base = f"http://127.0.0.1:{server.server_port}/"
    page = context.new_page()
    for name in ("one", "two"):
        page.goto(f"{base}{name}/index.html")
        ready(page)
        session = context.new_cdp_session(page)
        while not (app := session.send("Page.getAppId")):  # Chromium has not read the manifest yet
            page.wait_for_timeout(100)
        ids.append(app["appId"])
    caches = page.evaluate(
        "async () => Object.fromEntries(await Promise.all((await caches.keys()).map(async (name) =>"
        " [name, (await (await caches.open(name)).keys()).map((request) => request.url)])))"
    )
    browsing.stop(server)
    assert len(set(ids)) == 2 and ids[0].startswith(base + "one/")
    assert set(caches) == {"one", "two"}
    assert all(url.startswith(f"{base}{name}/") for name, urls in caches.items() for url in urls)
