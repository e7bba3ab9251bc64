"""Figures and tables made fit for a page."""

from __future__ import annotations

from handbook import figures


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
