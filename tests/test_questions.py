"""The index, the coverage of the sources, the wrong answers, and the checks over the whole book."""

from __future__ import annotations

import pytest
from conftest import CHAPTER, ROOT
from handbook import chapters, questions


@pytest.fixture
def book(tiny):
    return chapters.read_all(tiny)


def test_statistics_count(book):
    totals = questions.statistics(book)["totals"]
    assert totals == {"chapters": 1, "questions": 1, "numbers": 3}  # and one table


def test_coverage_keeps_open_questions(book, tiny):
    covered = questions.coverage(book, chapters.read_sources(tiny))
    assert len(covered) == 121
    assert [q.id for _, q in covered["list-01"]] == ["tiny-bytes"] and covered["list-02"] == []


def test_wrong_boxes_bring_their_footnotes_and_links(book):
    (box,) = questions.wrong_boxes(book)
    assert "(cuda/memory.md#tiny-bytes)" in box.body
    assert "[^memory-tiny-bytes-adam]" in box.body and "[^memory-tiny-bytes-adam]: Kingma" in box.body


def test_rebase(book):
    chapter = book[0]
    text = "[a](#x) [b](other.md#y) [c](../cv/z.md) [d](../../notebooks/a/b.ipynb#l) [e](https://e.org)"
    assert questions.rebase(text, chapter) == (
        "[a](cuda/memory.md#x) [b](cuda/other.md#y) [c](cv/z.md) [d](../notebooks/a/b.ipynb#l) [e](https://e.org)"
    )


def test_the_tiny_book_is_sound(book, tiny):
    assert questions.check(book, tiny) == [] and questions.check_form(book[0]) == []


def test_published_ids_may_not_disappear_or_be_forgotten(book, tiny):
    (tiny / questions.PUBLISHED).write_text("gone-id\n")
    causes = [p.what for p in questions.check(book, tiny)]
    assert any("'gone-id' is gone" in c for c in causes) and any("'tiny-bytes' is not listed" in c for c in causes)


def test_an_id_used_in_two_chapters_is_found(tiny):
    (tiny / "docs/cuda/other.md").write_text(CHAPTER)
    assert any("is used in" in p.what for p in questions.check(chapters.read_all(tiny), tiny))


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        (", all of it in single precision, on every rank of the job.[^adam]", ".", "words"),
        ("[^adam]", "", "no source"),
        ("**Follow-ups**", "Follow-ups", "no follow-ups"),
        ("> [!TIP]\n> **What a strong answer adds:** activations are not in it.\n", "", "strong answer"),
        ("**What a strong answer adds:**", "**Note:**", "does not begin"),
        ("[^adam]:", "[^adan]:", "not defined"),
    ],
)
def test_missing_parts_are_named(old, new, cause):
    problems = questions.check_form(chapters.parse(CHAPTER.replace(old, new), "docs/cuda/memory.md"))
    assert any(cause in p.what for p in problems), problems


def test_the_source_list_is_whole():
    sources = chapters.read_sources(ROOT)
    counts = {name: sum(i.startswith(name + "-") for i in sources) for name in ("nv", "list", "guide", "damo", "fw")}
    assert counts == {"nv": 11, "list": 53, "guide": 30, "damo": 14, "fw": 13}
