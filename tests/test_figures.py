"""Figures and tables made fit for a page."""

from __future__ import annotations

import html
import re
from pathlib import Path

import matplotlib
from conftest import ROOT
from fontTools import ttLib
from handbook import figures, notebooks, printing


def test_svg_is_made_fit_for_a_page():
    svg = (
        '<svg xmlns="x" width="9pt">\n <defs>\n  <style type="text/css">*{stroke-linejoin: round}</style>\n </defs>'
        '<g id="unused"/><path d="M 1.2345 -6.789"/><g id="a" style="fill: #737373; font: 10px \'DejaVu Sans\'"/><use xlink:href="#a" clip-path="url(#a)"/></svg>'
    )
    shown = figures.inline_svg(svg, 'Bytes "here"', "curve.x")
    assert "style" not in shown and 'fill="currentColor"' in shown and 'font-size="10px"' in shown
    assert 'id="curve-x-a"' in shown and 'href="#curve-x-a"' in shown and "url(#curve-x-a)" in shown
    assert "unused" not in shown and 'd="M 1.2 -6.7"' in shown
    assert 'aria-label="Bytes &quot;here&quot;"' in shown


def test_no_figure_of_the_book_says_anything_else_than_its_notebook_drew():
    """Coordinates are shortened: an axis at 0.425 must not say 0.42."""

    def line(text: str) -> str:
        signs = re.findall(r'<tspan x="([^"]*)"[^>]*>([^<]*)</tspan>', text)
        if signs and len(signs) == text.count("<tspan"):  # each in its own place, as matplotlib draws a formula
            return "".join(sign for _, sign in sorted(signs, key=lambda sign: float(sign[0])))
        return re.sub(r"<[^>]*>", "", text)

    def said(svg: str) -> list[str]:
        texts = re.findall(r"<text\b.*?</text>", re.sub(r"<!--.*?-->", "", svg, flags=re.S), re.S)
        return [" ".join(html.unescape(line(text)).split()) for text in texts]

    drawn = [
        svg
        for path in notebooks.paths(ROOT)
        for cell in notebooks.read(path, ROOT).cells
        if (svg := cell.rich("image/svg+xml"))
    ]
    assert len(drawn) > 60
    assert any(re.search(r"\d\.\d{3}", text) for svg in drawn for text in said(svg))
    for svg in drawn:
        assert said(figures.site_svg(svg, "caption", "name")) == said(svg)
        assert said(printing.print_figure(svg)) == said(svg)


def _label(*signs: tuple[float, float, float, str, str]) -> str:
    spans = (
        f'<tspan x="{x}" y="{y}" style="{font}font-size: {size}px; font-family: \'DejaVu Sans\'">{sign}</tspan>'
        for x, y, size, font, sign in signs
    )
    return f"<text>{' '.join(spans)}</text>"


def test_a_label_with_a_formula_is_a_line_of_text():
    """Placed sign by sign by another font's widths, it is spaced out and uneven."""
    tick = _label((0, -0.2, 10, "", "1"), (6.36, -0.2, 10, "", "0"), (12.8, -4.2, 7, "", "−"), (18.7, -4.2, 7, "", "3"))
    name = _label(
        (0, 0, 10, "", "o"),
        (6.12, 0, 10, "", "f"),
        (9.64, 0, 10, "", "\u00a0"),
        (12.82, 0, 10, "font-style: oblique; ", "k"),
    )
    plus = _label((0, 0, 10, "", "1"), (8.3, 0, 10, "", "+"), (18.62, 0, 10, "", "2"))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg"><g id="axes_1"><g id="matplotlib.axis_1">'
        f'<g id="text_1"><g>{name}</g></g></g><g id="matplotlib.axis_2"><g id="ytick_1"><g id="text_2"><g>{tick}</g></g></g></g>'
        f'<g id="legend_1"><g id="text_3"><g>{plus}</g></g></g></g></svg>'
    )
    axis, power, legend = re.findall(r"<text\b.*?</text>", figures.inline_svg(svg, "x", "x"))
    assert ">of\u00a0</tspan>" in axis and 'anchor="middle"' in axis and axis.count("<tspan") == 2
    assert ">10</tspan>" in power and ">−3</tspan>" in power and 'dy="-4.00"' in power
    assert 'anchor="end"' in power and 'x="23.1"' in power
    assert legend.count('dx="1.9') == 2 and ">1</tspan>" in legend  # the blanks around +


def test_the_widths_of_signs_are_those_of_the_font_that_matplotlib_draws_with():
    font = ttLib.TTFont(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
    glyphs, advances, unit = font.getBestCmap(), font["hmtx"], font["head"].unitsPerEm
    assert {sign: round(1000 * advances[glyphs[ord(sign)]][0] / unit) for sign in figures.ADVANCES} == figures.ADVANCES


def test_a_fraction_stays_as_it_was_drawn():
    fraction = _label((0, -5, 7, "", "1"), (0, 5, 7, "", "n"))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><g id="text_1"><g>{fraction}</g></g></svg>'
    assert fraction in figures.flowing_labels(svg)


def test_no_label_of_the_book_is_placed_sign_by_sign():
    for path in notebooks.paths(ROOT):
        for cell in notebooks.read(path, ROOT).cells:
            drawn = figures.site_svg(cell.rich("image/svg+xml") or "", "caption", "name")
            assert max((text.count("<tspan x=") for text in drawn.split("<text")), default=0) < 2, (path, cell.label)


def test_a_figure_says_what_it_draws():
    def text(said: str, number: int) -> str:
        return f'<g id="text_{number}">{said}</g>'

    panel = (
        '<g id="axes_{0}"><g id="matplotlib.axis_1"><g id="xtick_1"><g id="text_1"><text>0.2</text></g></g>'
        + text("<!-- side $T$ of a tile --><g><text><tspan>s</tspan> <tspan>T</tspan></text></g>", 2)
        + '</g><g id="matplotlib.axis_2">'
        + text("<text>FLOP per byte</text>", 3)
        + "</g>{1}</g>"
    )
    title, bar = text("<text>Left and right</text>", 4), text("<text>18.0x</text>", 5)
    bar += f'<g id="legend_1">{text("<text>fp16</text>", 7)}{text("<text>TF32</text>", 8)}</g>'
    panels = panel.format(1, bar) + panel.format(2, text("<text>fp8 only</text>", 6))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><g id="figure_1">{panels}{title}</g></svg>'
    assert figures.description(svg) == (
        "Left and right. FLOP per byte against side T of a tile: fp16; TF32. "
        "fp8 only. FLOP per byte against side T of a tile"
    )


def test_the_least_width_keeps_the_smallest_label_readable_but_for_powers():
    svg = '<svg viewBox="0 0 420 200"><text font-size="10.5px">10<tspan font-size="7.35px">2</tspan></text></svg>'
    assert figures.least_width(svg) == 320
    assert 'style="--least:320px"' in figures.site_svg(svg, "x", "x")


def test_columns_of_text_are_marked_and_numbers_are_not():
    head = "<thead><tr><th></th><th>part</th><th>bytes</th></tr></thead>"
    body = (
        "<tbody><tr><th>w</th><td>8-bit</td><td>&lt; 2</td></tr><tr><th>v</th><td>master</td><td>NaN</td></tr></tbody>"
    )
    shown = figures.table(f'<table border="1" class="dataframe">{head}{body}</table>')
    assert shown.count('class="text"') == 3
    assert '<th class="text">part</th>' in shown and '<td class="text">8-bit</td>' in shown
    assert "<td>&lt; 2</td>" in shown and "<td>NaN</td>" in shown and "<th>w</th>" in shown


def test_an_index_that_only_counts_is_left_out():
    def frame(*index: str) -> str:
        rows = "".join(f"<tr>\n      <th>{name}</th>\n      <td>4</td>\n    </tr>" for name in index)
        return f'<table border="1" class="dataframe"><thead><tr><th></th><th>bits</th></tr></thead><tbody>{rows}</tbody></table>'

    assert "<th>0" not in figures.table(frame("0", "1")) and ">bits<" in figures.table(frame("0", "1"))
    for index in (("8", "16"), ("a", "b"), ("1", "0")):
        assert all(f"<th>{name}</th>" in figures.table(frame(*index)) for name in index)
