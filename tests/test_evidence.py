"""Claims and the Markdown extension."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from handbook import evidence
from handbook.problems import HandbookError
from markdown import Markdown


def render(markdown: str, root: Path) -> str:
    return Markdown(extensions=[evidence.EvidenceExtension(root=str(root)), "footnotes", "tables"]).convert(markdown)


def test_extension_marks_a_claim_and_points_it_at_the_site(tiny):
    html = render("[75 %](../../notebooks/cuda/tiny.ipynb#shares.optimizer)", tiny)
    assert 'href="../notebooks/cuda/tiny.ipynb#shares.optimizer"' in html
    assert 'class="claim"' in html


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
