"""The reader of chapters."""

from __future__ import annotations

import pytest
from conftest import CHAPTER
from handbook import chapters


def test_a_sound_chapter_has_no_problems():
    chapter = chapters.parse(CHAPTER, "docs/cuda/memory.md")
    assert chapter.problems == ()
    (question,) = chapter.questions
    assert (question.id, question.level, question.asked, question.reviewed) == (
        "tiny-bytes",
        "core",
        ("list-01",),
        "2026-11-22",
    )
    assert question.title == "How many bytes does a parameter need?"
    assert CHAPTER.splitlines()[question.line - 1].startswith("## How many")
    assert question.answer.startswith("Mixed-precision Adam")


@pytest.mark.parametrize(
    ("old", "new", "line", "cause"),
    [
        ("level: core", "level: easy", 6, "easy"),
        ("level: core", "levle: core", 6, "levle"),
        ("    level: core\n", "", 5, "level"),
        ("reviewed: 2026-11-22", "reviewed: yesterday", 8, "yesterday"),
        ("asked: [list-01]", "asked: list-01", 7, "array"),
        ("description:", "descripton:", 3, "descripton"),
        ("title: Tiny memory", "title: [Tiny", 3, "not YAML"),
        ("{ #tiny-bytes }\n", "\n", 15, "has no id"),
        ("need? {", "need {", 15, "asks nothing"),
        ("{ #tiny-bytes }\n", "{ #other }\n", 15, "does not know"),
        (
            "  tiny-bytes:\n",
            "  tiny-bytes:\n    level: core\n    asked: []\n    reviewed: 2026-11-22\n  other:\n",
            9,
            "no heading carries",
        ),
        ("---\ntitle", "title", 1, "no front matter"),
        ("    level: core\n", "    level: core\n    level: core\n", 7, "twice"),
    ],
)
def test_faults_name_line_and_cause(old, new, line, cause):
    problems = chapters.parse(CHAPTER.replace(old, new, 1), "docs/cuda/memory.md").problems
    assert any(p.line == line and cause in p.what for p in problems), problems


def test_a_repeated_id_is_found():
    problems = chapters.parse(CHAPTER + "\n## Again? { #tiny-bytes }\n\nText.\n", "docs/cuda/memory.md").problems
    assert any("used twice" in p.what for p in problems)


def test_links_skip_code_and_keep_lines():
    text = "`[no](a)`\n```\n[no](b)\n```\n\n[yes `x`](c) and ![alt\ntwo](d)\n"
    assert [(link.text, link.target, link.line, link.image) for link in chapters.links(text)] == [
        ("yes `x`", "c", 6, False),
        ("alt\ntwo", "d", 6, True),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$x$ and $$y$$", [("x", False), ("y", True)]),
        ("costs $5 and $6", []),
        ("`$x$` and \\$x$", []),
        ("$a$1", []),
        ("$\\$5$", [("\\$5", False)]),
        ("$$\na\n$$", [("\na\n", True)]),
    ],
)
def test_formulas(text, found):
    assert [(tex, display) for tex, display, _ in chapters.formulas(text)] == found


def test_plain_text_of_an_answer():
    assert chapters.plain("It *is* [16 `B`](x#y).[^a] So\n**so**, `a_b`.") == "It is 16 B. So so, a_b."


def test_chapters_stand_as_the_navigation_lists_them():
    nav = [{"Home": "index.md"}, {"CUDA": ["cuda/index.md", {"Second": "cuda/b.md"}, "cuda/a.md"]}]
    assert list(chapters.listed(nav)) == ["index.md", "cuda/index.md", "cuda/b.md", "cuda/a.md"]
    book = [chapters.parse("", f"docs/cuda/{name}.md") for name in "abc"]
    assert [c.name for c in chapters.in_order(book, nav)] == ["cuda/b.md", "cuda/a.md", "cuda/c.md"]
