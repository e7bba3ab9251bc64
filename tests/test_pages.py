"""The generated pages, and what rendering adds to chapters and notebooks."""

from __future__ import annotations

import re

import pytest
from handbook import chapters, mathematics, notebooks, pages, typesetting

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><g id="a"/></svg>'


@pytest.fixture
def book(tiny):
    return chapters.read_all(tiny)


def resolve(target: str) -> str:
    return "../" + target.removesuffix(".md") + "/"


def test_generated_pages_name_every_question_source_and_claim(book, tiny):
    books = {"notebooks/cuda/tiny.ipynb": notebooks.read(tiny / "notebooks/cuda/tiny.ipynb", tiny)}
    made = pages.generated(book, chapters.read_sources(tiny), books)
    assert set(made) == {"questions.md", "sources.md", "evidence.md", "wrong.md"}
    assert 'data-area="cuda"' in made["questions.md"]
    assert "(cuda/memory.md#tiny-bytes)" in made["questions.md"]
    assert "Answered so far: 1. Open: 120." in made["sources.md"]
    assert made["sources.md"].count('<span class="open">') == 120
    assert "3 numbers and 1 figures and tables" in made["evidence.md"]
    assert (
        '3 numbers, 1 figure or table, <a href="notebooks/cuda/tiny.html#cited-by">cited by 1 question</a>'
        in made["evidence.md"]
    )
    assert '- ["Adam costs 12 bytes."](cuda/memory.md#wrong-tiny-bytes)' in made["wrong.md"]


def test_a_notebook_page_ends_with_what_it_proves(book, tiny):
    notebook = notebooks.read(tiny / "notebooks/cuda/tiny.ipynb", tiny)
    page = pages.notebook_page(
        notebook, pages.citing(book)[notebook.file], {}, "https://example.org", "tiny.ipynb", resolve
    )
    end = page[page.index('<h2 id="cited-by">') :]
    assert '<a href="../cuda/memory/#tiny-bytes">How many bytes does a parameter need?</a>' in end
    assert '<a href="#shares.optimizer">75 %</a>' in end
    assert '<mark id="shares.optimizer">0.75</mark>' in page
    assert '<a href="#parts"><em>The bytes of a parameter by part</em></a>' in end


def test_each_box_of_what_is_wrong_has_a_place_of_its_own(book):
    box = '<div class="admonition warning">'
    page = f'<h2 id="tiny-bytes">How many?</h2>{box}</div><p>x</p>{box}</div>'
    shown = pages.complete_questions(page, book[0], "https://github.com/example/tiny", resolve)
    assert pages.wrong_anchors(shown) == {"wrong-tiny-bytes", "wrong-tiny-bytes-2"}


def test_a_question_has_its_line_and_its_answer_a_box(book):
    page = '<p>About.</p><h2 id="tiny-bytes">How many?</h2>\n<p>x</p>\n<div class="footnote">notes</div>'
    shown = pages.complete_questions(page, book[0], "https://github.com/example/tiny", resolve)
    before, _, answer = shown.partition('<h2 id="tiny-bytes">How many?</h2><div class="answer" style="')
    assert before == "<p>About.</p>"
    assert re.match(r'--narrow:\d+px;--wide:\d+px"><div class="question-meta"', answer)
    assert re.search(
        r'<p>x</p>\n</div><div class="footnote" role="doc-endnotes" aria-label="Notes" style="--narrow:[^"]+">notes</div>$',
        answer,
    )
    assert 'href="../sources/#list-01"' in shown
    assert "edit/main/docs/cuda/memory.md#L15" in shown


def test_code_has_a_button_that_copies_it():
    code = '<div class="language-python highlight"><pre><span></span><code><span class="k">if</span> x\n</code></pre></div>'
    shown = pages.with_copy_buttons(f"<p>a</p>{code}{code}")
    assert (
        re.findall(r'data-clipboard-target="#(\w+)"', shown)
        == re.findall(r'<pre id="(\w+)"', shown)
        == ["__code_0", "__code_1"]
    )
    assert '<span class="k">if</span> x</pre>' in shown
    assert "<code>" not in shown  # which Material would look for


def test_long_cells_say_so_and_long_code_breaks_behind_signs():
    row = f"<tr><td>short</td><td style='text-align: right'>{'word ' * 9}</td><td>{'<b>x</b>' * 30}</td></tr>"
    assert re.findall(r"<td[^>]*>", pages.with_scrolling_tables(f"<table>{row}</table>")) == [
        "<td>",
        "<td class=\"long\" style='text-align: right'>",
        "<td>",
    ]
    assert pages.with_breaking_code("<code>torch.compile</code>") == "<code>torch.compile</code>"
    assert (
        pages.with_breaking_code("<code>saved_tensors_hooks(f=1)</code>")
        == "<code>saved_<wbr>tensors_<wbr>hooks(<wbr>f=<wbr>1)</code>"
    )
    whole = '<span class="whole">{}</span>'
    assert pages.with_breaking_code("<code>nvcc -G --set-x a-b</code>") == (
        f"<code>nvcc {whole.format('-G')} {whole.format('--set-x')} a-b</code>"
    )
    assert pages.with_breaking_code("<code>x - 1, -1</code>") == "<code>x - 1, -1</code>"
    block = '<div class="highlight"><pre id="c">saved_tensors_hooks(f=1)</pre></div>'
    assert pages.with_breaking_code(block) == block


def test_what_is_longer_keeps_more_room():
    def room(markup):
        return [int(pixels) for pixels in re.findall(r"\d+", pages.kept_height(markup))]

    assert room("") == [0, 0]
    line, table = room("<p>a line of text</p>"), room("<table><tr><td>a line of text</td></tr></table>")
    assert all(pixels > 0 for pixels in line + table)
    assert room("<p>a line of text</p><pre>1\n2\n3</pre>")[0] > line[0] + 3 * 20
    # A phone's lines are short; a wide screen's figures are high.
    assert room(f"<p>{'word ' * 200}</p>")[0] > room(f"<p>{'word ' * 200}</p>")[1]
    assert room('<div class="evidence-output"><svg>…</svg></div>')[0] < room('<div class="evidence-output"></div>')[1]


def test_a_report_names_the_question(book):
    url = pages.report_url("https://github.com/example/tiny", book[0], book[0].questions[0])
    assert url.startswith("https://github.com/example/tiny/issues/new?template=error.yml&title=Error%20in")
    assert "tiny-bytes" in url


def test_a_number_stays_with_its_unit_and_a_letter_with_its_word():
    space, whole = "\u00a0", '<span class="whole">{}</span>'.format
    for text in ("within 25{}% of", "<b>at 128{}GB/s</b>.", '<a class="claim" href="#x">3</a>{}µs', "2{}FLOP/B"):
        assert pages.with_kept_words(text.format(" ")) == text.format(space)
    for text in (
        "<code>25 % 3</code>",
        '<a title="25 %">x</a>',
        "<pre>128 <b>3</b> GB</pre>",
        "2 speeds",
        "2 Bs",
        "split-K",
    ):
        assert pages.with_kept_words(text) == text
    assert pages.with_kept_words("7.0e-3 of <code>1e-8</code>") == f"{whole('7.0e-3')} of <code>1e-8</code>"
    assert pages.with_kept_words('<h2 id="a-b">ZeRO-3 or split-Key?<a href="#a-b">#</a></h2>') == (
        f'<h2 id="a-b">{whole("ZeRO-3")} or split-Key?<a href="#a-b">#</a></h2>'
    )


def test_a_table_of_three_columns_whose_rows_have_names_says_so():
    def kind(*cells: str) -> str:
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        return re.search(r'table class="([^"]*)"', pages.with_scrolling_tables(f"<table><tr>{row}</tr></table>"))[1]

    assert kind("20 of 3000 noise columns", "1", "2") == "plain named"
    assert kind("short", "20 of 3000 noise columns", "2") == "plain"
    assert kind("20 of 3000 noise columns", "1") == "plain"  # of two columns the second is the long one


def test_citing_lists_each_question_once(book):
    assert [row.anchor for row in pages.citing(book)["notebooks/cuda/tiny.ipynb"]] == ["#tiny-bytes"]


def test_boxes_that_may_scroll_are_stops_of_the_keyboard():
    long, short = "x" * 37, "<span>&lt;</span>" * 36
    output = '<div class="nb-text-output"><pre>{}</pre></div>'
    page = pages.with_stops(
        f'<pre id="__code_0">{long}</pre><pre id="__code_1">{short}\n{short}</pre>'
        f"{output.format(long[:32])}{output.format(long[:31])}"
        '<div class="nb-figure"><svg style="--least:300px"></svg></div><div class="nb-figure"><svg style="--least:280px"></svg></div>'
        '<div class="evidence-output"><table></table></div><mjx-container data-tex="a" display="true"></mjx-container>'
        '<mjx-container data-tex="a"></mjx-container>'
    )
    stops = re.findall(r'<([\w-]+)[^>]* tabindex="0"', page)
    assert stops == ["pre", "div", "div", "div", "mjx-container"]
    assert typesetting.shown(page) == {("a", True), ("a", False)}  # found by its TeX as before


def test_headings_become_a_table_of_contents():
    markup = '<h1 id="a">A<a class="headerlink" href="#a">#</a></h1><h2 id="b">B <code>x</code></h2><h3 id="c">C</h3>'
    (top,) = pages.headings(markup)
    assert (top["id"], top["name"]) == ("a", "A")
    assert [(child["id"], child["name"]) for child in top["children"]] == [("b", "B x")]
    formulas = mathematics.typeset_html("<h1 id='a'>Sort $2^{20}$ &lt; keys</h1>".replace("'", '"'), "x")
    assert pages.headings(formulas)[0]["name"] == "Sort 2²⁰ &lt; keys"


def test_the_home_page_shows_the_cell_of_its_first_claim(tiny):
    assert pages.home_proof(tiny) is None
    (tiny / "docs/index.md").write_text("[75 %](../notebooks/cuda/tiny.ipynb#shares.optimizer)\n")
    proof = pages.home_proof(tiny)
    assert proof["url"] == "notebooks/cuda/tiny.html#shares"
    assert proof["output"] == "{'optimizer': 0.75}"
    assert "label" not in proof["code"]


def test_an_areas_front_page_lists_its_chapters_or_what_it_will_answer(book, tiny):
    sources = chapters.read_sources(tiny)
    assert "[Tiny memory](memory.md): A chapter of one question" in pages.chapter_list(book, "cuda", sources)
    empty = pages.chapter_list(book, "cv", sources)
    assert "None is finished yet" in empty
    assert empty.count("\n- ") == sum(row["area"] == "cv" for row in sources.values()) > 0
