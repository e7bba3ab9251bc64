"""Two books from one tree (`book`): a PDF, set by Typst, and an EPUB, written by pandoc.

Both replace the tree's own elements (formula, claim, note, figure, box…) by raw Typst or HTML and leave
paragraphs, lists, tables and code to pandoc's writers. Look and layout: scripts/press/.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pikepdf
from fontTools import ttLib
from fontTools.pens.boundsPen import ControlBoundsPen

from . import book as tree
from . import content, typesetting
from .book import Book, Node, element
from .edition import Edition
from .figures import INK, inline_svg, short_coordinates

PRESS = Path(__file__).resolve().parents[1] / "press"
PRINT_INK = "#333333"  # of figures on paper
COLUMN = 378.0  # pt; the printed page's
PHONE_TABLE = 46.0  # of a table's text on a phone, in halves of an em
PAGE_WIDTH, PHONE_WIDTH = 84, 44  # ex; of the printed page's column, and of a phone's screen at common sizes of text
FONTS = ("rinoh_typeface_dejavusans", "pylopdf_fonts_zh_cn")  # packages that hold fonts
COLUMNS = content.CODE_COLUMNS  # of code on a line
ACCESSIBILITY = (
    "Formulas are drawings that carry their TeX as text; figures carry their captions. Headings, notes, lists and tables "
    "are marked up as such, and a table of contents leads to each question."
)
LICENSES = (  # of what, which, its text
    ("Text, tables, figures and data", "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    ("Code", "MIT License", "https://opensource.org/license/mit"),
)


# ---- formulas --------------------------------------------------------------------------------

_GLYPH = re.compile(r'<use xlink:href="#MJX-([\w-]+)-([0-9A-F]+)"(?: transform="([^"]*)")?></use>')
_OUTLINE = re.compile(r'<path id="MJX-([\w-]+)-([0-9A-F]+)" d="([^"]*)"></path>')


@dataclass(frozen=True)
class Drawing:
    """A part of a formula between two possible line breaks; sizes in ex, of which 0.442 make an em."""

    svg: str
    width: float
    height: float
    depth: float  # below the line
    gap: float = 0.0  # before it, in em, where no line ends there


def drawings(markup: str, fonts: dict[str, set[str]] | None = None, line: float = PAGE_WIDTH) -> list[Drawing]:
    """A formula's drawings from `typesetting.draw`, each whole by itself; a numbered one fills a `line`, in ex.

    Glyphs become outlines. Where `fonts` is given they become letters of MathJax's fonts, noted in it: small,
    and found by a search. Accents stay outlines: as letters they would be moved onto others.
    """
    outlines = {(font, code): d for font, code, d in _OUTLINE.findall(markup)}

    def glyph(match: re.Match[str]) -> str:
        variant, code, moved = match.groups()
        outline = outlines[variant, code]
        font = None if fonts is None else font_of(variant, chr(int(code, 16)), outline)
        if font is None:
            moved = f' transform="{moved}"' if moved else ""
            return f'<path d="{outline}"{moved}/>'
        fonts.setdefault(font, set()).add(chr(int(code, 16)))
        moved = f"{moved} " if moved else ""
        letter = html.escape(chr(int(code, 16)))
        return f'<text font-family="{font}" font-size="1000" transform="{moved}scale(1,-1)">{letter}</text>'

    done = []
    markup = _GLYPH.sub(glyph, re.sub(r"<defs>.*?</defs>", "", markup, flags=re.S))
    first, *rest = re.split(r'<mjx-break[^>]* gap="([\d.]+)"[^>]*>.*?</mjx-break>', markup)
    for gap, svg in [("0", first), *zip(rest[::2], rest[1::2], strict=True)]:
        opened = re.match(r"<svg[^>]*>", svg)
        if not opened:  # `mathematics.prepare` tells it with file and line
            raise RuntimeError("A formula in the text breaks its line: display it")
        opening = opened[0]
        below = re.search(r"vertical-align: (-?[\d.]+)", opening)
        height = float(re.search(r'height="([\d.]+)ex"', opening)[1])
        width = re.search(r'width="([\d.]+)ex"', opening)
        if width is None:  # a numbered formula fills its line
            box = f'width="{line}ex" viewBox="0 0 {line * 8:g} {height * 8:g}"'
            svg = svg.replace('width="100%"', box, 1)
        svg = svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "", 1)
        svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        wide, deep = float(width[1]) if width else float(line), -float(below[1]) if below else 0.0
        done.append(Drawing(svg, wide, height, deep, float(gap)))
    return done


def _drawn(book: Book, width: int) -> dict[typesetting.Formula, str]:
    drawn, refused = typesetting.draw(book.formulas, width)
    if refused:  # `mathematics.prepare` tells them with file and line
        raise RuntimeError("\n".join(f"MathJax cannot draw ${f[0]}$: {cause}" for f, cause in refused.items()))
    return drawn


@lru_cache
def _font(name: str) -> ttLib.TTFont | None:
    file = typesetting.VENDOR / f"newcm/chtml/woff2/{name}.woff2"
    return ttLib.TTFont(file, recalcTimestamp=False) if file.is_file() else None


@lru_cache(maxsize=4096)
def font_of(variant: str, character: str, outline: str) -> str | None:
    """The font of MathJax in which `character` has just this outline; None where none has.

    A letter of "NCM-I" stands in that font or, where it has a code point of its own, in the upright one.
    """
    if unicodedata.category(character)[0] in "MZC":
        return None
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", outline)]
    if not numbers or re.search("[^MLCQZ\\d. -]", outline):
        return None
    box = min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])
    for name in (f"mjx-{variant.lower()}", "mjx-ncm-n"):
        font = _font(name)
        glyph = font and font.getBestCmap().get(ord(character))
        if not glyph:
            continue
        pen = ControlBoundsPen(None)
        font.getGlyphSet()[glyph].draw(pen)
        if pen.bounds and all(abs(a - b) <= 2 for a, b in zip(pen.bounds, box, strict=True)):
            return name
    return None


# ---- PDF -------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    """A Typst string."""
    return json.dumps(text, ensure_ascii=False)


def _raw(text: str, inline: bool = True) -> Node:
    return element("RawInline" if inline else "RawBlock", ["typst", text])


def _typst(node: Node) -> list[Node] | None:
    """The tree's own elements as Typst's functions of scripts/press/book.typ."""
    if node["t"] not in ("Span", "Div"):
        return None
    (identifier, classes, attributes), content = node["c"]
    at = dict(attributes)
    inline = node["t"] == "Span"

    def around(before: str, after: str) -> list[Node]:
        return [_raw(before, inline), *content, _raw(after, inline)]

    match classes[0] if classes else "":
        case "formula":
            return [_raw(f"#{'M' if 'display' in classes else 'm'}({at['number']});")]
        case "claim" | "inside" | "source":
            return around(f"#{classes[0]}(<{at['to']}>)[", "];")
        case "outside":
            bare = tree.bare(at["address"])
            known = tree.text_of(content) in (at["address"], bare) or "shown" in at
            shown = "" if known else f" (#shown-address({quoted(bare)}))"
            return around(f"#outside({quoted(at['address'])})[", f"]{shown};" if not shown else f"]{shown}")
        case "noteref":
            first = identifier.endswith(f"--ref-{at['number']}")  # to which the note leads back
            place = f"#[#metadata(none)<{identifier}>]" if first else ""
            return [_raw(f"{place}#noteref(<{at['to']}>, {quoted(at['number'])});")]
        case "level":
            return around("#strong[", "];")
        case "answer" | "meta" | "notes" | "output" | "cut" | "cited":
            return around(f"#{classes[0]}[\n", "\n]")
        case "note":
            back, *body = content
            to = "none" if "lost" in at else f"<{identifier.replace('--note-', '--ref-')}>"
            before = f"#note([#metadata(none)<{identifier}>], {to}, {at['number']})[\n"
            return [_raw(before, False), *body, _raw("\n]", False)]
        case "cell":
            place = f"[#metadata(none)<{identifier}>]" if identifier else "none"
            return around(f"#cell({quoted(at['label'])}, {place})[\n", "\n]")
        case "box":
            title, *body = content
            return [
                _raw(f"#box-of({quoted(classes[1])}, {'true' if _holds_code(body) else 'false'})[\n", False),
                *title["c"][1],
                _raw("\n][\n", False),
                *body,
                _raw("\n]", False),
            ]
        case "evidence":
            shown, caption = content[:-1], content[-1]
            floats = "true" if "floats" in classes else "false"
            return [
                _raw(f"#evidence(<{at['to']}>, floats: {floats})[\n", False),
                *shown,
                _raw("\n][\n", False),
                caption,
                _raw("\n]", False),
            ]
        case "drawing":
            arguments = f"{quoted(at['name'])}, {quoted(at['alternative'])}, {at['width']}, {at['turned']}"
            return [_raw(f"#drawing({arguments})", False)]
        case "computed":
            return list(content)
    if inline and identifier:
        return [_raw(f"#[#metadata(none)<{identifier}>]")]
    return None


def _holds_code(node: object) -> bool:
    """Whether there are words that no line can divide: set to both margins they would tear gaps."""
    if isinstance(node, list):
        return any(map(_holds_code, node))
    return isinstance(node, dict) and (node["t"] == "Code" or _holds_code(node.get("c")))


def _wrapped(node: Node) -> list[Node] | None:
    """Code with its long lines broken, each rest marked; in the appendix without colors, which take half of the time."""
    if node["t"] != "CodeBlock":
        return None
    identity, code = node["c"]
    lines = [part for line in code.split("\n") for part in broken(line)]
    text = "\n".join(lines)
    return [element("CodeBlock", [identity, text]) if identity[1] else _raw(f"#listing({quoted(text)})", False)]


def broken(line: str, columns: int = COLUMNS) -> list[str]:
    """A line of code in parts that fit the page, broken at blanks where there are any.

    >>> broken("    total = first + second", 20)
    ['    total = first +', '      ↳ second']
    """
    indent = min(len(line) - len(line.lstrip()) + 2, columns // 2)
    parts, rest = [], line
    while len(rest) > columns:
        least = indent + 3 if parts else indent
        at = rest.rfind(" ", least, columns + 1)
        at = at if at > 0 else columns
        parts.append(rest[:at].rstrip())
        rest = f"{' ' * indent}↳ {rest[at:].lstrip()}"
    return [*parts, rest]


# ---- widths of columns -----------------------------------------------------------------------

# In halves of an em, about a digit's width.
LINE = 87.4  # of a table's text on a line of the page, at the size TABLE
GAP = 2.1  # that the margins of a column take
BOLD = 1.15  # as wide as the upright letters
CODE = 1.01  # a character of code
TABLE, SMALLEST = 8.6, 6.5  # pt
SOFT = "#soft;"
_BREAKS = re.compile(r"(?<=[./_:,(\-])(?=\w)|(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=4096)
def _advance(character: str) -> float:
    """Of a letter of the text, which has the widths of MathJax's upright one."""
    font = _font("mjx-ncm-n")
    glyph = font.getBestCmap().get(ord(unicodedata.normalize("NFD", character)[0]))
    if glyph is None:
        return 2.0 if unicodedata.east_asian_width(character) in "WF" else 1.4
    return font["hmtx"][glyph][0] / 500


def _wide(text: str) -> float:
    return sum(map(_advance, text))


def _breakable(word: str) -> list[str]:
    """A long word, of code for the most part, in the parts between which a line may end."""
    return _BREAKS.split(word) if len(word) > 9 else [word]


def _softened(node: Node) -> list[Node] | None:
    """A space at each such place that no eye sees: unlike a character of no width, it is not copied with the text."""
    if node["t"] == "Str":
        parts = [element("Str", part) for part in _breakable(node["c"])]
    elif node["t"] == "Code":
        parts = [element("Code", [node["c"][0], part]) for part in _breakable(node["c"][1])]
    else:
        return None
    return [n for part in parts for n in (_raw(SOFT), part)][1:]


def _unlinked(node: Node) -> list[Node] | None:
    """Links of a table's head as text: where the head is repeated on a second page, PDF/UA allows no links."""
    if node["t"] != "Span":
        return None
    (_, classes, attributes), content = node["c"]
    match classes[0] if classes else "":
        case "noteref":
            return [element("Superscript", tree.words(dict(attributes)["number"]))]
        case "claim":
            return [*content, _raw("#tick;")]
        case "inside" | "source" | "outside":
            return content
    return None


def _extent(inlines: list[Node], formulas: list[float], hyphens: bool = False) -> tuple[float, float]:
    """The width of a cell on one line, and of its longest part without a possible end of a line.

    With `hyphens` a word of letters may end a line after a few of them.
    """
    parts = [0.0]  # between two possible ends of a line
    blanks = 0

    def add(width: float) -> None:
        parts[-1] += width

    def visit(node: Node, scale: float) -> None:
        nonlocal blanks
        match node["t"]:
            case "Space" | "SoftBreak" | "LineBreak":
                blanks += 1
                parts.append(0.0)
            case "RawInline" if node["c"][1] == SOFT:
                parts.append(0.0)
            case "Str":
                pieces = re.sub("([a-z]{5})(?=[a-z]{4})", "\\1-\u200b", node["c"]) if hyphens else node["c"]
                for index, piece in enumerate(pieces.split("\u200b")):
                    if index:
                        parts.append(0.0)
                    add(scale * _wide(piece))
            case "Code":
                add(scale * CODE * len(node["c"][1]))
            case "Span" if "formula" in node["c"][0][1]:
                add(0.9 * formulas[int(dict(node["c"][0][2])["number"])])
            case "Strong":
                for inner in node["c"]:
                    visit(inner, BOLD)
            case "Superscript":
                for inner in node["c"]:
                    visit(inner, 0.6 * scale)
            case "Span" | "Link" | "Quoted":
                classes = node["c"][0][1] if node["t"] == "Span" else ()
                for inner in node["c"][1]:
                    visit(inner, 0.6 * scale if "noteref" in classes else scale)
                if "claim" in classes:
                    add(0.8)  # the tick
                if "inside" in classes:
                    add(0.85 * _wide(" (p. 000)"))  # no line ends before it
                if "outside" in classes and "shown" not in dict(node["c"][0][2]):
                    for piece in re.findall("[^-/._]*[-/._]?", tree.bare(dict(node["c"][0][2])["address"])):
                        parts.append(0.93 * len(piece))
            case _:
                for inner in node["c"] if isinstance(node.get("c"), list) else ():
                    if isinstance(inner, dict):
                        visit(inner, scale)

    for node in inlines:
        visit(node, 1.0)
    return sum(parts) + _advance(" ") * blanks, max(parts)


def extents(table: Node, formulas: list[float], hyphens: bool = False) -> tuple[list[float], list[float]] | None:
    """By column the width of its longest cell on one line, and of its longest part that no line divides.

    None for a table with cells that span.
    """
    _, _, columns, (_, head), bodies, _ = table["c"]
    rows = [(row, BOLD) for row in head] + [(r, 1.0) for body in bodies for r in [*body[2], *body[3]]]
    if any(len(cells) != len(columns) for (_, cells), _ in rows):
        return None
    measured = [[(bold, _extent(cell[4], formulas, hyphens)) for cell in cells] for (_, cells), bold in rows]
    each = list(zip(*measured, strict=True))
    natural = [max(1.0, *(bold * extent[0] for bold, extent in column)) for column in each]
    return natural, [max(1.0, *(bold * extent[1] for bold, extent in column)) for column in each]


def fitted(table: Node, formulas: list[float]) -> list[Node]:
    """A table of which no cell runs over: with widths for its columns, and smaller, where it is wider than a line.

    Each column is as wide as its longest word, and what is left goes to those with the most text. `formulas` are
    the widths of the book's formulas in ex. A table that would be too small to read becomes two, one below the
    other, both with the first column.
    """
    table = tree.walk([table], _softened)[0]
    table["c"][3] = tree.walk(table["c"][3], _unlinked)
    columns = table["c"][2]
    measured = extents(table, formulas)
    if measured is None:  # cells that span: left to Typst
        return [table]
    natural, least = measured
    gaps = GAP * len(columns)
    if sum(natural) + gaps <= LINE:
        return [table]
    if sum(least) + gaps > LINE * 1.2:
        least = extents(table, formulas, hyphens=True)[1]
    if TABLE * LINE / (sum(least) + gaps) < SMALLEST and len(columns) > 3:
        return [part for half in _halves(table, least) for part in fitted(half, formulas)]
    size = max(SMALLEST, min(TABLE, TABLE * LINE / (sum(least) + gaps)))
    room = LINE * TABLE / size - gaps
    spare = max(0.0, room - sum(least))
    weights = [(n - m) ** 0.7 for n, m in zip(natural, least, strict=True)]
    widths = [m + spare * w / (sum(weights) or 1) + GAP for m, w in zip(least, weights, strict=True)]
    sized = [[c[0], element("ColWidth", round(w / sum(widths), 4))] for c, w in zip(columns, widths, strict=True)]
    table = element("Table", [*table["c"][:2], sized, *table["c"][3:]])
    if size == TABLE:
        return [table]
    return [_raw(f"#sized({size:.2f}pt)[\n", False), table, _raw("\n]", False)]


def _halves(table: Node, widths: list[float]) -> tuple[Node, Node]:
    """Two tables of about the same width, both with the first column, whose links only the first one keeps."""
    total, at = sum(widths[1:]), 2
    while sum(widths[1 : at + 1]) <= total / 2:
        at += 1

    def part(cells: list, first: bool) -> list:
        return cells[:at] if first else [*tree.walk(cells[:1], _unlinked), *cells[at:]]

    def rows(given: list[Node], first: bool) -> list[Node]:
        return [[attributes, part(cells, first)] for attributes, cells in given]

    def chosen(first: bool) -> Node:
        identity, caption, columns, head, bodies, foot = table["c"]
        bodies = [[body[0], body[1], rows(body[2], first), rows(body[3], first)] for body in bodies]
        head, foot = [[piece[0], rows(piece[1], first)] for piece in (head, foot)]
        return element("Table", [identity, caption, part(columns, first), head, bodies, foot])

    return chosen(True), chosen(False)


def print_figure(svg: str) -> str:
    """A notebook's figure on paper: darker ink, and no more digits of its coordinates than print can show."""
    return short_coordinates(re.sub(r"\s*<!--.*?-->", "", svg, flags=re.S).replace(INK, PRINT_INK))


def _print_size(svg: str) -> tuple[float, bool]:
    """How wide a figure is printed, in points, and whether it is turned to fit so.

    At four fifths, but its smallest letters not below SMALLEST, unless the column is too narrow by a little.
    """
    width = float(re.search(r'<svg[^>]*\bwidth="([\d.]+)pt"', svg)[1])
    letters = min(map(float, re.findall(r'<text style="font(?:-size)?: (?:[a-z]+ )*([\d.]+)px', svg)), default=10.0)
    wanted = width * max(0.8, SMALLEST / letters)
    return wanted, letters * min(wanted, COLUMN) / width < 0.9 * SMALLEST


def pdf(book: Book, target: Path, work: Path, edition: Edition, say: Callable[[str], None]) -> int:
    """Writes the PDF (tagged, PDF/UA-1) and returns its number of pages; `work` takes the parts.

    Raises RuntimeError with the formulas that MathJax refuses, and whatever Typst refuses.
    """
    shutil.rmtree(work, ignore_errors=True)
    for name in ("formulas", "figures"):
        (work / name).mkdir(parents=True)
    drawn = _drawn(book, PAGE_WIDTH)
    listed, used = [], {}
    for formula, number in book.formulas.items():
        parts = []
        for index, part in enumerate(drawings(drawn[formula], used)):
            svg = part.svg.replace('font-family="serif"', 'font-family="Noto Serif SC"')  # what MathJax lacks
            (work / f"formulas/{number}-{index}.svg").write_text(svg, encoding="utf-8")
            parts.append({"width": part.width, "height": part.height, "depth": part.depth, "gap": round(part.gap, 3)})
        listed.append({"tex": formula[0], "parts": parts})
    widths = {}
    for name, svg in book.figures.items():
        widths[name] = _print_size(svg)
        (work / f"figures/{name}.svg").write_text(print_figure(svg), encoding="utf-8")
    say(f"drew {len(listed)} formulas and {len(widths)} figures")
    _write_data(book, edition, work, formulas=listed)

    line = [sum(part["width"] for part in formula["parts"]) for formula in listed]

    def widen(node: Node) -> list[Node] | None:
        if node["t"] == "Div" and node["c"][0][1] == ["drawing"]:
            name = dict(node["c"][0][2])["name"]
            size = [("width", f"{widths[name][0]:.1f}"), ("turned", str(widths[name][1]).lower())]
            node = element("Div", [["", ["drawing"], [*node["c"][0][2], *size]], []])
        if node["t"] == "Div" and node["c"][0][1] == ["note"]:
            identifier, classes, attributes = node["c"][0]
            if identifier.replace("--note-", "--ref-") not in cited:  # only in a table's head, which has no places
                node = element("Div", [[identifier, classes, [*attributes, ("lost", "yes")]], node["c"][1]])
        return _typst(node)

    def fit(node: Node) -> list[Node] | None:
        return fitted(node, line) if node["t"] == "Table" else None

    sized = tree.walk(book.blocks, fit)
    cited: set[str] = set()
    tree.walk(sized, lambda node: cited.add(node["c"][0][0]) if node["t"] == "Span" else None)
    blocks = _with_openings(tree.walk(sized, lambda node: _wrapped(node) or widen(node)))
    written = tree.pandoc(["-f", "json", "-t", "typst-smart", "--wrap=none"], _document(blocks))
    (work / "book.typ").write_text((PRESS / "book.typ").read_text(encoding="utf-8") + "\n" + written, encoding="utf-8")
    say("wrote Typst")
    (work / "fonts").mkdir()
    for name in used:
        font = _font(name)
        font.flavor = None
        font.save(work / f"fonts/{name}.otf")
    target.parent.mkdir(parents=True, exist_ok=True)
    _set(work / "book.typ", work / "book.pdf", edition)
    say("set the PDF")
    with pikepdf.open(work / "book.pdf") as made:
        _name_formulas(made, {formula[0] for formula in book.formulas})
        made.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
        return len(made.pages)


def _write_data(book: Book, edition: Edition, work: Path, **more: object) -> None:
    """What book.typ and cover.typ read of the book itself, and the title page beside it."""
    data = {
        "title": book.title,
        "subtitle": book.subtitle,
        "address": book.address,
        "repository": book.repository,
        "rights": {"holder": f"© {book.holder}", "licenses": LICENSES},
        "version": edition.version,
        "date": edition.date,
        "year": edition.when.year,
        "month": edition.when.month,
        "day": edition.when.day,
        **more,
    }
    (work / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    shutil.copy(PRESS / "title.typ", work)


def _set(source: Path, target: Path, edition: Edition) -> None:
    """Typst, in a process of its own: what it takes is free again afterwards, and neither our tree nor packages add to it.

    Raises RuntimeError with what it refuses, and where.
    """
    fonts = [source.parent / "fonts", *(Path(find_spec(package).origin).parent for package in FONTS)]  # found, not run
    seconds = str(int(edition.when.timestamp()))
    command = [sys.executable, PRESS / "set.py", source, target, seconds, *fonts]
    run = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8")
    if run.returncode:
        raise RuntimeError(f"Typst refuses {source}:\n{run.stderr.strip()}")


def _name_formulas(made: pikepdf.Pdf, formulas: set[str]) -> None:
    """Typst tags every image as a figure; those that are formulas become formulas, as PDF/UA wants them."""
    for node in made.objects:
        if (
            isinstance(node, pikepdf.Dictionary)
            and node.get("/S") == "/Figure"
            and str(node.get("/Alt", "")) in formulas
        ):
            node.S = pikepdf.Name.Formula


def _with_openings(blocks: list[Node]) -> list[Node]:
    """Marks for the running heads: before a part and a chapter their titles."""
    done, part = [], ""
    for block in blocks:
        if block["t"] == "Header" and block["c"][0] <= 2:
            title = tree.text_of(block["c"][2])
            part = title if block["c"][0] == 1 else part
            page = "false" if block["c"][1][0].startswith("notebooks-") else "true"  # whether it begins one
            done += [block, _raw(f"#opening({quoted(part or title)}, {quoted(title)}, {page})", False)]
        else:
            done.append(block)
    return done


def _document(blocks: Iterable[Node], meta: dict[str, str | list[str]] | None = None) -> str:
    def value(given: str | list[str]) -> Node:
        return (
            element("MetaString", given) if isinstance(given, str) else element("MetaList", [value(g) for g in given])
        )

    texts = {key: value(given) for key, given in (meta or {}).items()}
    return json.dumps({"pandoc-api-version": tree.API, "meta": texts, "blocks": list(blocks)})


# ---- EPUB ------------------------------------------------------------------------------------


def _link(classes: str, target: str, inlines: list[Node], identifier: str = "", **more: str) -> Node:
    attributes = [(key.replace("_", ":"), value) for key, value in more.items()]
    return element("Link", [[identifier, classes.split(), attributes], inlines, [target, ""]])


def _formula_html(formula: typesetting.Formula, markup: str) -> str:
    """A formula as SVG in the text's color, named by its TeX; one that is long may break between lines.

    Before and behind it stand marks for the punctuation that must stay with it: `_illustrate` fills them.
    """
    shown = []
    parts = drawings(markup, line=PHONE_WIDTH)
    for index, part in enumerate(parts):
        name = f'role="img" aria-label="{html.escape(formula[0])}"' if index == 0 else 'aria-hidden="true"'
        shown.append(part.svg.replace('role="img" focusable="false"', name, 1))
    if formula[1]:
        return f'<span class="math display">\ue002{shown[0]}\ue003</span>'
    shown[0] = f"\ue002{shown[0]}"
    shown[-1] += "\ue003"
    gaps = ["" if not index else " " if part.gap else "<wbr/>" for index, part in enumerate(parts)]
    text = "".join(f'{gap}<span class="nobr">{svg}</span>' for gap, svg in zip(gaps, shown, strict=True))
    return f'<span class="math inline">{text}</span>'


def _on_a_phone(table: Node, formulas: list[float]) -> Node:
    """A table fit for a narrow screen: as it is; in smaller type; or, where that does not do, a block for each row.

    A paginated reading system cannot scroll. On a wide screen the style sheet shows each as a table.
    """
    measured = extents(table, formulas)
    if measured is None:
        return tree.div("table", [table])
    natural, least = measured
    gaps = GAP * len(natural)
    if sum(natural) + gaps <= PHONE_TABLE:
        return tree.div("table", [table])
    if sum(least) + gaps <= PHONE_TABLE:
        return tree.div("table fixed", [table])
    _, _, _, (_, head), bodies, _ = table["c"]
    titles = [tree.walk(json.loads(json.dumps(cell[4])), _unlinked) for cell in head[-1][1]] if head else []
    for row in [row for body in bodies for row in body[3]] if titles else []:
        for title, cell in zip(titles, row[1], strict=True):
            inlines = [inline for block in title if block["t"] in ("Plain", "Para") for inline in block["c"]]
            if inlines and cell[4] and cell[4][0]["t"] in ("Plain", "Para"):
                cell[4][0]["c"][:0] = [tree.span("head", [*inlines, element("Str", ":")]), element("Space")]
    return tree.div("table rows", [table])


def _raised(blocks: list[Node]) -> list[Node]:
    """What stands before the first part one level higher: pandoc would put an empty part before it."""
    first = next((n for n, block in enumerate(blocks) if block["t"] == "Header" and block["c"][0] == 1), 0)
    front = [element("Header", [b["c"][0] - 1, *b["c"][1:]]) if b["t"] == "Header" else b for b in blocks[:first]]
    return [*front, *blocks[first:]]


def epub(book: Book, target: Path, work: Path, edition: Edition, say: Callable[[str], None]) -> int:
    """Writes the EPUB 3 and returns its number of files of text. Formulas are SVG within the text: unlike MathML every reading system shows them, and
    unlike pictures they take the text's size and color, also at night."""
    drawn = _drawn(book, PHONE_WIDTH)
    numbered = [_formula_html(formula, drawn[formula]) for formula in book.formulas]

    def raw(text: str, inline: bool = True) -> Node:
        return element("RawInline" if inline else "RawBlock", ["html", text])

    def change(node: Node) -> list[Node] | None:
        if node["t"] not in ("Span", "Div"):
            return None
        (identifier, classes, attributes), content = node["c"]
        at = dict(attributes)
        match classes[0] if classes else "":
            case "formula":
                return [element("Str", f"\ue000{at['number']}\ue001")]
            case "claim" | "inside" | "source":
                return [_link(classes[0], f"#{at['to']}", content)]
            case "outside":
                return [_link("outside", at["address"], content)]
            case "back":
                return [_link("back", f"#{at['to']}", content, role="doc-backlink")]
            case "noteref":
                link = _link("noteref", f"#{at['to']}", content, identifier, epub_type="noteref", role="doc-noteref")
                return [element("Superscript", [link])]
            case "note":
                back, first, *rest = content
                number, *others = back["c"]
                first = element("Para", [number, element("Str", "."), element("Space"), *first["c"]])
                more = [n for other in others for n in (element("Space"), other)]
                last = (rest or [first])[-1]
                last = element(last["t"], [*last["c"], *more]) if last["t"] in ("Para", "Plain") else last
                # So told, a reading system shows it beside the text. "doc-footnote": "doc-endnote" is deprecated.
                told = [("epub:type", "footnote"), ("role", "doc-footnote")]
                return [element("Div", [[identifier, classes, told], [*([first, *rest][:-1]), last]])]
            case "cell":
                label = [div_("label", [element("Plain", [element("Str", at["label"])])])] if at["label"] else []
                return [element("Div", [[identifier, ["cell"], []], [*label, *content]])]
            case "evidence":
                *shown, caption = content
                back = _link("claim", f"#{at['to']}", tree.words("Computed here"))
                words = element("Plain", [*caption["c"], element("Space"), back])
                parts = [raw("<figure>", False), *shown, raw("<figcaption>", False), words]
                return [*parts, raw("</figcaption></figure>", False)]
            case "drawing":
                svg = inline_svg(book.figures[at["name"]], at["alternative"], f"{at['name']}-{len(numbered)}")
                size = r'\1width="100%" style="max-width: \2pt"'
                svg = _referenced(svg)
                numbered.append(re.sub(r'(<svg [^>]*?)width="([\d.]+)pt" height="[\d.]+pt"', size, svg))
                return [div_("drawing", [element("Plain", [element("Str", f"\ue000{len(numbered) - 1}\ue001")])])]
            case "box":
                mark = "✗" if classes[1] == "warning" else "✚"
                title = content[0]["c"][1][0]
                named = element("Plain", [element("Str", mark), element("Space"), *title["c"]])
                return [element("Div", [["", classes, []], [div_("title", [named]), *content[1:]]])]
        return None

    div_ = tree.div
    widths = [sum(part.width + 2.26 * part.gap for part in drawings(drawn[formula])) for formula in book.formulas]
    narrow = tree.walk(book.blocks, lambda node: [_on_a_phone(node, widths)] if node["t"] == "Table" else None)
    blocks = tree.walk(_raised(narrow), change)
    rights = [f"© {book.holder}.", *(f"{what}: {name}, {address}." for what, name, address in LICENSES)]
    cover = work / "cover/cover.png"
    shutil.rmtree(cover.parent, ignore_errors=True)
    cover.parent.mkdir(parents=True)
    _write_data(book, edition, cover.parent)
    shutil.copy(PRESS / "cover.typ", cover.parent)
    _set(cover.with_suffix(".typ"), cover, edition)
    meta = {
        "title": book.title,
        "subtitle": book.subtitle,
        "author": book.title,
        "lang": "en-US",
        "date": f"{edition.when:%Y-%m-%d}",
        "identifier": book.address,
        "rights": " ".join([*rights, *([f"Source: {book.repository}."] if book.repository else [])]),
        "description": book.subtitle,
        "accessibilitySummary": ACCESSIBILITY,
        "accessModes": ["textual", "visual"],
        "accessModeSufficient": ["textual"],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    options = [
        "--split-level=3",
        "--toc",
        "--toc-depth=3",
        f"--css={PRESS / 'book.css'}",
        f"--epub-cover-image={cover}",
    ]
    arguments = ["-f", "json", "-t", "epub3", "-o", str(target), "--syntax-highlighting=monochrome", *options]
    tree.pandoc(arguments, _document(blocks, meta), SOURCE_DATE_EPOCH=str(int(edition.when.timestamp())))
    say("wrote EPUB")
    plain = [formula[0] for formula in book.formulas]
    pages = _illustrate(target, numbered, plain, edition)
    say("put formulas and figures into it")
    return pages


def _referenced(svg: str) -> str:
    """An SVG with no other ids than those that it refers to: Matplotlib gives two pictures in a figure the same."""
    kept = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    return re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in kept else "", svg)


def _illustrate(target: Path, numbered: list[str], plain: list[str], edition: Edition) -> int:
    """Puts the drawings in place of their marks (pandoc would take minutes to read them); counts the files of text.

    Titles and the navigation, which hold no drawings, get a formula's TeX; title page and metadata the edition.
    """
    mark = re.compile("([(\\[“‘]*)\ue000(\\d+)\ue001([,.;:!?)\\]’”]*)")

    def drawn(match: re.Match[str]) -> str:
        return numbered[int(match[2])].replace("\ue002", match[1]).replace("\ue003", match[3])

    def spelled(match: re.Match[str]) -> str:
        return f"{match[1]}{html.escape(plain[int(match[2])])}{match[3]}"

    with zipfile.ZipFile(target) as given:
        names = given.namelist()
        texts = {name: given.read(name) for name in names}
    with_drawings = set()
    for name in names:
        if not name.endswith((".xhtml", ".ncx", ".opf")):
            continue
        text = texts[name].decode()
        head, body_tag, body = text.partition("<body")
        if heading := re.search(r"<h[1-6][^>]*>(.*?)</h[1-6]>", body, re.S):  # pandoc's title is the file's name
            title = " ".join(re.sub(r"<[^>]+>", "", heading[1]).split())
            head = re.sub(r"<title>[^<]*</title>", lambda _, title=title: f"<title>{title}</title>", head)
        head = mark.sub(spelled, head)
        in_body = spelled if name.endswith("nav.xhtml") else drawn
        if in_body is drawn and mark.search(body):
            with_drawings.add(name.removeprefix("EPUB/"))
        if name.endswith("title_page.xhtml"):
            body = re.sub(r'(<p class="date">).*?(</p>)', rf"\1{edition.label[:1].upper()}{edition.label[1:]}\2", body)
        texts[name] = (head + body_tag + mark.sub(in_body, body)).encode()
    package = "EPUB/content.opf"

    def declare(match: re.Match[str]) -> str:
        return f'{match[0]} properties="svg"' if match[1] in with_drawings else match[0]

    described = re.sub(r'<item [^>]*?href="([^"]+)"', declare, texts[package].decode())
    version = f'<meta property="schema:version">{html.escape(edition.version)}</meta>\n  </metadata>'
    texts[package] = described.replace("</metadata>", version, 1).encode()
    with zipfile.ZipFile(target, "w") as made:  # "mimetype" stays first and uncompressed
        for name in names:
            entry = zipfile.ZipInfo(name, edition.when.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            made.writestr(entry, texts[name], compresslevel=9)
    return sum(name.startswith("EPUB/text/") for name in names)
