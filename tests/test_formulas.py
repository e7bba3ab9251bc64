"""Formulas on the built pages: nothing shifts, they are spoken, copied as TeX, and scroll in their own box."""

from __future__ import annotations

import re

import pytest
from browsing import SITE, lay_out_all, settle
from playwright.sync_api import Page, expect

CHAPTER = "cuda/matmul.html"
SHIFT = """() => new Promise((done) => {
  let sum = 0
  new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value })
    .observe({ type: "layout-shift", buffered: true })
  setTimeout(() => done(sum), 600)
})"""


def sizes(page: Page) -> list[list[int]]:
    """The sizes of the first formulas, in whole pixels."""
    return page.evaluate(
        "[...document.querySelectorAll('article mjx-container')].slice(0, 40)"
        ".map((f) => [f.offsetWidth, f.offsetHeight].map(Math.round))"
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_shifts_while_a_chapter_appears(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(CHAPTER)
    assert page.evaluate(SHIFT) <= 0.01  # 0.1 is what Google calls good; ours comes from the theme's frame alone


def test_formulas_have_their_size_and_fonts_at_once_also_after_instant_navigation(page):
    page.goto(CHAPTER)
    page.wait_for_load_state("networkidle")
    direct = sizes(page)
    page.goto("cuda/index.html")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.same = true")
    page.locator("article a[href$='matmul.html']").first.click()
    page.locator("article mjx-container").first.wait_for()
    expect(page.locator("article h1")).to_contain_text("atri")  # the chapter's own title
    assert page.evaluate("window.same") is True  # the page was not loaded anew
    loading = page.evaluate(
        "[...document.fonts].filter((f) => f.family.startsWith('MJX') && f.status !== 'loaded').length"
    )
    assert loading == 0
    assert sizes(page) == direct


def test_without_its_fonts_a_formula_has_the_same_size(browser, address):
    """So nothing can move when a font comes late: the measures stand in the style sheet."""

    def load(block: bool) -> list[list[int]]:
        context = browser.new_context(base_url=address, service_workers="block", java_script_enabled=True)
        page = context.new_page()
        if block:
            page.route("**/mathjax.css", lambda route: route.fulfill(body=without_fonts(), content_type="text/css"))
        page.goto(CHAPTER)
        page.wait_for_load_state("networkidle")
        found = sizes(page)
        context.close()
        return found

    def without_fonts() -> str:
        sheet = (SITE / "assets/css/mathjax.css").read_text(encoding="utf-8")
        # Two measure lines and blanks; they have no glyph that is seen.
        return re.sub(r"@font-face \{ font-family: MJX-NCM-(?!ZERO)[^}]*\}", "", sheet)

    one, other = load(False), load(True)
    assert len(one) == len(other) > 10
    apart = [(a, b) for a, b in zip(one, other, strict=True) if max(abs(x - y) for x, y in zip(a, b, strict=True)) > 1]
    assert apart == []


def test_each_formula_is_spoken_by_its_mathml(page):
    page.goto(CHAPTER)
    silent = page.evaluate(
        """() => [...document.querySelectorAll("article mjx-container")].filter((formula) => {
          const shown = formula.firstElementChild, spoken = formula.querySelector("mjx-assistive-mml math")
          return !(shown.getAttribute("aria-hidden") === "true" && spoken && !spoken.closest("[aria-hidden='true']"))
        }).length"""
    )
    assert silent == 0


def copied(page: Page, first: str, last: str) -> str:
    """What is copied from the beginning of one element to the end of another, as text."""
    return page.evaluate(
        """([first, last]) => {
          const range = document.createRange()
          range.setStartBefore(document.querySelector(first))
          range.setEndAfter(document.querySelector(last))
          getSelection().removeAllRanges()
          getSelection().addRange(range)
          const event = new ClipboardEvent("copy", { clipboardData: new DataTransfer(), bubbles: true, cancelable: true })
          document.dispatchEvent(event)
          return event.clipboardData.getData("text/plain")
        }""",
        [first, last],
    )


def test_a_formula_is_copied_as_tex(page):
    page.goto(CHAPTER)
    tex = page.locator("article p mjx-container").first.get_attribute("data-tex")
    assert f"${tex}$" in copied(page, "article p:has(mjx-container)", "article p:has(mjx-container)")


def test_what_serves_only_the_page_is_not_copied(page):
    page.goto(CHAPTER)
    note = page.locator("article p:has(sup[id^=fnref])").first
    words = note.evaluate("(p) => p.querySelector('sup').previousSibling.textContent.trim().slice(-12)")
    text = copied(page, "article h2", ".footnote")
    first = text.split("\n")[0]
    assert first and "#" not in first
    assert "report an error" not in text and "reviewed" in text
    assert words in text and not re.search(re.escape(words) + r"\d", text)


def test_a_wide_formula_scrolls_in_its_own_box_and_is_a_stop_of_the_keyboard(page):
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto("fundamentals/overfitting.html")  # with aligned equations, which stay on their lines
    settle(page)
    wide = page.evaluate(
        """() => {
          const boxes = [...document.querySelectorAll("article mjx-container[display]")]
          const wide = boxes.filter((box) => box.scrollWidth > box.clientWidth + 1)
          return [wide.length, wide.every((box) => box.tabIndex === 0 && getComputedStyle(box).overflowX === "auto"), boxes.length]
        }"""
    )
    assert wide[2] > 0
    assert wide[0] > 0 and wide[1]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_displayed_formula_takes_several_lines_before_it_scrolls(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("fundamentals/classical-ml.html")
    lay_out_all(page)
    formulas = page.evaluate(
        """() => [...document.querySelectorAll("article mjx-container[display]:has(mjx-part)")].map((box) => {
          const parts = [...box.querySelectorAll("mjx-part:not(:has(mjx-part))")].map((part) => part.getBoundingClientRect())
          const { left, right } = box.getBoundingClientRect()
          const first = parts.filter((part) => part.bottom <= parts.at(-1).top)
          const middle = first.length ? (first[0].left + Math.max(...first.map((part) => part.right))) / 2 : NaN
          return [box.dataset.tex, first.length > 0, box.scrollWidth > box.clientWidth + 1 && parts.every((part) => part.width <= right - left), Math.abs(middle - (left + right) / 2)]
        })"""
    )
    assert len(formulas) > 8
    assert [row for row in formulas if row[2]] == []  # scrolls though each of its parts fits
    several = [row for row in formulas if row[1]]
    assert len(several) > 6
    assert [row for row in several if row[3] > 6 and "qquad" in row[0]] == []  # no blank is left at the end of a line


PHONE = """() => [...document.querySelectorAll("article mjx-container")].map((box) => {
  const spans = [...box.querySelectorAll("mjx-math mjx-c")].map((glyph) => glyph.getBoundingClientRect()).filter((span) => span.width)
  const around = box.closest("td, th, li, p") ?? box.parentElement
  const over = box.hasAttribute("display")
    ? box.scrollWidth - box.clientWidth
    : Math.max(...spans.map((span) => span.right)) - around.getBoundingClientRect().right
  return [box.dataset.tex, box.hasAttribute("display"), over]
})"""


@pytest.mark.parametrize("chapter", ["networks", "losses", "metrics", "backpropagation"])
def test_on_a_phone_no_formula_of_the_text_leaves_its_paragraph_and_little_of_a_display_is_out_of_sight(page, chapter):
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"fundamentals/{chapter}.html")
    lay_out_all(page)
    formulas = page.evaluate(PHONE)
    assert len(formulas) > 30
    assert [row for row in formulas if row[2] > (110 if row[1] else 1)] == []
