"""The whole check on a tiny project, and a tiny site through the real MkDocs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHAPTER
from handbook import content

CHAPTER_FILE = "docs/cuda/memory.md"


def test_the_tiny_project_is_sound(tiny):
    assert content.check(tiny) == []


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("(#tiny-bytes)", "(#tiny-bites)", "no heading with the id"),
        ("(#tiny-bytes)", "(other.md#x)", "leads to no file"),
        ("tiny.ipynb#parts", "tiny.ipynb#part", "no cell labeled"),
    ],
)
def test_broken_links(tiny, old, new, cause):
    (tiny / CHAPTER_FILE).write_text(CHAPTER.replace(old, new))
    assert any(cause in p.what and p.file == CHAPTER_FILE for p in content.check(tiny))


def test_a_broken_link_inside_a_notebook_is_found(tiny):
    path = tiny / "notebooks/cuda/tiny.ipynb"
    path.write_text(path.read_text().replace("memory.md#tiny-bytes", "memory.md#gone"))
    assert any(
        "no heading with the id 'gone'" in p.what and p.file == "notebooks/cuda/tiny.ipynb" for p in content.check(tiny)
    )


def test_a_chapter_outside_the_navigation_is_found(tiny):
    config = tiny / "mkdocs.yml"
    config.write_text(config.read_text() + "nav:\n  - index.md\n")
    assert [p.what for p in content.check(tiny)] == ["cuda/memory.md is not in the navigation"]


def build(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)


def test_a_tiny_site_builds(tiny):
    result = build(tiny)
    assert result.returncode == 0, result.stderr
    page = (tiny / "site/cuda/memory/index.html").read_text()
    assert 'class="claim" href="../../notebooks/cuda/tiny/#shares.optimizer"' in page
    assert "16\u00a0bytes</a>" in page
    assert (
        'class="level level-core"' in page
        and "../../sources/#list-01" in page
        and "issues/new?template=error.yml" in page
    )
    assert "Often said, but wrong</p>" in page
    notebook = (tiny / "site/notebooks/cuda/tiny/index.html").read_text()
    assert 'id="shares"' in notebook and "../../../cuda/memory/#tiny-bytes" in notebook
    assert "<style" not in notebook.split("<article")[1] and len(notebook) < 60_000
    assert (tiny / "site/notebooks/cuda/tiny/tiny.ipynb").is_file()
    assert 'id="list-01"' in (tiny / "site/sources/index.html").read_text()
    assert "cuda/memory/#wrong-tiny-bytes" in (tiny / "site/wrong/index.html").read_text()


def test_a_wrong_number_fails_the_build_with_file_and_line(tiny):
    (tiny / CHAPTER_FILE).write_text(CHAPTER.replace("[75 %]", "[76 %]"))
    result = build(tiny)
    line = CHAPTER[: CHAPTER.index("[75 %]")].count("\n") + 1
    assert result.returncode != 0
    assert f"{CHAPTER_FILE}:{line}: '76 %' is not proven" in result.stderr


def test_a_line_of_code_that_the_book_must_break_is_told(tiny):
    chapter = tiny / "docs/cuda/memory.md"
    given = chapter.read_text()
    code = "> ```python\n> {}\n> {}\n> ```\n\n"
    long, fits = "x" * (content.CODE_COLUMNS + 1), "y" * content.CODE_COLUMNS
    chapter.write_text(given.replace("**Follow-ups**", code.format(fits, long) + "**Follow-ups**"))
    (found,) = content.check(tiny)
    assert found.file == "docs/cuda/memory.md"
    assert chapter.read_text().splitlines()[found.line - 1] == f"> {long}"
