"""The site's generated pages, and what is added to chapters and notebooks when they are rendered."""

from __future__ import annotations

import html
import itertools
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lxml import html as lxml_html
from markdown.extensions.toc import slugify
from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from . import chapters, evidence, figures, mathematics, questions
from .chapters import AREAS, Chapter
from .notebooks import Cell, Notebook

# What each source text is, for the reader; the ids in docs/sources.yaml begin with these names.
SOURCES = {
    "nv": "Notes of an interview for an AI-engineer role at a GPU vendor (2020)",
    "list": "A question list for AI-infrastructure and algorithm roles",
    "guide": "How interviewers of computer-vision and deep-learning candidates ask",
    "damo": "A telephone interview with a federated-learning group (2020)",
    "fw": "Questions for a senior deep-learning-framework engineer",
}

Resolve = Callable[[str], str]  # a path below docs/ (or notebooks/…) to a URL relative to the page

# ---- generated pages -------------------------------------------------------------------------


def generated(book: list[Chapter], sources: dict[str, dict[str, str]], books: dict[str, Notebook]) -> dict[str, str]:
    """The generated pages as Markdown, by their path below docs/. `books` are the notebooks by file."""
    return {
        "questions.md": questions_page(book),
        "sources.md": sources_page(book, sources),
        "evidence.md": evidence_page(book, books),
        "wrong.md": wrong_page(book),
    }


def questions_page(book: list[Chapter]) -> str:
    """Every question by area and chapter; assets/js/questions.js filters the items by their attributes."""
    rows = questions.all_questions(book)
    text = [
        "---\ntitle: All questions\nfilter: true\ndescription: Every question of the handbook, to filter by area, level and words.\nsearch: {exclude: true}\n---\n",
        "# All questions\n",
        f"Questions: {len(rows)}, in chapters: {len(book)}.\n",
        '<div class="question-filter" data-question-filter></div>\n',
    ]
    for chapter in book:
        text.append(
            f"## [{chapter.title}]({chapter.name}) {{ #{chapter.area}-{os.path.basename(chapter.name)[:-3]} }}\n"
        )
        for question in chapter.questions:
            link = f"[{question.title}]({chapter.name}#{question.id})"
            text.append(f'- {link} <span class="level level-{question.level}">{question.level}</span>')
            text.append(
                f'{{: data-area="{chapter.area}" data-area-title="{AREAS[chapter.area]}" data-level="{question.level}" }}'
            )
        text.append("")
    return "\n".join(text)


def sources_page(book: list[Chapter], sources: dict[str, dict[str, str]]) -> str:
    """Each source question with the answers that cover it; the open ones say so."""
    covered = questions.coverage(book, sources)
    answered = sum(bool(rows) for rows in covered.values())
    text = [
        "---\ntitle: Sources\ndescription: The questions that real interviews asked, and the answers that cover each.\nsearch: {exclude: true}\n---\n",
        "# Sources\n",
        f"Five texts written down after real interviews, or for them, raise {len(covered)} questions. "
        f"Answered so far: {answered}. Open: {len(covered) - answered}.\n",
    ]
    for source, description in SOURCES.items():
        text.append(f"## {description} {{ #{source} }}\n")
        for identifier, row in sources.items():
            if identifier.rsplit("-", 1)[0] != source:
                continue
            answers = "; ".join(f"[{q.title}]({c.name}#{q.id})" for c, q in covered[identifier])
            state = (
                f"Answered: {answers}"
                if answers
                else f'<span class="open">Open</span>, planned in {AREAS[row["area"]]}'
            )
            text.append(
                f"- `{identifier}` {row['ask']}<br>\n    {state}\n{{: #{identifier} .{'answered' if answers else 'unanswered'} }}"
            )
        text.append("")
    return "\n".join(text)


def evidence_page(book: list[Chapter], books: dict[str, Notebook]) -> str:
    """Counts by notebook; the page of each notebook lists what it proves, so that this one stays small."""
    cited = citing(book)
    everything = [claim for rows in cited.values() for row in rows for claim in row.claims]
    embedded = sum(claim.embedded for claim in everything)
    text = [
        "---\ntitle: Evidence\ndescription: Every notebook of the handbook, and how much it proves.\nsearch: {exclude: true}\n---\n",
        "# Evidence\n",
        f"{len(everything) - embedded:,} numbers and {embedded} figures and tables are computed by {len(books)} notebooks. "
        "Each is checked at every build: the text against the notebook's committed output, and the output "
        "against a fresh run. The page of a notebook ends with all that it proves.\n",
    ]
    for area, files in itertools.groupby(books, lambda file: file.split("/")[1]):
        text.append(f"## {AREAS.get(area, area)}\n")
        for file in files:  # lines, since a table's columns move while it arrives
            mine = cited.get(file, [])
            claims = [claim for row in mine for claim in row.claims]
            figures = sum(claim.embedded for claim in claims)
            counts = [_count(len(claims) - figures, "number"), _count(figures, "figure or table", "figures and tables")]
            if mine:  # as HTML: a Markdown link to a place in a notebook is a claim
                by = f"cited by {_count(len({row.anchor for row in mine}), 'question')}"
                counts.append(f'<a href="{file.removesuffix(".ipynb")}.html#cited-by">{by}</a>')
            text.append(f"- [{books[file].title}](../{file}): {', '.join(filter(None, counts)) or 'not cited'}")
        text.append("")
    return "\n".join(text)


def claims_by_question(chapter: Chapter) -> list[tuple[str, str, evidence.Claim]]:
    """A chapter's claims with the title and the anchor of the question that each belongs to."""
    starts = [(q.line, q.title, f"#{q.id}") for q in chapter.questions]
    found = []
    for claim in evidence.claims(chapter.text):
        before = [(title, anchor) for line, title, anchor in starts if line <= claim.line]
        title, anchor = before[-1] if before else (chapter.title, "")
        found.append((title, anchor, claim))
    return found


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}" if number else ""


@dataclass(frozen=True)
class Citation:
    """What a question takes from one notebook; a chapter's opening counts as a question without an anchor."""

    chapter: Chapter
    title: str
    anchor: str  # with its #
    claims: tuple[evidence.Claim, ...]


def citing(book: list[Chapter]) -> dict[str, list[Citation]]:
    """By notebook the questions that cite it, each once."""
    found: dict[str, list[Citation]] = defaultdict(list)
    for chapter in book:
        taken: dict[tuple[str, str, str], list[evidence.Claim]] = defaultdict(list)
        for title, anchor, claim in claims_by_question(chapter):
            taken[claim.notebook, title, anchor].append(claim)
        for (notebook, title, anchor), claims in taken.items():
            found[notebook].append(Citation(chapter, title, anchor, tuple(claims)))
    return dict(found)


def captions(book: list[Chapter]) -> dict[str, dict[str, str]]:
    """By notebook and label the captions that chapters write below embedded figures, the first of each, as plain text."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for chapter in book:
        for claim in evidence.claims(chapter.text):
            if claim.embedded:
                found[claim.notebook].setdefault(claim.label, mathematics.spoken(claim.text))
    return found


def wrong_page(book: list[Chapter]) -> str:
    """What is said in the "often said, but wrong" boxes; each line leads to its box, so that this page stays small."""
    boxes = questions.wrong_boxes(book)
    text = [
        "---\ntitle: Often said, but wrong\ndescription: The wrong answers that circulate; each leads to what is true instead.\nsearch: {exclude: true}\n---\n",
        "# Often said, but wrong\n",
        f"{sum(len(box.said) for box in boxes)} answers that circulate and are wrong, half true or out of date. "
        "Say what is wrong with one, then follow it: it leads to what is true, and why.\n",
    ]
    for chapter, mine in itertools.groupby(boxes, lambda box: box.chapter):
        text.append(
            f"## {AREAS[chapter.area]}: {chapter.title} {{ #{chapter.area}-{os.path.basename(chapter.name)[:-3]} }}\n"
        )
        for box in mine:
            text += [f"- [{said}]({chapter.name}#{box.anchor})" for said in box.said]
        text.append("")
    return "\n".join(text)


def chapter_list(book: list[Chapter], area: str, sources: dict[str, dict[str, str]]) -> str:
    """The chapters of an area with their descriptions, for the end of the area's front page, as Markdown.

    Where there is none yet, the questions that interviews asked and the area will answer.
    """
    rows = [
        f"- [{c.title}]({Path(c.file).name}): {c.description} Questions: {len(c.questions)}."
        for c in book
        if c.area == area
    ]
    if rows:
        return "\n\n## Chapters\n\n" + "\n".join(rows) + "\n"
    covered = questions.coverage(book, sources)
    asked = [f"- {row['ask']}" for name, row in sources.items() if row["area"] == area and not covered[name]]
    planned = f" These [questions of real interviews](../sources.md) will be answered here:\n\n{chr(10).join(asked)}"
    return "\n\n## Chapters\n\nNone is finished yet." + (planned if asked else "") + "\n"


def home_proof(root: Path) -> dict[str, str] | None:
    """The cell behind the first claim of docs/index.md, which the home page shows beside it."""
    found = evidence.claims((root / "docs/index.md").read_text(encoding="utf-8"))
    if not found:
        return None
    cell, _ = evidence.resolve(found[0], root)
    code = "\n".join(line for line in cell.source.splitlines() if not line.startswith("#|"))
    return {
        "url": f"{found[0].notebook.removesuffix('.ipynb')}.html#{found[0].label}",
        "notebook": found[0].notebook.removeprefix("notebooks/"),
        "code": "".join(
            f'<span class="line">{line}</span>'
            for line in highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)).splitlines()
        ),
        "output": repr(cell.value),
    }


# ---- chapters --------------------------------------------------------------------------------


def complete_questions(page: str, chapter: Chapter, repository: str, resolve: Resolve) -> str:
    """A chapter's HTML with a line below each question (level, sources, review, edit, report).

    What follows a heading stands in a box, which the browser lays out when it comes near the window
    (`content-visibility`, handbook.css): most of a page costs nothing until it is read.
    """
    lines = {question.id: _question_meta(question, chapter, repository, resolve) for question in chapter.questions}
    parts = re.split(r'(?=<h2 id="|<div class="footnote">)', page)
    for i, part in enumerate(parts):
        if heading := re.match(r'<h2 id="([^"]+)">.*?</h2>', part, re.S):
            answer = _with_anchors(part[heading.end() :], heading[1])
            box = f'<div class="answer" style="{kept_height(answer)}">'
            parts[i] = f"{heading[0]}{box}{lines.get(heading[1], '')}{answer}</div>"
        elif part.startswith(notes := '<div class="footnote"'):
            named = 'role="doc-endnotes" aria-label="Notes"'
            parts[i] = f'{notes} {named} style="{kept_height(part)}"{part.removeprefix(notes)}'
    return "".join(parts)


def _with_anchors(answer: str, question: str) -> str:
    """An answer whose wrong answers can be linked to."""
    number = itertools.count()
    box = '<div class="admonition warning"'
    return re.sub(box, lambda m: f'{m[0]} id="{questions.wrong_anchor(question, next(number))}"', answer)


def wrong_anchors(page: str) -> set[str]:
    """The ids of a chapter's wrong answers, for MkDocs' check of links."""
    return set(re.findall(r'<div class="admonition warning" id="([^"]+)"', page))


def with_copy_buttons(page: str) -> str:
    """A page's HTML with each block of code in our markup; see `code_block`."""
    number = itertools.count()
    block = r'<div class="(?:[\w-]+ )?highlight"><pre><span></span><code>(.*?)\n?</code></pre></div>'
    return re.sub(block, lambda m: code_block(m[1], f"__code_{next(number)}"), page, flags=re.S)


def with_scrolling_tables(page: str) -> str:
    """A page's HTML with each plain table in the box that scrolls.

    Material puts the same box around each table without a class, when its script comes to it, and the page moves.
    """
    box = '<div class="md-typeset__scrollwrap"><div class="md-typeset__table"><table class="{}">{}</table></div></div>'
    return re.sub("<table>(.*?)</table>", lambda m: box.format(_kind(m[1]), _with_long_cells(m[1])), page, flags=re.S)


def _kind(table: str) -> str:
    """The class of a plain table; where rows of three or more cells begin with more than a short word, one more.

    On a phone the first column then gets a least width: it alone would be as narrow as its longest word.
    """
    rows = [re.findall(r"<td\b[^>]*>(.*?)</td>", row, re.S) for row in table.split("<tr")]
    return "plain named" if any(len(row) > 2 and len(_shown(row[0])) > 14 for row in rows) else "plain"


def _shown(cell: str) -> str:
    return re.sub(r"<mjx-assistive-mml.*?</mjx-assistive-mml>|<[^>]+>", "", cell, flags=re.S)


def _with_long_cells(table: str) -> str:
    """A table's HTML in which cells of much text say so: on a phone they get more than the least width."""

    def cell(match: re.Match[str]) -> str:
        return f'<td class="long"{match[1]}>{match[2]}' if len(_shown(match[2])) > 40 else match[0]

    return re.sub(r"<td\b([^>]*)>(.*?)(?=</td>)", cell, table, flags=re.S)


def with_breaking_code(page: str) -> str:
    """A page's HTML in which long code in the text may break behind a sign, and so not anywhere; no option behind its dash."""

    def code(match: re.Match[str]) -> str:
        text = match[0]
        if len(text) >= 16:
            text = re.sub(r"(?<=\w)([_.,(=:/]+)(?=\w)", r"\1<wbr>", text)
        return re.sub(r"(?P<option>(?<![\w-])-+[A-Za-z][\w-]*)", lambda word: _span(word, "option"), text)

    return re.sub(r"(?<=<code>)[^<]+(?=</code>)", code, page)


_UNIT = r"%|[kKMGTP]?i?B(?:/s|/clock)?|[GM]b/s|[GTP]?(?:FLOP|OP)s?(?:/s|/B)?|[mµn]?s|[kMG]?Hz|GT/s|°C|k?W"
_KEPT = re.compile(
    rf"{mathematics.MARKUP.pattern}|(?P<number>\d(?:</a>)?) (?=(?:{_UNIT})(?![\w/-]))|(?P<power>\d[\d.]*e-\d+)", re.S
)
_HEADING = re.compile(r"<h[1-6]\b.*?</h[1-6]>", re.S)
_LETTER = re.compile(rf"{mathematics.MARKUP.pattern}|(?P<word>(?<![\w-])\w+-\w(?![\w-]))", re.S)


def with_kept_words(page: str) -> str:
    """A page's HTML in which no line's end parts a number from its unit, or from the power in 1e-3.

    In headings, which have few words a line, neither a letter or digit from the word before its hyphen, as in split-K.
    """

    def keep(match: re.Match[str]) -> str:
        return f"{match['number']}\u00a0" if match["number"] else _span(match, "power")

    def heading(match: re.Match[str]) -> str:
        return _LETTER.sub(lambda word: _span(word, "word"), match[0])

    return _HEADING.sub(heading, _KEPT.sub(keep, page))


def _span(match: re.Match[str], name: str) -> str:
    return f'<span class="whole">{match[0]}</span>' if match[name] else match[0]


FITS = 36  # characters of code in a line of a phone of 320 px
OUTPUT_FITS = 31  # of output, which is larger: 280 px, of 8.9 each


def with_stops(page: str) -> str:
    """A page's HTML in which each box that may scroll sideways is a stop of the keyboard.

    assets/js/reading.js takes that from those that do not, when the browser has laid them out.
    """
    boxes = (
        r'(?P<code><(?:pre id="__code_\d+"|div class="nb-text-output"><pre)>(?P<text>.*?)</pre>)'
        r'|<div class="(?:nb-figure|evidence-output)"><svg style="--least:(?P<least>\d+)px"'
        r'|<div class="(?:nb-table|evidence-output|md-typeset__scrollwrap)">'
        r'|<mjx-container [^>]*display="true"'
    )

    def stop(box: re.Match[str]) -> str:
        if box["code"]:
            lines = html.unescape(re.sub(r"<[^>]+>", "", box["text"])).split("\n")
            wide = max(map(len, lines)) > (FITS if box["code"].startswith("<pre") else OUTPUT_FITS)
        else:
            wide = int(box["least"] or 320) > 288
        if box[0].startswith("<mjx"):  # begins with its TeX, by which typesetting.shown finds it
            return f'{box[0]} tabindex="0"'
        return re.sub(r"^<[\w-]+", r'\g<0> tabindex="0"', box[0]) if wide else box[0]

    return re.sub(boxes, stop, page, flags=re.S)


def code_block(code: str, identity: str) -> str:
    """Highlighted code as a block with the button that Material would add by script.

    Material looks for `pre > code`, and has the browser lay out the page anew for each one it finds.
    """
    copy = f'title="Copy to clipboard" data-md-type="copy" data-clipboard-target="#{identity}"'
    return (
        f'<div class="highlight"><div class="md-code__nav"><button class="md-code__button" {copy}></button></div>'
        f'<pre id="{identity}">{code}</pre></div>'
    )


# Pixels that each thing in an answer adds to its height on a phone (412 px) and on a wide screen (1280 px): least squares
# over the answers of 11 chapters, measured in Chromium; half of them are right within 2 %, nine of ten within 7 %.
HEIGHTS = {
    "character": (0.63, 0.35),
    "paragraph": (38, 41),
    "row": (43, 38),
    "formula": (19, 24),
    "line of code": (24, 24),
    "figure": (173, 310),
}


def kept_height(markup: str) -> str:
    """A style that says how high a part of a page is about, for the time in which the browser has not laid it out."""
    code = re.findall(r"<pre.*?</pre>", markup, re.S)
    prose = re.sub(r"<(pre|svg|mjx-assistive-mml).*?</\1>", "", markup, flags=re.S)
    counts = {
        "character": len(re.sub(r"<[^>]+>", "", prose)),
        "paragraph": len(re.findall(r"<(?:p|li|figcaption)\b", prose)),
        "row": markup.count("<tr"),
        "formula": len(re.findall(r'<mjx-container[^>]*display="true"', markup)),
        "line of code": sum(block.count("\n") + 2 for block in code),
        "figure": len(re.findall(r'class="(?:evidence-output|nb-figure)"', markup)),
    }
    narrow, wide = (round(sum(counts[name] * HEIGHTS[name][i] for name in counts)) for i in (0, 1))
    return f"--narrow:{narrow}px;--wide:{wide}px"


def _question_meta(question: chapters.Question, chapter: Chapter, repository: str, resolve: Resolve) -> str:
    sources = "".join(f' <a class="source" href="{resolve("sources.md")}#{s}">{s}</a>' for s in question.asked)
    asked = f'<span class="asked">asked in{sources}</span>' if sources else ""
    return (
        '<div class="question-meta">'
        f'<span class="level level-{question.level}">{question.level}</span>{asked}'
        f'<span class="reviewed">reviewed <time datetime="{question.reviewed}">{question.reviewed}</time></span>'
        f'<a class="edit" href="{repository}/edit/main/{chapter.file}#L{question.line}">edit</a>'
        f'<a class="report" href="{html.escape(report_url(repository, chapter, question))}">report an error</a>'
        "</div>"
    )


def report_url(repository: str, chapter: Chapter, question: chapters.Question) -> str:
    """A new issue by .github/ISSUE_TEMPLATE/error.yml, with the file and the question filled in."""
    title = quote(f"Error in {question.id}")  # its title would weigh twice on every page
    return f"{repository}/issues/new?template=error.yml&title={title}&where={quote(chapter.file)}"


# ---- notebooks -------------------------------------------------------------------------------


def notebook_page(
    notebook: Notebook,
    cited: list[Citation],
    captions: dict[str, str],
    repository: str,
    download: str,
    resolve: Resolve,
) -> str:
    """A notebook as HTML in the site's own markup: an anchor for each label, links, figures.

    nbconvert renders the prose, as in Jupyter. Its pages are not used: each would inline 575 kB of styles and
    take half a second. `cited` are the questions that cite the notebook, `captions` by label what chapters
    write below its figures.
    """
    parts = []
    named = {claim.name for citation in cited for claim in citation.claims}
    for cell in notebook.cells:
        if cell.kind == "markdown":
            prose = lxml_html.fragment_fromstring(markdown2html_mistune(cell.source), create_parent="div")
            parts.append(f'<div class="nb-text">{_inner(_linked(prose, notebook, resolve))}</div>')
        elif cell.kind == "code":
            identity = f' id="{cell.label}"' if cell.label else ""
            shown = _input(cell) + _outputs(cell, captions.get(cell.label or ""), named)
            parts.append(f'<div class="nb-cell"{identity} style="{kept_height(shown)}">{shown}</div>')
    links = (
        f'<p class="nb-links"><a href="{repository}/edit/main/{notebook.file}">Edit this notebook</a>'
        f'<a href="{download}" download>Download it</a></p>'
    )
    heading, first = _split_title(parts[0])
    return f'{heading}{links}<div class="jupyter-wrapper">{first}{"".join(parts[1:])}</div>{_cited(cited, resolve)}'


def headings(markup: str) -> list[dict[str, object]]:
    """A notebook page's headings as tokens of a table of contents, h2 below h1, deeper ones left out."""
    tokens: list[dict] = []
    for match in re.finditer(r'<h([12])\b[^>]*\bid="([^"]*)"[^>]*>(.*?)</h\1>', markup, re.S):
        name = mathematics.without_markup(re.sub(r'<a class="headerlink".*?</a>', "", match[3], flags=re.S))
        token = {
            "level": int(match[1]),
            "id": match[2],
            "name": name.strip(),
            "data-toc-label": "",
            "html": name,
            "children": [],
        }
        (tokens[-1]["children"] if tokens and token["level"] == 2 else tokens).append(token)
    return tokens


def _split_title(part: str) -> tuple[str, str]:
    match = re.search(r"<h1.*?</h1>", part, re.S)
    return (match[0], part.replace(match[0], "", 1)) if match else ("", part)


def _cited(cited: list[Citation], resolve: Resolve) -> str:
    """What the notebook proves: by question the numbers, figures and tables, each leading to its cell."""
    if not cited:
        return ""
    items = []
    for citation in cited:
        url = resolve(citation.chapter.name) + citation.anchor
        proven = ", ".join(f'<a href="#{claim.name}">{_claim_text(claim)}</a>' for claim in citation.claims)
        items.append(f'<li><a href="{url}">{_with_code(citation.title)}</a><br>{proven}</li>')
    shown = f'<ul class="nb-cited">{"".join(items)}</ul>'
    return (
        '<h2 id="cited-by">Questions that cite this notebook</h2>'
        f'<div class="answer" style="{kept_height(shown)}">{shown}</div>'
    )


def _claim_text(claim: evidence.Claim) -> str:
    return f"<em>{html.escape(claim.text.rstrip('.'), quote=False)}</em>" if claim.embedded else _with_code(claim.text)


def _with_code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _inner(tag: lxml_html.HtmlElement) -> str:
    children = (lxml_html.tostring(child, encoding="unicode") for child in tag)
    return (html.escape(tag.text or "", quote=False) + "".join(children)).strip()


def _linked(text: lxml_html.HtmlElement, notebook: Notebook, resolve: Resolve) -> lxml_html.HtmlElement:
    """Links that are true on GitHub, beside the file, made true on the site."""
    for heading in text.iter("h1", "h2", "h3", "h4"):
        name = slugify("".join(heading.itertext()).rstrip("¶"), "-")
        # A cell's id is its own, also where a heading has the same words: claims land there.
        heading.set("id", f"about-{name}" if name in notebook.labels else name)
        for link in heading.find_class("anchor-link"):
            link.set("href", f"#{heading.get('id')}")
    for header in list(text.iter("th")):
        if not header.text_content().strip():
            header.tag = "td"  # a header that says nothing is none
    for link in text.iter("a"):
        if "anchor-link" in link.classes:
            link.set("class", "headerlink")
            link.set("title", "Link to this heading")
            link.text = "#"
            continue
        path, hash_, anchor = link.get("href", "").partition("#")
        if not path or re.match(r"[a-z]+:", path):
            continue
        target = posixpath.normpath(posixpath.join(posixpath.dirname(notebook.file), path))
        link.set("href", resolve(target.removeprefix("docs/")) + hash_ + anchor)
    return text


def _input(cell: Cell) -> str:
    label = cell.label
    permalink = f'<a class="nb-label" href="#{label}" title="Permanent link to this cell">{label}</a>' if label else ""
    return f'<div class="nb-input">{permalink}{code_block(_code(cell.source), f"__code_{cell.index}")}</div>'


def _code(source: str) -> str:
    code = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    # Names, punctuation and blanks have no color of their own: without their tags a page weighs half.
    return re.sub(r'<span class="(?:n|p|w)">([^<]*)</span>', r"\1", code).rstrip("\n")


def _outputs(cell: Cell, caption: str | None, named: set[str]) -> str:
    shown = []
    for output in cell.outputs:
        data = output.get("data", {})
        if svg := data.get("image/svg+xml"):
            drawn = figures.site_svg(svg, caption or figures.description(svg), f"f{cell.index}-{len(shown)}")
            shown.append(f'<div class="nb-figure">{drawn}</div>')
        elif markup := data.get("text/html"):
            shown.append(f'<div class="nb-table">{figures.table(markup)}</div>')
        else:
            is_result = output["output_type"] == "execute_result"
            text = (
                _with_marks(cell, named) if is_result else ansi2html(output.get("text") or data.get("text/plain", ""))
            )
            shown.append(f'<div class="nb-text-output"><pre>{text}</pre></div>')
    return f'<div class="nb-output">{"".join(shown)}</div>' if shown else ""


def _with_marks(cell: Cell, named: set[str]) -> str:
    """A cell's result as HTML; a value that answers cite is marked: their links lead to it."""
    text, parts, done = cell.result, [], 0
    for name, start, end in cell.entries:
        if name in named:
            parts.append(f'{ansi2html(text[done:start])}<mark id="{name}">{ansi2html(text[start:end])}</mark>')
            done = end
    return "".join(parts) + ansi2html(text[done:])
