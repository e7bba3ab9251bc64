"""Plants errors in a copy of the real handbook, one at a time: every one must be caught, with file and line.

Not planted: a digit of an `≈` claim, because the rule lets those differ by a quarter.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from handbook import chapters, content, evidence, notebooks, questions
from handbook.chapters import Chapter
from handbook.problems import Problem

PLANTS = 340
Planted = tuple[str, str, int]  # file, its new text, the line at which the fault must be reported (0: any)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("planted")
    for name in ("docs", "notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("assets", ".ipynb_checkpoints"))
    shutil.copy(ROOT / "mkdocs.yml", root)
    return root


def exact_claims(chapter: Chapter, pattern: str) -> list[chapters.Link]:
    """Links that are number claims without ≈ whose text matches."""
    return [
        link
        for link in chapters.links(chapter.text)
        if ".ipynb#" in link.target
        and not link.image
        and "≈" not in link.text
        and "approx" not in link.text
        and re.search(pattern, link.text)
    ]


def replaced(text: str, span: tuple[int, int], new: str) -> str:
    return text[: span[0]] + new + text[span[1] :]


def change_digit(link: chapters.Link, where: str, chance: random.Random) -> str:
    places = [m.start() for m in re.finditer(where, link.text)]
    place = chance.choice(places)
    digit = chance.choice([d for d in "123456789" if d != link.text[place]])
    return link.text[:place] + digit + link.text[place + 1 :]


def digit(chapter: Chapter, chance: random.Random) -> Planted:
    link = chance.choice(exact_claims(chapter, r"^[^%×^\\]*\d[^%×^\\]*$"))
    new = change_digit(link, r"\d", chance)
    return chapter.file, replaced(chapter.text, link.span, f"[{new}]({link.target})"), link.line


def scientific_or_percent(chapter: Chapter, chance: random.Random) -> Planted:
    link = chance.choice(exact_claims(chapter, r"\d\s*\\?%|10\^|×\s*10|[⁰¹²³⁴⁵⁶⁷⁸⁹]"))
    new = change_digit(link, r"(?<!1)\d(?!0\^)|\d(?=\s*\\?%)", chance)
    return chapter.file, replaced(chapter.text, link.span, f"[{new}]({link.target})"), link.line


def swap_neighbors(chapter: Chapter, chance: random.Random) -> Planted:
    links = exact_claims(chapter, r"\d")
    pairs = [(a, b) for a, b in zip(links, links[1:], strict=False) if number(a.text) != number(b.text)]
    a, b = chance.choice(pairs)
    text = replaced(chapter.text, b.span, f"[{a.text}]({b.target})")
    return chapter.file, replaced(text, a.span, f"[{b.text}]({a.target})"), a.line


def number(text: str) -> str:
    return re.sub(r"[^\d.]", "", text)


def rename_label(chapter: Chapter, chance: random.Random) -> Planted:
    link = chance.choice(exact_claims(chapter, "."))
    return (
        chapter.file,
        replaced(chapter.text, link.span, f"[{link.text}]({link.target.replace('#', '#un')})"),
        link.line,
    )


def rename_key(chapter: Chapter, chance: random.Random) -> Planted:
    link = chance.choice([c for c in exact_claims(chapter, ".") if "." in c.target.split("#")[1]])
    return chapter.file, replaced(chapter.text, link.span, f"[{link.text}]({link.target}-x)"), link.line


def break_path(chapter: Chapter, chance: random.Random) -> Planted:
    link = chance.choice([c for c in chapters.links(chapter.text) if ".ipynb" in c.target])
    new = f"{'!' if link.image else ''}[{link.text}]({link.target.replace('.ipynb', '_x.ipynb')})"
    return chapter.file, replaced(chapter.text, link.span, new), link.line


def unsupported_number(chapter: Chapter, chance: random.Random) -> Planted:
    question = chance.choice(chapter.questions)
    rows = chapter.text.splitlines(keepends=True)
    value = chance.choice(["37", "4,096", "2.75", "18 %", "640", "99.5"])
    rows.insert(question.line + 1, f"It needs {value} of them.\n\n")
    return chapter.file, "".join(rows), question.line + 2


def duplicate_id(chapter: Chapter, chance: random.Random) -> Planted:
    first, second = chance.sample(chapter.questions, 2)
    text = chapter.text.replace(f"{{ #{second.id} }}", f"{{ #{first.id} }}", 1)
    return chapter.file, text, max(first.line, second.line)


def remove_id(chapter: Chapter, chance: random.Random) -> Planted:
    question = chance.choice(chapter.questions)
    return chapter.file, chapter.text.replace(f" {{ #{question.id} }}", "", 1), question.line


def remove_question(chapter: Chapter, chance: random.Random) -> Planted:
    """A published question disappears whole, front matter and all."""
    question = chance.choice(chapter.questions)
    text = re.sub(rf"^  {question.id}:\n(?:    .*\n)+", "", chapter.text, count=1, flags=re.M)
    heading = next(row for row in text.splitlines() if f"{{ #{question.id} }}" in row)
    return chapter.file, text.replace(heading + question.body, "", 1), 0


def ask_nothing(chapter: Chapter, chance: random.Random) -> Planted:
    question = chance.choice(chapter.questions)
    return chapter.file, chapter.text.replace(question.title, question.title.rstrip("?"), 1), question.line


def metadata(old: str, new: str) -> Callable[[Chapter, random.Random], Planted]:
    def plant(chapter: Chapter, chance: random.Random) -> Planted:
        question = chance.choice(chapter.questions)
        start = chapter.text.index(f"  {question.id}:\n")
        match = re.compile(old, re.M).search(chapter.text, start)
        line = chapters.line_of(chapter.text, match.start())
        return chapter.file, replaced(chapter.text, match.span(), new), line

    return plant


def drop_footnote(chapter: Chapter, chance: random.Random) -> Planted:
    match = chance.choice(list(re.finditer(r"^\[\^([^\]]+)\]:", chapter.text, re.M)))
    line = chapters.line_of(chapter.text, re.search(re.escape(f"[^{match[1]}]") + "(?!:)", chapter.text).start())
    return chapter.file, replaced(chapter.text, match.span(), f"[^{match[1]}-x]:"), line


def in_notebook(edit: Callable[[dict, random.Random], None]) -> Callable[[Chapter, random.Random], Planted]:
    """A fault in a notebook that the chapter cites; reported there, at the cell where there is one."""

    def plant(chapter: Chapter, chance: random.Random) -> Planted:
        file = chance.choice(sorted({claim.notebook for claim in evidence.claims(chapter.text)}))
        node = json.loads((ROOT / file).read_text(encoding="utf-8"))
        edit(node, chance)
        return file, json.dumps(node, indent=1, ensure_ascii=False) + "\n", 0

    return plant


def labeled(node: dict) -> list[dict]:
    return [c for c in node["cells"] if c["cell_type"] == "code" and "".join(c["source"]).startswith("#| label:")]


def empty_output(node: dict, chance: random.Random) -> None:
    chance.choice(labeled(node))["outputs"] = []


def edit_code(node: dict, chance: random.Random) -> None:
    chance.choice([c for c in node["cells"] if c["cell_type"] == "code"])["source"] += ["\n# edited"]


def rename_cell(node: dict, chance: random.Random) -> None:
    cell = chance.choice(labeled(node))
    cell["source"] = "".join(cell["source"]).replace("label: ", "label: un", 1)


def edit_output(node: dict, chance: random.Random) -> None:
    cell = chance.choice(
        [c for c in labeled(node) if c["outputs"] and "text/plain" in c["outputs"][-1].get("data", {})]
    )
    data = cell["outputs"][-1]["data"]
    data["text/plain"] = re.sub(r"\d", lambda m: str((int(m[0]) + 1) % 10), "".join(data["text/plain"]), count=1) + " "


def cut_file(chapter: Chapter, chance: random.Random) -> Planted:
    file = chance.choice(sorted({claim.notebook for claim in evidence.claims(chapter.text)}))
    return file, (ROOT / file).read_text(encoding="utf-8")[:-40], 0


def missing_notebook(chapter: Chapter, chance: random.Random) -> Planted:
    return chance.choice(sorted({claim.notebook for claim in evidence.claims(chapter.text)})), "", 0


KINDS: dict[str, Callable[[Chapter, random.Random], Planted]] = {
    "a digit changed in a claim": digit,
    "a digit changed in a scientific or percent claim": scientific_or_percent,
    "two neighboring claims swapped": swap_neighbors,
    "a label renamed in a chapter": rename_label,
    "a key renamed in a chapter": rename_key,
    "a broken link into a notebook": break_path,
    "a number inserted without support": unsupported_number,
    "an id duplicated": duplicate_id,
    "an id removed": remove_id,
    "a published question removed": remove_question,
    "a heading that asks nothing": ask_nothing,
    "an unknown metadata key": metadata(r"^    level:", "    grade:"),
    "an unknown level": metadata(r"(?<=^    level: )\w+", "easy"),
    "an unknown source id": metadata(r"(?<=^    asked: )\[.*\]", "[list-99]"),
    "a date that is none": metadata(r"(?<=^    reviewed: )\S+", "2026-13-45"),
    "a footnote's text removed": drop_footnote,
    "a notebook missing": missing_notebook,
    "a notebook cut short": cut_file,
    "an output emptied": in_notebook(empty_output),
    "a code cell edited without execution": in_notebook(edit_code),
    "a label renamed in a notebook": in_notebook(rename_cell),
    "an output edited by hand": in_notebook(edit_output),
}


def problems_of(planted: Planted, book: list[Chapter], root: Path) -> list[Problem]:
    """What the checks say of one planted fault; the files are put back afterwards."""
    file, text, _ = planted
    path = root / file
    before = path.read_bytes()
    try:
        if text:
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink()
        if path.suffix == ".md":
            changed = chapters.parse(text, file)
            others = [changed if c.file == file else c for c in book]
            return [*content.check_chapter(changed, root), *questions.check(others, root)]
        found: list[Problem] = []
        if text:
            try:
                found += notebooks.check(notebooks.read(path, root))
            except notebooks.BrokenNotebook as broken:
                found.append(broken.problem)
        for chapter in book:
            if file in chapter.text:
                found += evidence.check(chapter.text, chapter.file, root)
        return found
    finally:
        path.write_bytes(before)


def test_every_planted_error_is_caught(copy, capsys):
    chance = random.Random(20261123)
    book = chapters.read_all(copy)
    assert [p for c in book for p in content.check_chapter(c, copy)] + questions.check(book, copy) == []
    planted: Counter[str] = Counter()
    missed = []
    while planted.total() < PLANTS:
        kind = list(KINDS)[planted.total() % len(KINDS)]
        for _ in range(50):  # not every chapter has, say, a percent claim
            try:
                fault = KINDS[kind](chance.choice(book), chance)
                break
            except (IndexError, AttributeError):
                continue
        else:
            pytest.fail(f"no chapter where {kind} could be planted")
        planted[kind] += 1
        file, _, line = fault
        found = problems_of(fault, book, copy)
        caught = [p for p in found if p.line >= 1 and (line == 0 or (p.file, p.line) == (file, line))]
        if not caught:
            missed.append((kind, file, line, found[:3]))
    with capsys.disabled():
        print(f"\nplanted {planted.total()} errors of {len(planted)} kinds, caught {planted.total() - len(missed)}")
    assert missed == []
