"""The caches of rendering: what did not change is not made again, and whatever changes a page is seen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from conftest import write_notebook
from handbook import rendering
from markdown import Markdown
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.structure.pages import Page

CHAPTER = "docs/cuda/memory.md"
NOTEBOOK = "notebooks/cuda/tiny.ipynb"


@pytest.fixture
def project(tiny: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tiny)  # where the Markdown extension looks for notebooks
    monkeypatch.setattr(rendering, "_finished", {})
    return tiny


@pytest.fixture
def rendered(monkeypatch) -> list[str]:
    """The pages that are rendered from Markdown, as they are."""
    seen = []
    real = Page.render
    monkeypatch.setattr(Page, "render", lambda page, *rest: (seen.append(page.file.src_uri), real(page, *rest))[1])
    return seen


def pages(root: Path) -> dict[str, str]:
    """Builds the project in this process, as `serve` does again and again; returns its pages."""
    build(load_config(str(root / "mkdocs.yml")))
    return {path.relative_to(root / "site").as_posix(): path.read_text() for path in (root / "site").rglob("*.html")}


def afresh(root: Path, monkeypatch) -> dict[str, str]:
    """Builds it with nothing kept."""
    with monkeypatch.context() as patch:
        patch.setattr(rendering, "_finished", {})
        patch.setattr(rendering, "CACHE", ".cache/another")
        return pages(root)


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))

    return change


def edit_notebook(source: str, old: str, new: str) -> Callable[[Path], None]:
    """Another output of the cell that holds `source`, as an execution would leave it."""

    def change(root: Path) -> None:
        node = nbformat.read(root / NOTEBOOK, as_version=4)
        (cell,) = (cell for cell in node.cells if source in cell.source)
        data = cell.outputs[0].data if cell.cell_type == "code" else cell
        key = "text/html" if cell.cell_type == "code" else "source"
        assert old in data[key]
        data[key] = data[key].replace(old, new)
        write_notebook(root / NOTEBOOK, node.cells)

    return change


def add_chapter(root: Path) -> None:
    text = (root / CHAPTER).read_text().replace("tiny-bytes", "other-bytes").replace("Tiny memory", "Other memory")
    (root / "docs/cuda/other.md").write_text(text)
    (root / "docs/published-ids.txt").write_text("tiny-bytes\nother-bytes\n")


def test_nothing_is_made_twice(project, rendered):
    first = pages(project)
    assert CHAPTER.removeprefix("docs/") in rendered
    rendered.clear()
    rendering._finished.clear()  # as in a new process
    assert pages(project) == first
    assert rendered == []


def test_under_serve_only_the_edited_page_meets_its_template(project, monkeypatch):
    pages(project)
    kept = {}
    monkeypatch.setattr(rendering, "keep_finished", lambda page, whole: kept.update({page.url: page.meta}))
    replace(CHAPTER, "What the chapter", "All that the chapter")(project)
    pages(project)
    made = {url for url, meta in kept.items() if meta.get("template") != "finished.html"}
    assert made == {"cuda/memory/"}


@pytest.mark.parametrize(
    ("change", "page"),
    [
        (replace(CHAPTER, "What the chapter is about", "About <b>this</b>"), "cuda/memory/index.html"),
        (replace(CHAPTER, "$N$ ranks", "$M$ ranks"), "cuda/memory/index.html"),
        (replace(CHAPTER, "title: Tiny memory", "title: Small memory"), "questions/index.html"),
        (replace(CHAPTER, "reviewed: 2026-11-22", "reviewed: 2026-11-23"), "cuda/memory/index.html"),
        (replace(CHAPTER, "a parameter need?", "a weight need?"), "notebooks/cuda/tiny/index.html"),
        (edit_notebook("frame", "weights", "moments"), "cuda/memory/index.html"),
        (edit_notebook("frame", "weights", "moments"), "notebooks/cuda/tiny/index.html"),
        (edit_notebook("# Tiny proof", "# Tiny proof", "# Small proof"), "cuda/memory/index.html"),
        (replace("mkdocs.yml", "attr_list,", "attr_list, toc: {permalink: true},"), "cuda/memory/index.html"),
        (replace("mkdocs.yml", "site_name: Tiny", "site_name: Small"), "notebooks/cuda/tiny/index.html"),
        (replace("mkdocs.yml", "theme:", "use_directory_urls: false\ntheme:"), "index.html"),
        (
            replace("mkdocs.yml", "github.com/example/tiny", "github.com/example/small"),
            "notebooks/cuda/tiny/index.html",
        ),
        (add_chapter, "cuda/memory/index.html"),  # its navigation, and the next page
    ],
)
def test_whatever_changes_a_page_is_seen(project, monkeypatch, change, page):
    before = pages(project)
    change(project)
    after = pages(project)
    assert after[page] != before[page]
    assert after == afresh(project, monkeypatch)


def test_a_page_is_rendered_anew_where_a_page_that_it_links_to_moves(project, rendered, monkeypatch):
    pages(project)
    rendered.clear()
    (project / CHAPTER).rename(project / "docs/cuda/moved.md")
    replace("docs/index.md", "[memory](cuda/memory.md)", "[memory](cuda/moved.md)")(project)
    edit_notebook("# Tiny proof", "cuda/memory.md", "cuda/moved.md")(project)
    after = pages(project)
    assert 'href="cuda/moved/"' in after["index.html"]
    assert after == afresh(project, monkeypatch)


def test_a_warning_comes_again_with_each_build(project, caplog):
    (project / "docs/other.md").write_text("# Other\n\n[gone][gone]\n\n[gone]: missing/page.md\n")
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "mkdocs"):
            pages(project)
        assert "missing/page.md" in caplog.text


def test_other_code_or_packages_mean_another_key(project, rendered, monkeypatch):
    pages(project)
    rendered.clear()
    monkeypatch.setattr(rendering, "VERSION", "another")
    pages(project)
    assert "cuda/memory.md" in rendered


def test_a_broken_render_leaves_no_entry(project, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Markdown, "convert", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pages(project)
    assert "<h2" in pages(project)["cuda/memory/index.html"]
