"""All checks of the content together: what `make check` and every build run first."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from . import chapters, evidence, notebooks, questions, unsupported
from .chapters import Chapter
from .problems import Problem


def check(root: Path) -> list[Problem]:
    """Every problem of chapters, notebooks, claims, numbers, links and ids below `root`, sorted."""
    book = chapters.read_all(root)
    problems = [p for chapter in book for p in check_chapter(chapter, root)]
    problems += questions.check(book, root) + check_navigation(book, root)
    for path in notebooks.paths(root):
        try:
            notebook = notebooks.read(path, root)
        except notebooks.BrokenNotebook as broken:
            problems.append(broken.problem)
            continue
        problems += notebooks.check(notebook)
        for cell in notebook.cells:
            if cell.kind == "markdown":
                problems += [
                    Problem(p.file, cell.line + p.line, p.what, p.remedy)
                    for p in check_links(cell.source, notebook.file, root)
                ]
    for path in sorted((root / "docs").glob("*.md")) + sorted((root / "docs").glob("*/index.md")):
        file = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        problems += evidence.check(text, file, root) + check_links(text, file, root)
    return sorted(set(problems))


CODE_COLUMNS = 84  # that the printed page holds


def check_code(chapter: Chapter) -> list[Problem]:
    """Lines of code that the printed page would have to break."""
    return [
        Problem(
            chapter.file,
            number,
            f"the line of code has {len(line)} characters; the book breaks it behind {CODE_COLUMNS}",
            "Break it where it reads well",
        )
        for number, line in chapters.code_lines(chapter.text)
        if len(line) > CODE_COLUMNS
    ]


def check_navigation(book: list[Chapter], root: Path) -> list[Problem]:
    """Chapters that mkdocs.yml's navigation leaves out, where it has one."""
    config = (root / "mkdocs.yml").read_text(encoding="utf-8")
    match = re.search(r"^nav:\n(?:[ \t#].*\n|\n)*", config, re.M)
    if not match:
        return []
    line = chapters.line_of(config, match.start())
    return [
        Problem(
            "mkdocs.yml",
            line,
            f"{chapter.name} is not in the navigation",
            f"Add the line `- {chapter.name}` below its area",
        )
        for chapter in book
        if not re.search(rf"\b{re.escape(chapter.name)}\b", match[0])
    ]


def check_chapter(chapter: Chapter, root: Path) -> tuple[Problem, ...]:
    """What can be said of one chapter and of what it links to; kept in memory until one of these changes."""
    folder = (root / chapter.file).parent
    names = {link.target.partition("#")[0] for link in chapters.links(chapter.text)}
    leads_to = {os.path.normpath(os.path.join(folder, name)) for name in names if name}
    return _check_chapter(chapter, root, frozenset((path, _state(Path(path))) for path in leads_to))


def _state(path: Path) -> object:
    """Differs where a link to the file could be good before and bad now, or a claim proven."""
    try:
        modified = path.stat().st_mtime_ns
    except OSError:  # no file: a page that is generated, another site's address, or a mistake
        return None
    return _anchors(path, modified) if path.suffix == ".md" else modified


@lru_cache(maxsize=1024)
def _check_chapter(chapter: Chapter, root: Path, files: frozenset) -> tuple[Problem, ...]:
    return (
        *chapter.problems,
        *questions.check_form(chapter),
        *evidence.check(chapter.text, chapter.file, root),
        *unsupported.check(chapter),
        *check_code(chapter),
        *check_links(chapter.text, chapter.file, root),
    )


def check_links(text: str, file: str, root: Path) -> list[Problem]:
    """Relative links that lead nowhere: a file that is not there, an id that it lacks."""
    problems = []
    folder = (root / file).parent
    for link in chapters.links(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", link.target):
            continue
        path, _, anchor = link.target.partition("#")
        target = Path(os.path.normpath(folder / path)) if path else root / file
        if not target.exists() and not _generated(target, root):
            problems.append(
                Problem(
                    file,
                    link.line,
                    f"the link {link.target!r} leads to no file",
                    "Correct the path, or remove the link",
                )
            )
        elif anchor and target.suffix == ".md" and target.is_file():
            if anchor not in _anchors(target, target.stat().st_mtime_ns):
                name = target.relative_to(root).as_posix()
                problems.append(
                    Problem(
                        file,
                        link.line,
                        f"{name} has no heading with the id {anchor!r}",
                        "Use the id in braces behind the question",
                    )
                )
        elif anchor and target.suffix == ".ipynb" and target.is_file():
            label = anchor.split(".")[0]
            if label not in notebooks.read(target, root).labels:
                name = target.relative_to(root).as_posix()
                problems.append(Problem(file, link.line, f"{name} has no cell labeled {label!r}", "Correct the label"))
    return problems


GENERATED = ("questions.md", "sources.md", "evidence.md", "wrong.md")  # made by pages.py at build


def _generated(target: Path, root: Path) -> bool:
    return target.parent == root / "docs" and target.name in GENERATED


@lru_cache(maxsize=1024)
def _anchors(path: Path, modified: int) -> frozenset[str]:
    return frozenset(re.findall(r"^#{1,6} .*\{\s*#([^\s}]+)\s*\}", path.read_text(encoding="utf-8"), re.M))
