"""What is built from the questions: the index, the coverage of the sources, the book's wrong answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from . import chapters, evidence
from .chapters import AREAS, WRONG, Chapter, Question
from .problems import Problem

PUBLISHED = "docs/published-ids.txt"


@dataclass(frozen=True)
class Box:
    """An "often said, but wrong" box; `body` is Markdown whose links are true from docs/."""

    chapter: Chapter
    question: Question
    body: str
    anchor: str  # where it stands in its chapter

    @property
    def said(self) -> list[str]:
        """What is wrong, with its quotation marks, fit for the text of a link; a box may hold several."""
        text = re.sub(r"\[\^[^\]]+\]", "", self.body.replace(f"**{WRONG}**", "").strip())
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
        found = re.findall(r'(?:\A|Also wrong:\s+|^\s*- )("[^"]+")', text, re.M) or re.findall(r'"[^"]+"', text)[:1]
        return [" ".join(said.split()) for said in found]


def wrong_anchor(question: str, number: int) -> str:
    """The id of a question's first, second … box of what is wrong; numbers begin at 0."""
    return f"wrong-{question}" + (f"-{number + 1}" if number else "")


def all_questions(book: list[Chapter]) -> list[tuple[Chapter, Question]]:
    """Every question with its chapter, in the book's order."""
    return [(chapter, question) for chapter in book for question in chapter.questions]


def coverage(book: list[Chapter], sources: dict[str, dict[str, str]]) -> dict[str, list[tuple[Chapter, Question]]]:
    """For each source question the answers that cover it; an open one has an empty list."""
    covered: dict[str, list[tuple[Chapter, Question]]] = {identifier: [] for identifier in sources}
    for chapter, question in all_questions(book):
        for identifier in question.asked:
            covered.setdefault(identifier, []).append((chapter, question))
    return covered


def statistics(book: list[Chapter]) -> dict[str, object]:
    """Counts for the pages: chapters, questions and numbers with a proof, of each area and in all."""
    areas = []
    for area, title in AREAS.items():
        mine = [c for c in book if c.area == area]
        areas.append(
            {
                "id": area,
                "title": title,
                "chapters": len(mine),
                "questions": sum(len(c.questions) for c in mine),
                "numbers": sum(not claim.embedded for c in mine for claim in evidence.claims(c.text)),
            }
        )
    totals = {key: sum(a[key] for a in areas) for key in ("chapters", "questions", "numbers")}
    return {"areas": areas, "totals": totals}


def wrong_boxes(book: list[Chapter]) -> list[Box]:
    """Every "often said, but wrong" box, in the book's order, fit to stand on a page in docs/."""
    boxes = []
    for chapter, question in all_questions(book):
        notes = _notes(chapter.text)
        for number, quote in enumerate(re.findall(r"^> \[!WARNING\]\n(?:>.*(?:\n|\Z))+", question.body, re.M)):
            body = re.sub(r"^> ?", "", quote.split("\n", 1)[1], flags=re.M).strip()
            body = rebase(body, chapter)
            stem = Path(chapter.file).stem
            used = [name for name in dict.fromkeys(re.findall(r"\[\^([^\]]+)\]", body)) if name in notes]
            body = re.sub(r"\[\^([^\]]+)\]", rf"[^{stem}-{question.id}-\1]", body)
            definitions = "".join(
                f"\n\n[^{stem}-{question.id}-{name}]: {rebase(notes[name], chapter)}" for name in used
            )
            boxes.append(Box(chapter, question, body + definitions, wrong_anchor(question.id, number)))
    return boxes


@lru_cache(maxsize=256)  # asked for each question of a chapter, and under serve again
def _notes(text: str) -> dict[str, str]:
    """The text of each footnote, by name."""
    return dict(re.findall(r"^\[\^([^\]]+)\]:[ \t]*(.*(?:\n[ \t]+\S.*)*)", text, re.M))


def rebase(markdown: str, chapter: Chapter) -> str:
    """Markdown of a chapter with its relative links made true from docs/ itself."""

    def target(match: re.Match[str]) -> str:
        link = match[1]
        if re.match(r"[a-z]+:", link):
            return match[0]
        if link.startswith("#"):
            return f"]({chapter.name}{link})"
        return f"]({link[3:]})" if link.startswith("../") else f"]({chapter.area}/{link})"

    return re.sub(r"\]\(([^()\s]+)\)", target, markdown)


# ---- checks over the whole book --------------------------------------------------------------


def check(book: list[Chapter], root: Path) -> list[Problem]:
    """Ids across the book, published ids, source ids and the source list itself."""
    problems = []
    sources = chapters.read_sources(root)
    first: dict[str, Chapter] = {}
    for chapter, question in all_questions(book):
        if question.id in first:
            problems.append(
                Problem(
                    chapter.file,
                    question.line,
                    f"the id {question.id!r} is used in {first[question.id].file} too",
                    "Ids are unique in the whole book: choose another",
                )
            )
        first.setdefault(question.id, chapter)
        for identifier in question.asked:
            if identifier not in sources:
                line = next(
                    (n for n, row in enumerate(chapter.text.splitlines(), 1) if identifier in row), question.line
                )
                problems.append(
                    Problem(
                        chapter.file,
                        line,
                        f"unknown source question {identifier!r}",
                        "See the ids in docs/sources.yaml",
                    )
                )
    problems += _check_published(root, set(first))
    for identifier, row in sources.items():
        if row.get("area") not in AREAS:
            problems.append(
                Problem(
                    "docs/sources.yaml",
                    1,
                    f"{identifier} names the unknown area {row.get('area')!r}",
                    "Known are " + ", ".join(AREAS),
                )
            )
    return problems


def published(root: Path) -> list[str]:
    """The ids that were ever published, in the file's order."""
    path = root / PUBLISHED
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def _check_published(root: Path, present: set[str]) -> list[Problem]:
    listed = published(root)
    problems = [
        Problem(
            PUBLISHED,
            line,
            f"the published question {identifier!r} is gone",
            "Restore it: decks, progress and links hang on its id",
        )
        for line, identifier in enumerate(listed, 1)
        if identifier not in present
    ]
    problems += [
        Problem(
            PUBLISHED,
            max(len(listed), 1),
            f"the question {identifier!r} is not listed",
            f"Append the line {identifier}, or run make ids",
        )
        for identifier in sorted(present - set(listed))
    ]
    return problems


def check_form(chapter: Chapter) -> list[Problem]:
    """The parts that STYLE asks of each answer: spoken answer, sources, follow-ups, boxes."""
    problems = []

    def fault(question: Question, what: str, remedy: str) -> None:
        problems.append(Problem(chapter.file, question.line, f"{question.id}: {what}", remedy))

    defined = set(re.findall(r"^\[\^([^\]]+)\]:", chapter.text, re.M))
    bare = chapters.without_code(chapter.text)
    for match in re.finditer(r"\[\^([^\]]+)\](?!:)", bare):
        if match[1] not in defined:
            line = chapters.line_of(bare, match.start())
            problems.append(
                Problem(
                    chapter.file,
                    line,
                    f"the footnote {match[1]!r} is not defined",
                    f"Write [^{match[1]}]: … at the end of the chapter",
                )
            )
    for question in chapter.questions:
        words = len(chapters.plain(question.answer).split())
        if not 40 <= words <= 90:
            fault(
                question,
                f"the spoken answer has {words} words",
                "Say it whole in 40 to 90 words, in the first paragraph",
            )
        if not re.search(r"\[\^[^\]]+\](?!:)", question.body):
            fault(question, "no source is cited", "Cite a primary source as a footnote")
        if "**Follow-ups**" not in question.body:
            fault(question, "there are no follow-ups", "Add **Follow-ups** with two to four short answers")
        if "> [!TIP]\n" not in question.body:
            fault(question, "the strong answer's box is missing", "Add > [!TIP] with **What a strong answer adds:**")
        for kind, opening in (("WARNING", f"**{WRONG}**"), ("TIP", "**What a strong answer adds:**")):
            for quote in re.findall(rf"^> \[!{kind}\]\n> ?(.*)", question.body, re.M):
                if not quote.startswith(opening):
                    fault(
                        question,
                        f"a {kind} box does not begin with {opening}",
                        "Begin it so: readers know the boxes by these words",
                    )
    return problems
