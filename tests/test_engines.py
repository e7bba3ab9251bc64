"""The comparison of engines: what it sees, and that a new difference is not taken for a known one."""

from __future__ import annotations

import engines
import yaml

HTML = """<html><body><nav><a href="elsewhere.html">x</a></nav><article><h1 id="t">Title<a class="headerlink" href="#t">#</a></h1>
<p><a class="claim" href="../notebooks/cuda/a.{kind}#label">16&nbsp;B</a> <a href="{link}">on</a> <a href="https://example.org">out</a></p>
</article></body></html>"""


def page(tmp_path, kind: str = "html", link: str = "b.html") -> engines.Page:
    (tmp_path / "a.html").write_text(HTML.format(kind=kind, link=link), encoding="utf-8")
    return engines.read(tmp_path / "a.html")


def test_a_page_is_read_without_its_frame(tmp_path):
    found = page(tmp_path)
    assert found.headings == ["h1 #t Title"]
    assert found.claims == ["[16 B](../notebooks/cuda/a.html#label)"]
    assert found.links == ["b.html"]
    assert found.files == []


def test_differences_are_named(tmp_path):
    one, other = page(tmp_path), page(tmp_path, kind="ipynb", link="c.html")
    assert engines.compare({"a.html": one, "b.html": one}, {"a.html": other, "c.html": one}) == [
        "a.html: files: adds ../notebooks/cuda/a.ipynb#label",
        "a.html: links: adds c.html",
        "a.html: links: lacks b.html",
        "b.html: the page is missing",
        "c.html: the page is new",
    ]
    assert engines.compare({"a.html": one}, {"a.html": one}) == []


def test_new_and_gone_differences_are_told():
    known = [{"pattern": "n/.*: the page is missing", "why": ""}, {"pattern": "gone", "why": ""}]
    matched, new, gone = engines.sort_out(["n/a.html: the page is missing", "a.html: links: lacks x"], known)
    assert matched["n/.*: the page is missing"] == ["n/a.html: the page is missing"]
    assert new == ["a.html: links: lacks x"]
    assert gone == ["gone"]


def test_no_known_difference_would_hide_a_lost_claim_or_heading_of_a_chapter():
    known = yaml.safe_load(engines.KNOWN.read_text(encoding="utf-8"))
    lost = [
        "cuda/matmul.html: the page is missing",
        "cuda/matmul.html: claims: lacks [16](../notebooks/cuda/a.html#b)",
        "cuda/matmul.html: headings: lacks h2 #a Why?",
        "cuda/matmul.html: links: lacks tensor-cores.html",
    ]
    for engine in ("properdocs", "zensical"):
        assert engines.sort_out(lost, known[engine])[1] == lost
