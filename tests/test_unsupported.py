"""Numbers that nothing proves."""

from __future__ import annotations

import pytest
from handbook import chapters
from handbook.unsupported import check


def unsupported(body: str) -> list[str]:
    text = "---\ntitle: T\n---\n" + body
    return [p.what.split()[2] for p in check(chapters.parse(text, "docs/cuda/x.md"))]


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
    assert [(p.file, p.line) for p in check(chapter)] == [("docs/cuda/x.md", 8)]
