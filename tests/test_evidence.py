"""The rule of agreement, claims, unsupported numbers, and the Markdown extension."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown import Markdown

from handbook import chapters, evidence
from handbook.evidence import Disagreement, agree
from handbook.problems import HandbookError

AGREE = [
    ("16 bytes", 16),
    ("131,072 B", 131072),
    ("131 072", 131072),
    ("131\u202f072", 131072),
    ("120.0 GB", 120.0),
    ("1.9 GB", 1.875),
    ("1.9", 1.85),
    ("$2.1\\times10^{5}$", 209_715),
    ("2.1×10⁵", 209_715),
    ("2.10e5", 209_715),
    ("1.5e-3", 0.0015),
    ("$3.2 \\times 10^{-4}$ s", 0.00032),
    ("37 %", 0.37),
    ("37%", 0.374),
    ("$12.5\\,\\%$", 0.125),
    ("-3 dB", -3),
    ("−0.5", -0.5),
    ("0", 0),
    ("1.5×", 1.5),
    ("$1.5\\times$", 1.5),
    ("≈3×", 3.6),
    ("≈100", 80.1),
    ("$\\approx 40$ ms", 38.0),
    ("twelve sectors", 12),
    ("Four", 4),
    ("yes", True),
    ("No", False),
    ("`HMMA.16816.F32`", "HMMA.16816.F32"),
    ("round  robin", "round robin"),
    ("9 m²", 9),
    ("$8{,}192$", 8192),
    ("1000 MB", 1000.4),
]
DISAGREE = [
    ("17 bytes", 16),
    ("131,073 B", 131072),
    ("1.90", 1.85),
    ("1.9", 1.8499),
    ("2.1×10⁵", 216_000),
    ("2.1×10⁴", 209_715),
    ("3.2e4", 3.2e5),
    ("37 %", 37),
    ("37", 0.37),
    ("38 %", 0.374),
    ("3", -3),
    ("-3", 3),
    ("≈3×", 4.1),
    ("three", 4),
    ("one or two", 1),
    ("yes", False),
    ("1", True),
    ("HMMA", "HGMMA"),
    ("5 of 8", 5),
    ("many", 5),
    ("5", float("nan")),
    ("5", {"a": 5}),
    ("100", 100.6),
    ("1,00", 100.4),
]


@pytest.mark.parametrize(("text", "value"), AGREE)
def test_agrees(text, value):
    agree(text, value)


@pytest.mark.parametrize(("text", "value"), DISAGREE)
def test_disagrees(text, value):
    with pytest.raises(Disagreement):
        agree(text, value)


def test_every_changed_digit_of_an_exact_number_is_caught():
    for position in range(6):
        for digit in "0123456789":
            changed = "131072"[:position] + digit + "131072"[position + 1 :]
            if changed != "131072":
                with pytest.raises(Disagreement):
                    agree(changed, 131072)


def unsupported(body: str) -> list[str]:
    text = "---\ntitle: T\n---\n" + body
    return [p.what.split()[2] for p in evidence.unsupported(chapters.parse(text, "docs/cuda/x.md"))]


@pytest.mark.parametrize(
    "body",
    [
        "Twelve is free: 12, 3 and 0.",
        "Names: A100, FP8, sm_90, ResNet-50, 2:4, CUDA 13.0, Chapter 30, Section 14.2, RTX 4090, GPT-3, float32.",
        "In 2017, on 2026-11-22, since 2025-08.",
        "A 16-bit type.",
        "Formulas $N = 64$ and $$x = 3.5$$ and code `512` are free.",
        "```python\nx = 512\n```",
        "It takes 512 cycles.[^a]",
        "It takes 512 cycles[^a] each.",
        "| a | 512 | [^a] |",
        "Proven: [512](../../notebooks/a/b.ipynb#c).",
        "## Why 512 threads? { #x }",
        "[^a]: Page 512, 99 pages.\n    And 77 more.",
        "12. An item numbered twelve.\n13. Another.",
    ],
)
def test_supported(body):
    assert unsupported(body) == []


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ("It takes 512 cycles.", ["512"]),
        ("It takes 512 cycles. Cited.[^a]", ["512"]),
        ("Cited.[^a] It takes 512 cycles.", ["512"]),
        ("A share of 7 %.", ["7"]),
        ("About 1.5 times.", ["1.5"]),
        ("From 10⁹ operations.", ["10⁹"]),
        ("| a | 512 |\n| b[^a] | 513 |", ["512"]),
        ("> - It takes 13 cycles.", ["13"]),
        ("[A link of 99 words](https://example.org/2000)", ["99"]),
        ("A block of 2048 threads.", ["2048"]),
        ("1,024 threads", ["1,024"]),
    ],
)
def test_unsupported(body, numbers):
    assert unsupported(body) == numbers


def test_unsupported_names_the_line():
    chapter = chapters.parse("---\ntitle: T\n---\n\nFine.\n\nIt takes\n512 cycles.\n", "docs/cuda/x.md")
    assert [(p.file, p.line) for p in evidence.unsupported(chapter)] == [("docs/cuda/x.md", 8)]


def render(markdown: str, root: Path) -> str:
    return Markdown(extensions=[evidence.EvidenceExtension(root=str(root)), "footnotes", "tables"]).convert(markdown)


def test_extension_marks_a_claim_and_points_it_at_the_site(tiny):
    html = render("[75 %](../../notebooks/cuda/tiny.ipynb#shares.optimizer)", tiny)
    assert 'href="../notebooks/cuda/tiny.ipynb#shares"' in html
    assert 'class="claim"' in html and "Tiny proof" in html


def test_extension_embeds_a_table(tiny):
    html = render("![All parts](../../notebooks/cuda/tiny.ipynb#parts)", tiny)
    assert html.startswith("<figure") and "<table" in html and "All parts" in html


@pytest.mark.parametrize(
    ("link", "cause"),
    [
        ("[76 %](../../notebooks/cuda/tiny.ipynb#shares.optimizer)", "0.75"),
        ("[16](../../notebooks/cuda/tiny.ipynb#bites)", "no cell labeled"),
        ("[16](../../notebooks/cuda/tinny.ipynb#bytes)", "no notebook"),
        ("[75 %](../../notebooks/cuda/tiny.ipynb#shares.optimiser)", "no entry"),
        ("[75 %](../../notebooks/cuda/tiny.ipynb#shares)", "name one of its keys"),
        ("![](../../notebooks/cuda/tiny.ipynb#parts)", "no caption"),
        ("![Bytes](../../notebooks/cuda/tiny.ipynb#bytes)", "neither"),
    ],
)
def test_extension_refuses_what_is_not_proven(tiny, link, cause):
    with pytest.raises(HandbookError, match=re.escape(cause)):
        render(link, tiny)


def test_svg_is_made_fit_for_a_page():
    svg = (
        '<svg xmlns="x" width="9pt">\n <defs>\n  <style type="text/css">*{stroke-linejoin: round}</style>\n </defs>'
        '<g id="a" style="fill: #737373; font: 10px \'DejaVu Sans\'"/><use xlink:href="#a" clip-path="url(#a)"/></svg>'
    )
    shown = evidence.inline_svg(svg, 'Bytes "here"', "curve.x")
    assert "style" not in shown and 'fill="currentColor"' in shown and 'font-size="10px"' in shown
    assert 'id="curve-x-a"' in shown and 'href="#curve-x-a"' in shown and "url(#curve-x-a)" in shown
    assert "aria-label=\"Bytes &quot;here&quot;\"" in shown
