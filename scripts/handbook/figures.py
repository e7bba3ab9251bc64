"""A cell's figure or table as HTML that fits the site's pages."""

from __future__ import annotations

import html
import itertools
import re
from xml.etree import ElementTree as etree

from .notebooks import Cell

READABLE = 8  # pixels of font size
GROUP = "{http://www.w3.org/2000/svg}g"
INK = "#737373"  # notebooks/handbook.mplstyle draws text and axes in it


def figure(cell: Cell, caption: str, name: str) -> str:
    """A cell's figure as inline SVG, in the page's text color, or its table; as HTML."""
    svg = cell.rich("image/svg+xml")
    if svg is None:
        return table(cell.rich("text/html") or "")
    return site_svg(svg, caption, name)


def site_svg(svg: str, caption: str, name: str) -> str:
    """A figure as `inline_svg` makes it, with the width below which the site lets its box scroll."""
    drawn = inline_svg(svg, caption, name)
    return drawn.replace("<svg ", f'<svg style="--least:{least_width(drawn)}px" ', 1)


def inline_svg(svg: str, caption: str, name: str) -> str:
    """An SVG made fit for a page: text color, a name for screen readers, ids that do not collide.

    Matplotlib's style attributes become presentation attributes, and its style sheet, which would
    apply to the whole page, attributes of the root: no inline style is left for a strict
    Content-Security-Policy to refuse.
    """
    prefix = re.sub(r"[^a-z0-9]+", "-", name.lower())
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    svg = flowing_labels(re.sub(r"\s*<!--.*?-->", "", svg, flags=re.S))
    svg = short_coordinates(svg)
    # Figures weigh on a chapter: a tenth of a point is finer than a screen shows, and most ids are never used.
    svg = re.sub(r'\b(?:d|x|y|points)="[^"]*"', lambda m: re.sub(r"(\d\.\d)\d\b", r"\1", m[0]), svg)
    used = set(re.findall(r'#([^")]+)[")]', svg))
    svg = re.sub(r'\s+id="([^"]+)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = svg.replace(INK, "currentColor")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", svg)
    svg = re.sub(r'style="([^"]*)"', lambda m: _attributes(m[1]), svg)
    # A label in the color of its line: the style sheet mixes it with the page's ink, so that it can be read.
    svg = re.sub(r'(<text\b[^>]*? fill="(#[0-9a-f]{6})")', r'\1 color="\2"', svg)
    label = html.escape(caption, quote=True)
    root = f'<svg role="img" aria-label="{label}" stroke-linejoin="round" stroke-linecap="butt" '
    return re.sub(r"<svg ", root, svg, count=1).strip()


# Thousandths of the font's size by which DejaVu Sans advances, for the signs that labels with formulas are made of.
ADVANCES = {
    sign: width
    for width, signs in {
        275: "'", 278: "ijl", 295: "IJ", 318: "\u00a0 ,.·", 337: "/:;|", 352: "f", 361: "-", 390: "()[]", 392: "t", 411: "r", 500: "*_",
        521: "s", 525: "z", 541: "ε", 550: "c", 557: "L", 575: "F", 579: "k", 592: "vxyγλ", 602: "πτ", 603: "P", 611: "TY",
        612: "oδθ", 613: "a", 615: "e", 632: "E", 634: "hnuησ", 635: "Sbdgpqρ", 636: "0123456789{}μ", 638: "β", 656: "K",
        659: "α", 660: "φψ", 674: "∑", 684: "AVΔ", 685: "XZ", 686: "B", 695: "R", 698: "C", 732: "U", 748: "N", 752: "H",
        764: "Ω", 770: "D", 775: "G", 787: "OQ", 818: "w", 833: "∞", 837: "ω", 838: "+<=>~−×≤≥≈±", 863: "M", 950: "%",
        974: "m", 989: "W",
    }.items()
    for sign in signs
}  # fmt: skip
_SIGN = re.compile(r'<tspan x="([^"]*)" y="([^"]*)" style="([^"]*)">([^<]*)</tspan>')


def flowing_labels(svg: str) -> str:
    """A figure whose labels with formulas are lines of text.

    Matplotlib places each of their signs by the widths of DejaVu Sans, ordered by font: in the page's font they would stand
    apart, or on each other. Only raised and lowered signs keep their heights, and blanks such as those around + their widths.
    What is stacked, such as a fraction, stays as drawn, and so does a label with a sign whose width is not known.
    """
    if "<tspan" not in svg:
        return svg
    anchors = iter(_anchors(etree.fromstring(svg)))
    label = r"<text>\s*(?:<tspan [^>]*>[^<]*</tspan>\s*)+</text>(?=\s*</g>)"
    return re.sub(label, lambda drawn: _line(drawn[0], next(anchors)), svg)


def _anchors(root: etree.Element) -> list[str]:
    """Which end of each label with a formula matplotlib put in its place, in the order of the figure."""
    found = []

    def visit(element: etree.Element, around: tuple[str, ...]) -> None:
        around = (*around, element.get("id", ""))
        if element.tag.endswith("}text") and len(element):
            part = next((name for name in reversed(around) if re.match(r"matplotlib.axis|[xy]tick", name)), "")
            found.append("end" if part.startswith("ytick") else "middle" if part else "start")
        for child in element:
            visit(child, around)

    visit(root, ())
    return found


def _line(drawn: str, anchor: str) -> str:
    signs = sorted((float(x), float(y), style, html.unescape(sign)) for x, y, style, sign in _SIGN.findall(drawn))
    runs: list[list] = []  # blank before it, height, style, signs
    end = height = 0.0  # of what is set so far
    for x, y, style, sign in signs:
        size = float(re.search(r"font-size: ([\d.]+)px", style)[1])
        if len(sign) != 1 or sign not in ADVANCES or (x < end - 0.1 * size and y != height):
            return drawn
        blank = x - end if runs and x > end + 0.1 * size else 0.0
        if runs and "oblique" in runs[-1][2] and "oblique" not in style:
            blank += 0.08 * size  # the page's oblique letters, which are slanted ones, lean over their edges
        if runs and not blank and runs[-1][1:3] == [y, style]:
            runs[-1][3] += sign
        else:
            runs.append([blank, y, style, sign])
        end, height = x + ADVANCES[sign] * size / 1000, y
    at = {"start": 0.0, "middle": end / 2, "end": end}[anchor]
    said, height = "", 0.0
    for blank, y, style, text in runs:
        moved = "".join(
            f' {key}="{by:.2f}"' for key, by in (("dx", blank), ("dy", y - height)) if said and abs(by) > 0.01
        )
        place = moved if said else f' x="{at:.2f}" y="{y:.2f}"'
        said += f'<tspan{place} style="{style}">{html.escape(text, quote=False)}</tspan>'
        height = y
    return f'<text text-anchor="{anchor}">{said}</text>'


def short_coordinates(svg: str) -> str:
    """An SVG whose coordinates have two decimals, finer than a screen or print shows; what it says, such as 0.001, stays."""
    return re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), svg)


def description(svg: str) -> str:
    """What a figure of matplotlib says of itself: its title; of each panel its texts, its axes' names, its legend."""
    root = etree.fromstring(svg.encode(), etree.XMLParser(target=etree.TreeBuilder(insert_comments=True)))
    said = []
    for panel in root.findall(f"{GROUP}/{GROUP}"):
        if panel.get("id", "").startswith("text_"):
            said.insert(0, _said(panel))  # the title of the whole
        elif panel.get("id", "").startswith("axes_"):
            axes = [
                " ".join(_texts(group))
                for group in panel.findall(GROUP)
                if group.get("id", "").startswith("matplotlib.axis")
            ]
            # Beside the panel's title stand its remarks, and numbers on bars and points, which say nothing by themselves.
            said += [text for text in _texts(panel) if re.search(r"[^\W\d_]{3}", text)]
            legends = [group for group in panel.findall(GROUP) if group.get("id", "").startswith("legend")]
            shown = "; ".join(text for legend in legends for text in _texts(legend))
            said.append(": ".join(filter(None, (" against ".join(filter(None, reversed(axes))), shown))))
    return ". ".join(dict.fromkeys(filter(None, said)))


def _texts(group: etree.Element) -> list[str]:
    return [_said(child) for child in group.findall(GROUP) if child.get("id", "").startswith("text_")]


def _said(text: etree.Element) -> str:
    source = next(text.iter(etree.Comment), None)  # of a text with a formula, whose signs stand each for itself
    return " ".join(("".join(text.itertext()) if source is None else source.text.replace("$", "")).split())


def least_width(svg: str) -> int:
    """Pixels of width below which a figure's smallest text, powers apart, is too small to read on a phone.

    >>> least_width('<svg viewBox="0 0 420 200"><text font-size="10.5px">1<tspan font-size="7.35px">2</tspan></text></svg>')
    320
    """
    view = re.search(r'viewBox="([^"]+)"', svg)
    sizes = {float(size) for size in re.findall(r'font-size="([\d.]+)px"', svg)}
    plain = [
        size for size in sizes if not any(abs(size - 0.7 * other) < 0.02 for other in sizes)
    ]  # as matplotlib raises
    return round(float(view[1].split()[2]) * READABLE / min(plain)) if view and plain else 0


def _attributes(style: str) -> str:
    """CSS declarations as presentation attributes; of the shorthand `font`, which is none, the size."""
    found = dict(part.strip().split(":", 1) for part in style.split(";") if ":" in part)
    if font := found.pop("font", None):
        found["font-size"] = next(iter(re.findall(r"[\d.]+px", font)), "10px")
    found.pop("font-family", None)  # the page's own
    return " ".join(f'{key.strip()}="{value.strip()}"' for key, value in found.items())


def table(markup: str) -> str:
    """A DataFrame's HTML without what pandas adds for a notebook's own look; the cells of columns of text say so."""
    markup = re.sub(r"<style.*?</style>|<p>\d+ rows × \d+ columns</p>|</?div>", "", markup, flags=re.S)
    markup = re.sub(r">\s+<", ">\n<", markup)  # the indentation of each cell is a tenth of a page
    markup = markup.replace("<th></th>", "<td></td>")  # a header that says nothing is none
    markup = markup.replace('<table border="1" class="dataframe">', '<table class="dataframe">').strip()
    rows = [re.findall(_CELL, row, re.S) for row in markup.split("<tr")]
    head = markup.split("<tbody")[0].count("<tr")
    if head == 1 and [row[0] for row in rows[1:]] == ["", *map(str, range(len(rows) - 2))]:  # an index that only counts
        markup = "<tr".join(re.sub(_CELL + r"\n?", "", part, count=1, flags=re.S) for part in markup.split("<tr"))
        rows = [row[1:] for row in rows]
    body = rows[head + 1 :]
    # Counted from the right, since a row may lack cells that one above it spans.
    text = {-at for row in body for at in range(1, len(row)) if _is_text(row[-at])}
    return "<tr".join(
        _marked(part, {len(row) + at for at in text}) for part, row in zip(markup.split("<tr"), rows, strict=True)
    )


_CELL = r"<t[dh][^>]*>(.*?)</t[dh]>"


def _is_text(cell: str) -> bool:
    shown = html.unescape(re.sub(r"<[^>]+>", "", cell)).strip()
    number = r"[-+−≈<>≤≥~±$]?\s*[\d.].*|[-+−]?(?:inf|nan|∞)|[-–—]?|NaN|None|NaT"
    return not re.fullmatch(number, shown, re.S)


def _marked(row: str, columns: set[int]) -> str:
    number = itertools.count()
    return re.sub(r"<t[dh]\b", lambda m: m[0] + (' class="text"' if next(number) in columns else ""), row)
