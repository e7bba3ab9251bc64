"""The book's formulas: found in chapters and notebooks, checked, and put into pages as finished HTML.

`prepare` typesets, in one go, whatever formulas of the book are new. The Markdown extension (chapters) and
`typeset_html` (notebooks' pages) then find theirs in the cache. `write_assets` adds the style sheet
to the built site. The reader's browser runs no script for any of it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree as etree

from markdown import Extension, Markdown
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from . import chapters, notebooks, typesetting
from .problems import HandbookError, Problem
from .typesetting import Formula

Span = tuple[int, int, Formula]  # from, to, what


def normal(tex: str) -> str:
    """TeX on one line: without comments, and without the marks of a quotation that it stands in."""
    first, *rest = tex.split("\n")
    while rest and all(line.lstrip().startswith(">") for line in rest):
        rest = [line.lstrip().removeprefix(">") for line in rest]
    return " ".join(" ".join(re.sub(r"(?<!\\)%.*", "", line) for line in [first, *rest]).split())


def _spans(bare: str) -> list[Span]:
    """Where formulas stand in a text whose code is blanked out."""
    found = [(m.start(), m.end(), (normal(m["tex"]), True)) for m in chapters.DISPLAY.finditer(bare)]
    rest = chapters.blank(bare, chapters.DISPLAY)
    found += [(m.start(), m.end(), (normal(m["tex"]), False)) for m in chapters.INLINE.finditer(rest)]
    return sorted(found)


def _replace(text: str, spans: Sequence[Span], new: Callable[[int, Formula], str]) -> str:
    parts, at = [], 0
    for number, (start, end, formula) in enumerate(spans):
        parts += text[at:start], new(number, formula)
        at = end
    return "".join([*parts, text[at:]])


def _typeset(formulas: Sequence[Formula], file: str, lines: Sequence[int]) -> dict[Formula, str]:
    """HTML by formula; raises HandbookError where MathJax refuses one."""
    done, refused = typesetting.typeset(formulas)
    if refused:
        raise HandbookError(
            _refused(f, refused[f], file, n) for f, n in zip(formulas, lines, strict=True) if f in refused
        )
    return done


def _refused(formula: Formula, cause: str, file: str, line: int) -> Problem:
    remedy = "Mend the TeX; macros of AMS, mathtools and cancel are known, and none can be defined"
    return Problem(file, line, f"MathJax cannot read ${formula[0]}$: {cause}", remedy)


# ---- the whole book at once ------------------------------------------------------------------


def prepare(root: Path) -> list[Problem]:
    """Typesets what is new; returns every formula that MathJax refuses and every dollar that is astray."""
    problems, places = [], {}
    for path in sorted((root / "docs").rglob("*.md")):
        file, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        problems += check(text, file)
        _note(text, file, 1, places)
    for path in notebooks.paths(root):
        try:
            notebook = notebooks.read(path, root)
        except notebooks.BrokenNotebook:  # which content.check tells
            continue
        for cell in notebook.cells:
            if cell.kind == "markdown":
                _note(cell.source, notebook.file, cell.line + 1, places)  # below `"source": [`
    done, refused = typesetting.typeset(places)
    problems += [_broken(f, *places[f]) for f, markup in done.items() if not f[1] and FORCED_BREAK in markup]
    return sorted([*problems, *(_refused(f, cause, *places[f]) for f, cause in refused.items())])


FORCED_BREAK = 'linebreak="newline"'  # what MathJax makes of `\\\\` outside of an environment


def _broken(formula: Formula, file: str, line: int) -> Problem:
    what = f"the formula ${formula[0]}$ in the text breaks its line"
    return Problem(file, line, what, r"Display it between $$ and $$, or take out \\ or \newline")


def _note(text: str, file: str, line: int, places: dict[Formula, tuple[str, int]]) -> None:
    for tex, display, at in chapters.formulas(text):
        places.setdefault((normal(tex), display), (file, line + at - 1))


@lru_cache(maxsize=1024)
def check(text: str, file: str) -> tuple[Problem, ...]:
    """What would show as something else: a dollar that encloses nothing; on GitHub, a bar in a table's formula."""
    problems, lines = [], text.split("\n")
    for tex, _, number in chapters.formulas(text):
        if "|" in tex and lines[number - 1].lstrip(" >").startswith("|"):
            remedy = r"Write \lvert and \rvert, \lVert and \rVert, or \mid"
            problems.append(Problem(file, number, f"on GitHub the | in ${tex}$ ends the table's cell", remedy))
    for number, line in enumerate(chapters.without_math(chapters.without_code(text)).split("\n"), 1):
        if re.search(r"(?<!\\)\$(?!\d)", line):
            remedy = r"Write \$ for the sign itself; a formula has no blank just inside its dollars"
            problems.append(Problem(file, number, "a dollar sign that encloses no formula", remedy))
    return tuple(problems)


# ---- chapters: the Markdown extension --------------------------------------------------------


class MathExtension(Extension):
    """`$…$` and `$$…$$` as finished HTML, with MathML for screen readers and the TeX for copying."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.ESCAPED_CHARS.append("$")
        page = _Page()
        # After blanks are normalized (30), before fenced code (25) and HTML (20) look for theirs.
        md.preprocessors.register(_TakeOut(page), "mathematics", 27)
        # After inline syntax (20) and attr_list (8), before toc and evidence (5) read titles and captions.
        md.treeprocessors.register(_Name(page), "mathematics", 7)
        md.postprocessors.register(_PutBack(page), "mathematics", 15)


@dataclass
class _Page:
    """What the three steps share: the page's formulas, a mark in the text for each, and their HTML."""

    formulas: list[Formula] = field(default_factory=list)
    html: dict[Formula, str] = field(default_factory=dict)

    def fill(self, text: str, new: Callable[[Formula], str]) -> str:
        return re.sub("\x02formula:(\\d+)\x03", lambda m: new(self.formulas[int(m[1])]), text)

    def name(self, text: str) -> str:
        return self.fill(text, lambda formula: plain(self.html[formula]))


class _Step:
    def __init__(self, page: _Page) -> None:
        super().__init__()
        self.page = page


def number(formula: Formula) -> str:
    """What a formula in the text says that is only a number, such as `$65{,}536$`; else nothing.

    It is shown as text: the digits of two fonts in one sentence look like an accident.
    """
    tex, display = formula
    is_number = re.fullmatch(r"-?\d+((\{,\}|,)\d{3})*(\.\d+)?", tex) and not display
    return tex.replace("{,}", ",").replace("-", "−") if is_number else ""


class _TakeOut(_Step, Preprocessor):
    """Before any other syntax is read: `_`, `|` and `<` mean nothing to Markdown inside a formula."""

    def run(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines)
        spans = _spans(chapters.without_code(text))
        self.page.formulas = [formula for _, _, formula in spans]
        where = [chapters.line_of(text, start) for start, _, _ in spans]
        self.page.html = _typeset(self.page.formulas, "(this page, front matter not counted)", where)
        return _replace(text, spans, lambda number, _: f"\x02formula:{number}\x03").split("\n")


class _Name(_Step, Treeprocessor):
    """Formulas as plain text where no HTML can stand: in attributes and in the table of contents."""

    def run(self, root: etree.Element) -> None:
        for element in root.iter():
            for name, value in element.items():
                element.set(name, self.page.name(value))
            if re.fullmatch("h[1-6]", str(element.tag)) and "\x02formula:" in (title := "".join(element.itertext())):
                shown = self.page.fill(title, lambda formula: raised(plain(self.page.html[formula])))
                element.attrib.setdefault("data-toc-label", html.escape(shown, quote=False))


class _PutBack(_Step, Postprocessor):
    def run(self, text: str) -> str:
        return _named(self.page.fill(text, lambda formula: number(formula) or self.page.html[formula]))


def makeExtension(**settings: object) -> MathExtension:  # noqa: N802  (Python-Markdown's name)
    """Python-Markdown's entry point."""
    return MathExtension(**settings)


_FORMULA = r"<mjx-container\b(?:(?!</mjx-container>).)*</mjx-container>"
_FORMULAS_ALONE = re.compile(rf"<(?:a|th)\b[^>]*>\s*{_FORMULA}(?:\s*{_FORMULA})*\s*(?=</(?:a|th)>)", re.S)


def _named(markup: str) -> str:
    """HTML in which formulas have names that are all of a link or of a table's header: not all read MathML for these."""

    def name(formula: re.Match[str]) -> str:
        return formula[0].replace("<math", f'<math aria-label="{html.escape(plain(formula[0]))}"', 1)

    return _FORMULAS_ALONE.sub(lambda alone: re.sub(_FORMULA, name, alone[0], flags=re.S), markup)


def spoken(text: str) -> str:
    """Markdown as plain text, formulas too; for attributes."""
    spans = _spans(text)
    done, _ = typesetting.typeset([formula for _, _, formula in spans])
    return chapters.plain(_replace(text, spans, lambda _, formula: plain(done[formula])))


def plain(markup: str) -> str:
    """A formula's HTML as text: `√(d_k)` for `\\sqrt{d_k}`."""
    return " ".join(
        _say(etree.fromstring(markup[markup.index("<math") : markup.index("</mjx-assistive-mml>")])).split()
    )


def raised(text: str) -> str:
    """Text with `plain` formulas to be read, not typed: 2²⁰ for 2^20."""
    return re.sub(r"\^(\d+)", lambda power: power[1].translate(_RAISED), text)


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def without_markup(markup: str) -> str:
    """HTML as HTML of text alone, formulas as `plain` has them and powers `raised`: 2²⁰, not 220."""
    said = re.sub(_FORMULA, lambda m: html.escape(raised(plain(m[0])), quote=False), markup, flags=re.S)
    return re.sub(r"<[^>]+>", "", said)


def _say(node: etree.Element) -> str:
    def group(text: str) -> str:
        text = text.strip()
        return text if len(text) < 2 or text.isalnum() else f"({text})"

    match node.tag, [_say(child) for child in node]:
        case "mfrac", [above, below]:
            return f"{group(above)}/{group(below)}"
        case "msqrt", parts:
            return "√" + group("".join(parts))
        case "msub" | "munder", [base, low]:
            return f"{base}_{group(low)}"
        case "msup" | "mover", [base, high]:
            return f"{base}^{group(high)}"
        case "msubsup" | "munderover", [base, low, high]:
            return f"{base}_{group(low)}^{group(high)}"
        case "mi", [] if len(node.text or "") > 1 and node.text.isalpha():
            return f" {node.text} "  # the name of a function
        case "mo", [] if node.text == "mod":
            return " mod "
        case _, parts:
            return (node.text or "").strip("\u2061\u2062\u2063\u2064") + "".join(parts)


# ---- notebooks, and the finished site --------------------------------------------------------

# What holds no formulas: code, scripts, drawings, finished formulas, comments; and any tag itself.
MARKUP = re.compile(r"<(pre|code|script|style|svg|textarea|mjx-container)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.S)


def typeset_html(markup: str, file: str) -> str:
    """HTML in which nbconvert left `$…$` and `$$…$$`, with these typeset; `file` is for errors."""
    bare = chapters.blank(markup, MARKUP)
    # A formula never reaches across a tag: where one stood, a mark ends the search.
    spans = [
        (start, end, (html.unescape(tex), display))
        for start, end, (tex, display) in _spans(bare)
        if "<" not in markup[start:end]
    ]
    done = _typeset([formula for _, _, formula in spans], file, [1] * len(spans))
    return _named(_replace(markup, spans, lambda _, formula: number(formula) or done[formula]))


def write_assets(site: Path) -> None:
    """Writes into a built site the style sheet, fonts in it, that the formulas of its pages need."""
    formulas = sorted(
        set().union(*(typesetting.shown(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")))
    )
    done = _typeset(formulas, str(site), [1] * len(formulas))
    generated = typesetting.stylesheet("".join(done[formula] for formula in formulas))
    by_hand = (typesetting.ROOT / "docs/assets/css/mathjax.css").read_text(encoding="utf-8")
    sheet = site / "assets/css/mathjax.css"
    sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet.write_text(generated + by_hand, encoding="utf-8")
