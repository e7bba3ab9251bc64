"""The comparison of engines: what it sees, that known differences are exact, and that each planted loss is a new one."""

from __future__ import annotations

import shutil
from pathlib import Path

import engines
import pytest
import yaml

KNOWN = yaml.safe_load(engines.KNOWN.read_text(encoding="utf-8"))
BUILT = engines.ROOT / ".cache/engines"

HTML = """<html><head><title>{title}</title><meta name="description" content="About."></head><body>
<a class="md-tabs__link" href="../index.html">Home</a>
<article><h1 id="t">Title<a class="headerlink" href="#t">#</a></h1>
<p>Uses <a class="claim" href="../notebooks/cuda/a.html#label">16&nbsp;B</a> <b>each</b>, {text}
<mjx-container data-tex="N"><mjx-math>N</mjx-math></mjx-container>; <a href="b.html">on</a>, <a href="https://example.org">out</a></p>
<!-- no text --><ul><li>one<p>two</p></li></ul><img src="i.svg" alt="A picture"><h5 id="deep">Deep</h5><pre id="__code_0">x = 1</pre>
<div class="meta"><a href="../sources.html#s">s</a></div></article></body></html>"""


def site(folder: Path, **change: str) -> Path:
    """A site of one page in which texts are replaced."""
    markup = HTML.format(title="T", text="text")
    for old, new in change.items():
        assert old in markup
        markup = markup.replace(old, new)
    (folder / "cuda").mkdir(parents=True)
    (folder / "cuda/a.html").write_text(markup, encoding="utf-8")
    return folder


def differences(tmp_path: Path, change: dict[str, str], rules: list[dict] | None = None) -> list[str]:
    new, _, _ = engines.judge(site(tmp_path / "one"), site(tmp_path / "other", **change), rules or [])
    return new


def test_a_page_is_read(tmp_path):
    files, _ = engines.read(site(tmp_path), [], is_mkdocs=True)
    assert files == {
        "cuda/a.html": {
            "title": ["T"],
            "description": ["About."],
            "headings": ["h1 #t Title", "h5 #deep Deep"],
            "claims": ["[16 B](notebooks/cuda/a.html#label)"],
            "links": ["[on](cuda/b.html)", "[out](https://example.org)", "[s](sources.html#s)"],
            "text": ["Title", "Uses 16 B each, text $N$; on, out", "one", "two", "Deep", "x = 1", "s"],
            "images": ["img i.svg A picture"],
            "ids": ["t", "deep"],
            "tabs": ["[Home](index.html)"],
        }
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<title>T<", "<title>U<", ["title: adds U", "title: lacks T"]),
        ('"About."', '"Of."', ["description: adds Of.", "description: lacks About."]),
        ('<h5 id="deep">Deep</h5>', '<h6 id="deep">Deep</h6>', ["headings: adds h6 #deep Deep", "headings: lacks h5 #deep Deep"]),
        ("a.html#label", "a.ipynb#label", ["claims: adds [16 B](notebooks/cuda/a.ipynb#label)", "claims: lacks [16 B](notebooks/cuda/a.html#label)"]),
        ('"b.html"', '"./b.html"', []),
        ("example.org", "example.com", ["links: adds [out](https://example.com)", "links: lacks [out](https://example.org)"]),
        ('data-tex="N"', 'data-tex="M"', ["text: adds Uses 16 B each, text $M$; on, out", "text: lacks Uses 16 B each, text $N$; on, out"]),
        ("A picture", "", ["images: adds img i.svg None", "images: lacks img i.svg A picture"]),
        ('<ul>', '<ul id="u">', ["ids: adds u"]),
        ('"../index.html"', '"../home.html"', ["tabs: adds [Home](home.html)", "tabs: lacks [Home](index.html)"]),
    ],
)  # fmt: skip
def test_each_change_of_a_page_is_a_difference(tmp_path, old, new, expected):
    assert differences(tmp_path, {old: new}) == [f"cuda/a.html: {row}" for row in expected]


def test_files_are_compared(tmp_path):
    one, other = site(tmp_path / "one"), site(tmp_path / "other")
    for name, text in {
        "a.js": "1",
        "b.js": "1",
        "sitemap.xml": "<loc>https://x/y.html</loc><loc>https://x/z.html</loc>",
    }.items():
        (one / name).write_text(text)
    for name, text in {"a.js": "2", "c.js": "1", "sitemap.xml": "<loc>https://x/z.html</loc>"}.items():
        (other / name).write_text(text)
    assert engines.judge(one, other, [])[0] == [
        "a.js: another content",
        "b.js: missing",
        "c.js: added",
        "sitemap.xml: addresses: lacks https://x/y.html",
    ]
    rules = [{"changed": ["a.js"], "missing": ["b.js", "y.html"], "added": ["c.js"]}]
    new, hits, gone = engines.judge(one, other, rules)
    assert new == [] and gone == ["missing y.html"]
    assert hits["missing", "b.js"] == ["b.js"]


def test_a_rule_is_all_or_none(tmp_path):
    leads = [{"pages": "*.html", "leads": ["^(notebooks/.*)\\.html", "\\1.ipynb"]}]
    assert differences(tmp_path / "all", {"a.html#label": "a.ipynb#label"}, leads) == []
    assert differences(tmp_path / "none", {}, leads) == [
        "cuda/a.html: claims: adds [16 B](notebooks/cuda/a.html#label)",
        "cuda/a.html: claims: lacks [16 B](notebooks/cuda/a.ipynb#label)",
    ]
    lacks = [{"pages": "*.html", "lacks": ["//div[@class='meta']/a"]}]
    assert differences(tmp_path / "gone", {'<a href="../sources.html#s">s</a>': ""}, lacks) == []
    assert differences(tmp_path / "back", {}, lacks) == [
        "cuda/a.html: links: adds [s](sources.html#s)",
        "cuda/a.html: text: adds s",
    ]
    adds = [{"pages": "*.html", "adds": ["//hr[@id]"]}]
    assert differences(tmp_path / "added", {"<ul>": '<hr id="h"><ul>'}, adds) == []
    one, other = site(tmp_path / "one"), site(tmp_path / "other", **{"<ul>": '<hr id="h"><ul>'})
    for folder in (one, other):
        shutil.copy(one / "cuda/a.html", folder / "cuda/b.html")
    assert engines.judge(one, other, adds)[0] == ["cuda/b.html: lacks the known //hr[@id]"]


def test_a_rule_that_touches_nothing_is_told(tmp_path):
    rules = [
        {"pages": "*.html", "lacks": ["//video"]},
        {"missing": ["x/*.html"]},
        {"needs": "download", "missing": ["y"]},
    ]
    assert engines.judge(site(tmp_path / "one"), site(tmp_path / "other"), rules)[2] == [
        "lacks //video",
        "missing x/*.html",
    ]


def test_an_engine_may_stop_at_known_errors_only(tmp_path, monkeypatch):
    """A stand-in for an engine: it fails as long as its input has what it cannot read."""
    engine = "import sys, pathlib; t = pathlib.Path('mkdocs.yml').read_text(); sys.exit('no bad line' if 'bad' in t else None)"
    (tmp_path / "mkdocs.yml").write_text("good: 1\nbad: 1\n")
    monkeypatch.setattr(engines, "ROOT", tmp_path)
    monkeypatch.setitem(engines.COMMANDS, "stand-in", ["stand_in"])
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/stand_in.py").write_text(engine)
    known = {"error": "no bad line", "file": "mkdocs.yml", "line": "bad: 1"}
    folder, passed = engines.build("stand-in", [known, {"error": "another"}])
    assert passed == ["another"] and (folder.parent / "mkdocs.yml").read_text() == "good: 1\n"
    with pytest.raises(RuntimeError, match="does not know"):
        engines.build("stand-in", [{"error": "another"}])


# ---- the engines' real pages, with a loss planted in each ------------------------------------

CHAPTER, AREA, HOME = "cuda/matmul.html", "cuda/index.html", "index.html"
LOSSES = {  # what is lost: the page, the element (XPath), the part that must tell it
    "a heading": (CHAPTER, "(//article//h2)[2]", "headings"),
    "a sub-heading": (CHAPTER, "(//article//h3)[1]", "headings"),
    "a claim": (CHAPTER, "(//a[@class='claim'])[3]", "claims"),
    "a claim of the home page": (HOME, "(//a[@class='claim'])[1]", "claims"),
    "a link of a chapter": (CHAPTER, "(//article//p//a[not(@class)][not(contains(@href, ':'))])[1]", "links"),
    "a primary source": (CHAPTER, "(//div[@class='footnote']//a[starts-with(@href, 'https:')])[1]", "links"),
    "a link of the home page": (HOME, "//article//a[@href='wrong.html']", "links"),
    "a heading of the home page": (HOME, "//h2[@id='ways-in']", "headings"),
    "a paragraph of an area": (AREA, "(//article/p)[1]", "text"),
    "a formula": (CHAPTER, "(//mjx-container)[1]", "text"),
    "a figure": (CHAPTER, "(//article//svg[@role='img'])[1]", "images"),
    "a row of a table": (CHAPTER, "(//article//table//tr)[2]", "text"),
}
HOOKED = {  # the same of what only hooks make
    "a source's link": (CHAPTER, "(//a[@class='source'])[1]", "links"),
    "a link to report an error": (CHAPTER, "(//a[@class='report'])[1]", "links"),
    "a chapter in its area's list": (AREA, "//h2[@id='chapters']/following-sibling::ul/li[1]", "links"),
    "an area of the home page": (HOME, "//ol[@class='home-areas']/li[1]", "links"),
    "the home page's heading of the areas": (HOME, "//h2[@id='areas']", "headings"),
}


@pytest.mark.parametrize("engine", ["properdocs", "zensical"])
def test_each_planted_loss_is_a_new_difference(tmp_path, engine):
    pages = [CHAPTER, AREA, HOME]
    built, compared = (folder / HOME for folder in (BUILT / engine / "site", engines.ROOT / "site"))
    if not (built.is_file() and compared.is_file() and built.stat().st_mtime > compared.stat().st_mtime):
        pytest.skip(
            "needs sites of one state of the content, which `make engines` builds, and `make test` before the tests"
        )
    one, other, rules = tmp_path / "one", tmp_path / "other", KNOWN[engine]["differs"]
    for page in pages:
        for source, folder in ((engines.ROOT / "site", one), (BUILT / engine / "site", other)):
            (folder / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / page, folder / page)
    if (engines.ROOT / "site/download").is_dir():
        (one / "download").mkdir()
    assert engines.judge(one, other, rules)[0] == []
    losses = LOSSES | HOOKED if engine == "properdocs" else LOSSES
    for loss, (page, pattern, part) in losses.items():
        whole = (other / page).read_bytes()
        tree = engines.html.parse(str(other / page), engines.html.HTMLParser(encoding="utf-8"))
        (element,) = tree.xpath(pattern)
        element.drop_tree()
        tree.write(str(other / page), method="html", encoding="utf-8")
        found = engines.judge(one, other, rules)[0]
        assert any(row.startswith(f"{page}: {part}: lacks") for row in found), f"{loss}: {found}"
        (other / page).write_bytes(whole)


@pytest.mark.parametrize("engine", engines.COMMANDS)
def test_no_known_difference_would_hide_a_lost_chapter_or_style_sheet(engine):
    for rule in KNOWN[engine]["differs"]:
        files = [p for kind in ("missing", "added", "changed") for p in rule.get(kind, [])]
        for lost in ("cuda/matmul.html", "cuda/index.html", "index.html", "sitemap.xml", "assets/css/handbook.css"):
            assert not [p for p in files if engines.fnmatchcase(lost, p)], f"{files} would hide {lost}"
