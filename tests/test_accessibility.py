"""For everyone: axe on each kind of page in both schemes, the keyboard, zoom, motion, paper, and no scripts at all."""

from __future__ import annotations

import re
from collections import Counter

import pypdfium2
import pytest
from browsing import SITE, lay_out_all, settle, too_wide
from conftest import ROOT
from handbook import chapters, notebooks, pages
from lxml import html
from playwright.sync_api import Page, expect

AXE = ROOT / "tests/node/node_modules/axe-core/axe.min.js"
CHAPTER = "cuda/memory-hierarchy.html"
NOTEBOOK = "notebooks/cuda/accelerators.html"
KINDS = {
    "home": "index.html",
    "chapter": CHAPTER,
    "notebook": NOTEBOOK,
    "area": "cuda/index.html",
    "questions": "questions.html",
    "wrong": "wrong.html",
    "sources": "sources.html",
    "evidence": "evidence.html",
    "conventions": "conventions.html",
    "offline": "offline.html",
    "not found": "404.html",
}


def violations(page: Page) -> list[str]:
    """axe's findings: WCAG 2.2 A and AA, and its best practices; the rule, the element and how it fails."""
    page.evaluate(AXE.read_text(encoding="utf-8") + "; null")
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] }).then((result) => result.violations)")
    return [f"{row['id']} {node['target']}: {node['failureSummary']}" for row in found for node in row["nodes"]]


def opened(page: Page, url: str, scheme: str = "light", width: int = 1280) -> Page:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    # The page of what is not found names all by the address of publication, since it is shown at any.
    page.route("**/handbook/**", lambda route: route.continue_(url=route.request.url.replace("/handbook/", "/")))
    page.goto(url)
    settle(page)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_axe_finds_nothing(page, kind, scheme):
    opened(page, KINDS[kind], scheme)
    lay_out_all(page)
    assert violations(page) == []


# Where formulas alone are headers of tables and texts of links; the test of names below reads all pages.
@pytest.mark.parametrize(
    "url", ["fundamentals/losses.html", "cuda/sorting-and-nms.html", "notebooks/distributed/zero_stages.html"]
)
def test_axe_finds_nothing_where_formulas_are_names(page, url):
    opened(page, url)
    lay_out_all(page)
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_phone_with_the_menu_open(page, scheme):
    opened(page, CHAPTER, scheme, width=360)
    assert violations(page) == []
    page.get_by_role("button", name="Menu").click()
    page.wait_for_timeout(300)
    assert violations(page) == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_the_search_open(page, scheme, width):
    opened(page, CHAPTER, scheme, width)
    if width < 1000:
        page.locator("label.md-header__button[for=__search]").click()
    else:
        page.keyboard.press("/")
    page.keyboard.type("bank conflicts")
    expect(page.locator("[role=listbox]")).to_have_attribute("data-query", "bank conflicts")
    page.keyboard.press("ArrowDown")  # one result is chosen, the others are not
    expect(page.get_by_role("option", selected=True)).to_be_visible()
    assert page.get_by_role("option").count() > 3
    page.wait_for_timeout(300)
    assert violations(page) == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("url", [CHAPTER, NOTEBOOK, "fundamentals/losses.html"])
def test_axe_finds_nothing_before_the_browser_has_laid_out_the_rest_of_a_page(page, url, width):
    opened(page, url, width=width)
    assert violations(page) == []


def test_axe_bites(page):
    opened(page, "conventions.html")
    page.evaluate(
        "document.querySelector('article').insertAdjacentHTML('beforeend', '<img src=assets/images/favicon.svg><a href=#></a>')"
    )
    assert {row.split()[0] for row in violations(page)} >= {"image-alt", "link-name"}


# ---- the keyboard ----------------------------------------------------------------------------


def test_every_stop_of_the_keyboard_shows_its_focus_and_none_is_a_trap(page):
    opened(page, CHAPTER)
    stops, unseen = [], []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
              let element = document.activeElement
              if (element.matches(".md-option")) element = element.nextElementSibling // its label is what is drawn
              const box = element.getBoundingClientRect(), style = getComputedStyle(element)
              const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none"
              return {
                name: element.tagName + "." + element.className + " " + (element.textContent || element.ariaLabel || "").trim().slice(0, 30),
                inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight, ring,
                field: element.matches("input"),
              }
            }"""
        )
        stops.append(stop["name"])
        if not stop["inside"] or not (stop["ring"] or stop["field"]):
            unseen.append(stop)
    assert unseen == []
    assert len(set(stops)) > 25  # it goes on


STOP = """() => {
  let element = document.activeElement
  if (element === document.body) return null
  const name = element.ariaLabel || element.textContent.trim() || element.tagName
  // A switch of the menu is drawn by its label.
  if (element.matches(".md-nav__toggle:checked")) element = element.parentElement.querySelector(":scope > .md-nav > .md-nav__title")
  else if (element.matches(".md-nav__toggle")) element = element.parentElement.querySelector(":scope > .md-nav__link")
  const box = element.getBoundingClientRect()
  const top = document.elementFromPoint((box.left + Math.min(innerWidth, box.right)) / 2, (box.top + box.bottom) / 2)
  const seen = box.left >= 0 && box.width > 0 && (element.contains(top) || top?.contains(element) || top?.closest(".title-tip")) // of the last stop, and fading
  const ring = getComputedStyle(element).outlineStyle !== "none" || element.matches("input")
  return { name: name.slice(0, 40), seen, ring, menu: !!element.closest(".md-sidebar--primary") }
}"""


def tabbed(page: Page, times: int, key: str = "Tab") -> list[dict]:
    """The stops of the keyboard: names, whether each is seen and has a ring, whether it is in the menu."""
    stops = []
    for _ in range(times):
        page.keyboard.press(key)
        page.wait_for_timeout(20)
        stops.append(page.evaluate(STOP))
    return [stop for stop in stops if stop]


@pytest.mark.parametrize("width", [360, 640, 1000])
def test_the_closed_menu_of_a_narrow_window_takes_no_focus(page, width):
    opened(page, "fundamentals/losses.html", width=width)
    stops = tabbed(page, 25)
    assert len(stops) > 20
    assert [stop for stop in stops if stop["menu"] or not stop["seen"]] == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
@pytest.mark.parametrize(
    "url", ["fundamentals/losses.html", "nlp/index.html", "index.html", "questions.html", NOTEBOOK]
)
def test_the_menu_is_opened_read_and_closed_by_keyboard(page, url, motion):
    opened(page, url, width=360)
    page.emulate_media(reduced_motion=motion)
    button = page.get_by_role("button", name="Menu")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    page.wait_for_timeout(400)
    first = page.evaluate(STOP)
    assert first["menu"] and first["seen"], first
    inside = [first]
    while (stop := tabbed(page, 1)[0])["menu"]:
        inside.append(stop)
    assert [stop for stop in inside if not stop["seen"] or not stop["ring"]] == []
    expect(button).to_have_attribute("aria-expanded", "false")  # the focus has left it
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)
    page.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()
    page.wait_for_timeout(400)
    assert page.locator(".md-sidebar--primary a:visible").count() == 0


def test_the_menus_levels_are_changed_by_keyboard(page):
    opened(page, "fundamentals/losses.html", width=360)
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(STOP)["name"] == "Fundamentals"
    page.keyboard.press("Space")  # up to the areas
    page.wait_for_timeout(300)
    names = [stop["name"] for stop in tabbed(page, 5)]
    assert "CUDA" in names, names
    page.get_by_role("checkbox", name="Fundamentals").focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    page.get_by_role("checkbox", name="Table of contents").focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    question = tabbed(page, 1)[0]
    assert question["menu"] and question["seen"], question
    page.keyboard.press("Enter")
    expect(page.locator(":target")).to_be_in_viewport()


def test_the_skip_link_comes_first_and_leads_to_the_text(page):
    opened(page, CHAPTER)
    page.keyboard.press("Tab")
    link = page.locator(":focus")
    assert "md-skip" in link.get_attribute("class")
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("article :target")).to_be_in_viewport()
    page.wait_for_timeout(100)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('article') !== null")


def test_the_chapter_can_be_read_and_its_proof_opened_by_keyboard(page):
    opened(page, CHAPTER)
    claim = page.locator("article a.claim").first
    claim.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/notebooks/**")
    expect(page.locator(":target")).to_be_in_viewport()


@pytest.mark.parametrize("width", [320, 360])
def test_an_output_that_scrolls_is_a_stop_before_any_script(page, width):
    page.route("**/reading.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(NOTEBOOK)
    lay_out_all(page)
    missed = "(boxes) => boxes.filter((box) => box.scrollWidth > box.clientWidth && box.tabIndex < 0).map((box) => box.textContent)"
    assert page.eval_on_selector_all(".nb-text-output", missed) == []


@pytest.mark.parametrize("url", [CHAPTER, NOTEBOOK])
@pytest.mark.parametrize("width", [320, 1280])
def test_a_box_is_a_stop_with_a_name_only_while_it_scrolls(page, url, width):
    opened(page, url, width=width)
    lay_out_all(page)
    stops = page.evaluate(
        """() => [...document.querySelectorAll("article [tabindex='0']")].map((box) => ({
          scrolls: box.scrollWidth > box.clientWidth + 1, role: box.role, name: box.ariaLabel, what: box.outerHTML.slice(0, 60)
        }))"""
    )
    assert [
        s for s in stops if not (s["scrolls"] and s["role"] == "group" and s["name"].endswith("scrolls sideways"))
    ] == []
    assert stops or width > 1000


@pytest.mark.parametrize("url", [CHAPTER, NOTEBOOK])
def test_scrolling_boxes_are_reached_by_keyboard(page, url):
    opened(page, url, width=320)
    lay_out_all(page)
    stuck = page.evaluate(
        """() => [...document.querySelectorAll("article *")].filter((box) => {
          const style = getComputedStyle(box)
          if (!/auto|scroll/.test(style.overflowX) || box.scrollWidth <= box.clientWidth + 1) return false
          return box.tabIndex < 0 && !box.querySelector("a, button, [tabindex='0']") && !box.closest("[tabindex='0']")
        }).map((box) => box.tagName + "." + box.className)"""
    )
    assert stuck == []


# ---- structure -------------------------------------------------------------------------------


def test_each_page_has_its_landmarks_one_title_and_a_language():
    for path in SITE.rglob("*.html"):
        tree = html.parse(str(path)).getroot()
        assert tree.get("lang") == "en", path
        for tag in ("header", "main", "footer"):
            assert tree.xpath(f"//{tag}"), (path, tag)
        assert tree.xpath("//nav[@aria-label]"), path
        assert len(tree.xpath("//article//h1 | //*[@class='home']//h1")) == 1, path


def test_headings_leave_out_no_level():
    skipping = []
    for path in SITE.rglob("*.html"):
        levels = [int(h.tag[1]) for h in html.parse(str(path)).getroot().xpath("//article//*[re:test(local-name(), '^h[1-6]$')]",
                  namespaces={"re": "http://exslt.org/regular-expressions"})]  # fmt: skip
        skipping += [(path.name, a, b) for a, b in zip(levels, levels[1:], strict=False) if b > a + 1]
    assert skipping == []


def spaced(text: str | None) -> str:
    return " ".join((text or "").split())


def test_each_figure_has_its_caption_as_alternative_text_and_each_table_its_headers():
    figures = tables = 0
    for chapter in chapters.read_all(ROOT):
        tree = html.parse(str(SITE / chapter.name.replace(".md", ".html"))).getroot()
        written = [spaced(link.text) for link in chapters.links(chapter.text) if link.image and "#" in link.target]
        shown = tree.xpath("//figure[contains(@class, 'evidence')]")
        assert len(shown) == len(written), chapter.name
        for figure, caption in zip(shown, written, strict=True):
            seen = spaced(figure.find("figcaption").text_content().removesuffix("Computed here"))
            assert seen == caption or "$" in caption, chapter.name  # a formula is said in words
            for drawing in figure.iter("svg"):
                figures += 1
                assert drawing.get("role") == "img", chapter.name
                assert spaced(drawing.get("aria-label")) == seen != "", chapter.name
        for table in tree.xpath("//article//table"):
            tables += 1
            assert table.xpath(".//th"), chapter.name
    assert figures > 0 and tables > 0


def test_no_id_stands_twice_and_every_reference_leads_to_one():
    wrong = []
    for path in SITE.rglob("*.html"):
        tree = html.parse(str(path)).getroot()
        ids = Counter(tree.xpath("//@id"))
        wrong += [(path.name, "twice", name) for name, times in ids.items() if times > 1]
        for attribute in ("for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns"):
            wrong += [
                (path.name, attribute, v) for v in tree.xpath(f"//@{attribute}") if not set(v.split()) <= set(ids)
            ]
    assert wrong == []


def test_each_link_and_each_header_of_a_table_has_a_name_that_is_not_only_mathml():
    """axe's rules empty-table-header and link-name, on all pages."""
    nameless, read = [], 0
    for path in SITE.rglob("*.html"):
        for element in html.parse(str(path)).getroot().xpath("//article//a[@href] | //article//th"):
            read += 1
            text = "".join(element.xpath(".//text()[not(ancestor::mjx-container)]"))
            if not (text.strip() or element.tag == "a" and element.get("title") or element.xpath(".//*[@aria-label]")):
                nameless.append((path.name, html.tostring(element)[:120]))
    assert nameless == []
    assert read > 1000


def test_a_notebooks_figure_is_named_by_its_caption_or_by_what_it_draws():
    captions = pages.captions(chapters.read_all(ROOT))
    names = []
    for path in notebooks.paths(ROOT):
        file = path.relative_to(ROOT)
        tree = html.parse(str((SITE / file).with_suffix(".html"))).getroot()
        for cell in tree.find_class("nb-cell"):
            for drawing in cell.xpath(".//*[@class='nb-figure']//svg"):
                names.append(drawing.get("aria-label"))
                written = captions.get(file.as_posix(), {}).get(cell.get("id"))
                assert names[-1] == (written or names[-1]), file
    assert len(names) > 50
    assert [name for name in names if len(name.split()) < 4 or name.startswith("Figure ") or "$" in name] == []


# ---- zoom, motion, paper, both schemes -------------------------------------------------------


@pytest.mark.parametrize("url", [*KINDS.values()])
def test_320_px_and_200_percent_show_all_without_scrolling_sideways(page, url):
    opened(page, url, width=320)
    for zoom in (1, 2):
        page.set_viewport_size({"width": 640 // zoom if zoom == 2 else 320, "height": 800})
        page.evaluate(f"document.documentElement.style.fontSize = '{100 * zoom}%'")
        assert too_wide(page) == [], f"at zoom {zoom}"


def test_reduced_motion_stops_what_moves(page):
    opened(page, CHAPTER)
    moving = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll("*")].filter((element) => {
          const style = getComputedStyle(element)
          const long = (times) => times.split(",").some((time) => parseFloat(time) > 0.01)
          return style.scrollBehavior === "smooth" || long(style.transitionDuration) || style.animationName !== "none" && long(style.animationDuration)
        }).map((element) => element.tagName + "." + element.className).slice(0, 5)"""
    )
    assert moving == []


def test_on_paper_stands_the_text_alone(page):
    opened(page, CHAPTER, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    for gone in (".md-header", ".md-sidebar", ".md-footer", ".headerlink"):
        assert page.locator(gone).first.is_hidden(), gone
    ink, paper = (
        page.evaluate(f"getComputedStyle(document.querySelector('article p')).{name}")
        for name in ("color", "backgroundColor")
    )
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) < 200, ink
    assert paper in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)", "rgb(253, 254, 252)")


def test_on_paper_a_cells_label_stands_on_the_page_of_its_code(page):
    opened(page, NOTEBOOK)
    cells = [
        c
        for c in notebooks.read(ROOT / NOTEBOOK.replace(".html", ".ipynb"), ROOT).cells
        if c.kind == "code" and c.label
    ]
    sheets = [sheet.get_textpage().get_text_range() for sheet in pypdfium2.PdfDocument(page.pdf(format="A4"))]
    lines = [[line.strip() for line in sheet.splitlines() if line.strip()] for sheet in sheets]
    labels = {cell.label for cell in cells}
    assert sum(line in labels for sheet in lines for line in sheet) >= len(cells)
    assert [sheet[-1] for sheet in lines if sheet and sheet[-1] in labels] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_can_be_read_in_both_schemes(page, scheme):
    """Text of figures has 4.5:1 against the page, and every line and area of a color 2:1 at least."""
    figures = [
        chapter.name.replace(".md", ".html")
        for chapter in chapters.read_all(ROOT)
        if any(claim for claim in chapters.links(chapter.text) if claim.image)
    ]
    faint = []
    for url in figures[:4]:
        opened(page, url, scheme)
        faint += page.evaluate(CONTRAST)
    assert faint == []


CONTRAST = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true })
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data }
  const light = (color) => {
    const [r, g, b] = [...rgb(color)].slice(0, 3).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const paper = light(getComputedStyle(document.body).backgroundColor)
  const ratio = (color) => { const own = light(color); return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05) }
  const faint = []
  for (const text of document.querySelectorAll(".evidence svg text"))
    if (ratio(getComputedStyle(text).fill) < 4.5) faint.push(["text", getComputedStyle(text).fill, text.textContent])
  return faint.slice(0, 3)
}"""


# ---- without scripts -------------------------------------------------------------------------


@pytest.mark.parametrize("url", [CHAPTER, NOTEBOOK])
def test_all_is_read_without_scripts(browser, address, url):
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    formulas = page.locator("article mjx-container")
    assert formulas.count() > 0 or url == NOTEBOOK
    if formulas.count():
        box = formulas.first.bounding_box()
        assert box["width"] > 5 and box["height"] > 5
    assert page.locator("article h2").count() > 1
    assert page.locator("article svg, article table").first.is_visible()
    context.close()


def test_without_scripts_the_page_on_reading_offline_says_what_needs_them(browser, address):
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("offline.html")
    expect(page.get_by_text("needs JavaScript")).to_be_visible()
    assert page.locator("article button:visible").count() == 0
    context.close()


def test_what_is_not_found_leads_on(page):
    opened(page, "404.html")
    expect(page).to_have_title("Page not found - Worked Answers")
    page.locator("article").get_by_role("link", name="All questions").click()
    expect(page).to_have_title("All questions - Worked Answers")
    page.goto("index.html")
    expect(page).to_have_title("Worked Answers")


def test_every_notebook_has_a_page():
    for path in notebooks.paths(ROOT):
        assert (SITE / path.relative_to(ROOT).with_suffix(".html")).is_file()
