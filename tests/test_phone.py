"""What a phone of 360 px shows of figures, wide boxes, code and tables."""

from __future__ import annotations

import pytest
from browsing import lay_out_all
from playwright.sync_api import Page

CHAPTER, NOTEBOOK = "cv/convolution-arithmetic.html", "notebooks/cuda/accelerators.html"


def opened(page: Page, url: str, scheme: str = "light") -> Page:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(url)
    page.wait_for_load_state("networkidle")
    lay_out_all(page)
    return page


@pytest.mark.parametrize("url", [CHAPTER, NOTEBOOK])
def test_a_figure_takes_the_whole_width_and_its_labels_are_readable(page, url):
    """Powers, which matplotlib sets at 0.7 of their base, may be smaller; a figure is never wider than its 680 px."""
    figures = opened(page, url).evaluate(
        """() => [...document.querySelectorAll(".evidence-output, .nb-figure")].filter((box) => box.querySelector("svg")).map((box) => {
          const svg = box.querySelector("svg"), { width } = svg.getBoundingClientRect()
          const sizes = [...svg.querySelectorAll("[font-size]")].map((text) => parseFloat(text.getAttribute("font-size")))
          const plain = sizes.filter((size) => !sizes.some((other) => Math.abs(size - 0.7 * other) < 0.02))
          return [box.clientWidth, width, Math.min(...plain) * width / svg.viewBox.baseVal.width]
        })"""
    )
    assert figures
    assert [row for row in figures if row[0] < 350] == []
    assert [row for row in figures if row[2] < 7.9 and row[1] < 679] == []


@pytest.mark.parametrize("url", [CHAPTER, NOTEBOOK])
def test_what_scrolls_sideways_shows_a_shade_where_it_goes_on(page, url):
    wide = opened(page, url).evaluate(
        """() => [...document.querySelectorAll("article *")]
          .filter((box) => getComputedStyle(box).overflowX === "auto" && box.scrollWidth > box.clientWidth + 1)
          .map((box) => [box.className || box.tagName, getComputedStyle(box).backgroundAttachment])"""
    )
    assert len(wide) > 2
    assert [row for row in wide if not row[1].startswith("local, local, scroll, scroll")] == []


@pytest.mark.parametrize("url", ["cuda/matmul.html", NOTEBOOK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_button_to_copy_is_seen_and_covers_no_code(page, url, scheme):
    blocks = opened(page, url, scheme).evaluate(
        """() => [...document.querySelectorAll("article .highlight")].map((block) => {
          const [button, code] = [block.querySelector("button"), block.querySelector("pre")]
          const luminance = (color) => {
            const [r, g, b] = color.match(/[\\d.]+/g).map((part) => part / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            return 0.2126 * r + 0.7152 * g + 0.0722 * b
          }
          const [one, other] = [getComputedStyle(button).color, getComputedStyle(code).backgroundColor].map(luminance)
          const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
          return [button.getBoundingClientRect().bottom <= code.getBoundingClientRect().top, contrast]
        })"""
    )
    assert blocks
    assert all(above and contrast >= 3 for above, contrast in blocks), blocks


def test_a_column_of_text_begins_at_its_left(page):
    aligned = opened(page, NOTEBOOK).evaluate(
        "[...document.querySelectorAll('.dataframe td.text')].map((cell) => getComputedStyle(cell).textAlign)"
    )
    assert aligned and set(aligned) == {"left"}


@pytest.mark.parametrize("url", ["cuda/sorting-and-nms.html", "fundamentals/overfitting.html"])
def test_no_row_of_a_table_is_high_for_its_name_alone(page, url):
    """The first column once had one word a line, ten lines beside one number."""
    lines = opened(page, url).evaluate(
        """() => [...document.querySelectorAll("table.plain td:first-child")].map((cell) => {
          const words = document.createRange()
          words.selectNodeContents(cell)
          return Math.round(words.getBoundingClientRect().height / parseFloat(getComputedStyle(cell).lineHeight))
        })"""
    )
    assert len(lines) > 20
    assert max(lines) <= 6
