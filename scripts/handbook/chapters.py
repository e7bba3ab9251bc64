"""Read a chapter: Markdown with YAML front matter. The only reader of that syntax (CONTRIBUTING.md)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jsonschema
import yaml

from .problems import Problem

AREAS = {
    "fundamentals": "Fundamentals",
    "cv": "Computer vision",
    "nlp": "Language",
    "cuda": "CUDA",
    "deployment": "Deployment",
    "distributed": "Distributed",
    "interview": "The interview",
}
LEVELS = ("core", "senior", "expert")
WRONG = "Often said, but wrong:"  # opens every box of that kind

# Base: every scalar a string, so that a date or a `no` stays what was written. In C, ten times as fast, where it is there.
YAML = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SCHEMA = {
    "type": "object",
    "required": ["title", "description", "questions"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "description": {"type": "string", "minLength": 20},
        "questions": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": _ID},
            "additionalProperties": {
                "type": "object",
                "required": ["level", "asked", "reviewed"],
                "additionalProperties": False,
                "properties": {
                    "level": {"enum": list(LEVELS)},
                    "asked": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                    "reviewed": {"type": "string", "pattern": r"^20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"},
                },
            },
        },
    },
}

_HEADING = re.compile(r"^## +(?P<title>.*?)[ \t]*(?:\{[ \t]*#(?P<id>[^\s}]+)[ \t]*\})?[ \t]*$", re.M)
_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]\\\n]|\\.|\n(?!\s*\n)|\[[^\[\]\n]*\])*)\]\((?P<target>[^()\s]+)\)"
)
_FENCE = re.compile(
    r"^(?P<indent>[ >]*)(?P<mark>`{3,}|~{3,})[^\n]*\n.*?(?:^[ >]*(?P=mark)[`~]*[ \t]*$|\Z)", re.M | re.S
)
_CODE = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)", re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
DISPLAY = re.compile(r"(?<!\\)\$\$(?P<tex>.+?)(?<!\\)\$\$", re.S)
# As pandoc and GitHub: no blank inside the dollars, no digit behind them, so "$5 and $6" stays text.
INLINE = re.compile(r"(?<![\\$])\$(?![\s$])(?P<tex>(?:\\.|[^$\\\n]|\n(?!\s*\n))+?)(?<!\s)\$(?![\d$])")


@dataclass(frozen=True)
class Link:
    """`[text](target)`, or `![text](target)` where image is true."""

    text: str
    target: str
    image: bool
    line: int
    span: tuple[int, int]  # offsets in the text that was searched


@dataclass(frozen=True)
class Question:
    """One question of a chapter; `body` is everything below its heading."""

    id: str
    title: str
    line: int
    body: str
    level: str
    asked: tuple[str, ...]
    reviewed: str

    @property
    def answer(self) -> str:
        """The spoken answer: the first paragraph below the heading, as Markdown."""
        return next((p for p in re.split(r"\n\s*\n", self.body.strip()) if p.strip()), "")


@dataclass(frozen=True)
class Chapter:
    """A chapter and what is wrong with its form; `text` is the whole file, front matter included."""

    file: str  # relative to the root, with forward slashes
    area: str
    title: str
    description: str
    questions: tuple[Question, ...]
    text: str
    body_start: int  # offset of the first character below the front matter
    problems: tuple[Problem, ...]

    def __hash__(self) -> int:
        return hash((self.file, self.text))

    @property
    def name(self) -> str:
        """The path below docs/, as links write it: `cuda/memory-hierarchy.md`."""
        return self.file.removeprefix("docs/")


def line_of(text: str, offset: int) -> int:
    """The line, from 1, of the character at `offset`."""
    return bisect_left(_line_ends(text), offset) + 1


@lru_cache(maxsize=64)
def _line_ends(text: str) -> list[int]:
    return [match.start() for match in re.finditer("\n", text)]


def blank(text: str, *patterns: re.Pattern[str]) -> str:
    """`text` with each match replaced by blanks, newlines kept, so that offsets and lines stay true."""
    for pattern in patterns:
        text = pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    return text


def without_code(text: str) -> str:
    """Blanks out fenced code, code spans and HTML comments."""
    return blank(text, _FENCE, _CODE, _COMMENT)


def code_lines(text: str) -> list[tuple[int, str]]:
    """The lines within fences, each with its number from 1, without the marks of a quotation."""
    return [
        (line_of(text, match.start()) + number, line.removeprefix(match["indent"]))
        for match in _FENCE.finditer(text)
        for number, line in enumerate(match[0].split("\n")[:-1])
        if number
    ]


def without_math(text: str) -> str:
    """Blanks out `$$…$$` and `$…$`; expects code to be blanked before."""
    return blank(text, DISPLAY, INLINE)


@lru_cache(maxsize=4096)
def formulas(text: str) -> tuple[tuple[str, bool, int], ...]:
    """Every formula of a Markdown text as (TeX, is display, line), in order."""
    code_free = without_code(text)
    found = [(m.start(), m["tex"], True) for m in DISPLAY.finditer(code_free)]
    rest = blank(code_free, DISPLAY)
    found += [(m.start(), m["tex"], False) for m in INLINE.finditer(rest)]
    return tuple((tex, display, line_of(text, start)) for start, tex, display in sorted(found))


@lru_cache(maxsize=4096)
def links(text: str) -> tuple[Link, ...]:
    """Every inline link and image outside code, in order; the text is as written, code spans included."""
    bare = blank(text, _FENCE, _COMMENT)
    codes = [m.span() for m in _CODE.finditer(bare)]

    def in_code(offset: int) -> bool:
        before = bisect_left(codes, (offset,))  # the code spans that begin before it
        return before > 0 and offset < codes[before - 1][1]

    return tuple(
        Link(text[m.start("text") : m.end("text")], m["target"], bool(m["image"]), line_of(text, m.start()), m.span())
        for m in _LINK.finditer(bare)
        if not in_code(m.start())
    )


def paths(root: Path) -> list[Path]:
    """The chapters' files, area by area; `index.md` is an area's front page and holds no questions."""
    found = []
    for area in AREAS:
        found += sorted(p for p in (root / "docs" / area).glob("*.md") if p.name != "index.md")
    return found


def read_all(root: Path) -> list[Chapter]:
    """Every chapter of the handbook below `root`."""
    return [parse(p.read_text(encoding="utf-8"), p.relative_to(root).as_posix()) for p in paths(root)]


def listed(nav: object) -> Iterator[str]:
    """The pages of a navigation as mkdocs.yml writes it, or of a part of it, by their paths below docs/."""
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from listed(entry)


def in_order(book: Iterable[Chapter], nav: object) -> list[Chapter]:
    """Chapters as the navigation lists them; those that it lacks come last."""
    rank = {name: number for number, name in enumerate(listed(nav))}
    return sorted(book, key=lambda chapter: rank.get(chapter.name, len(rank)))


@lru_cache(maxsize=1024)
def parse(text: str, file: str) -> Chapter:
    """One chapter from its text; faults of form are collected in `problems`, never raised."""
    problems: list[Problem] = []

    def fault(line: int, what: str, remedy: str) -> None:
        problems.append(Problem(file, line, what, remedy))

    meta, lines, body_start = _front_matter(text, fault)
    entries = meta.get("questions", {}) if isinstance(meta.get("questions"), dict) else {}

    bare = blank(text, _FENCE, _COMMENT)
    heads = [m for m in _HEADING.finditer(bare) if m.start() >= body_start]
    questions = []
    seen: dict[str, int] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=False):
        line = line_of(text, head.start())
        title = text[head.start("title") : head.end("title")]
        identifier = head["id"]
        if identifier is None:
            fault(
                line,
                f"the question {title!r} has no id",
                "End the heading with { #topic-word } and name the id in the front matter",
            )
            continue
        if not title.rstrip().endswith("?"):
            fault(line, f"the heading {title!r} asks nothing", "Word it as an interviewer would and end it with ?")
        if identifier in seen:
            fault(
                line,
                f"the id {identifier!r} is used twice (first on line {seen[identifier]})",
                "Give this question an id of its own",
            )
            continue
        seen[identifier] = line
        if identifier not in entries:
            fault(
                line,
                f"the front matter does not know the id {identifier!r}",
                f"Add questions.{identifier} with level, asked and reviewed",
            )
        entry = entries.get(identifier)
        entry = entry if isinstance(entry, dict) else {}
        body = text[head.end() : following.start() if following else len(text)]
        questions.append(
            Question(
                identifier, title, line, body,
                str(entry.get("level", "")), tuple(entry.get("asked") or ()), str(entry.get("reviewed", "")),
            )
        )  # fmt: skip
    for identifier in entries:
        if identifier not in seen:
            fault(
                lines.get(("questions", identifier), 1),
                f"no heading carries the id {identifier!r}",
                f"Write `## …? {{ #{identifier} }}`; published ids are never removed or renamed",
            )
    order = [identifier for identifier in entries if identifier in seen]
    for identifier, at in zip(order, [q.id for q in questions if q.id in entries], strict=False):
        if identifier != at:
            fault(
                lines.get(("questions", identifier), 1),
                f"{identifier!r} stands at another place than its heading",
                "Keep the front matter in the headings' order",
            )
            break
    parts = Path(file).parts
    return Chapter(
        file=file,
        area=parts[1] if len(parts) > 2 else "",
        title=str(meta.get("title", "")),
        description=str(meta.get("description", "")),
        questions=tuple(questions),
        text=text,
        body_start=body_start,
        problems=tuple(problems),
    )


def _front_matter(text: str, fault) -> tuple[dict, dict[tuple[str, ...], int], int]:
    """The front matter, the line of each of its keys by path, and the offset behind it."""
    match = re.match(r"---\n(.*?\n)---\n", text, re.S)
    if not match:
        fault(1, "the chapter has no front matter", "Begin the file with --- and title, description and questions")
        return {}, {}, 0
    try:
        node = yaml.compose(match[1], Loader=YAML)
        meta = yaml.load(match[1], Loader=YAML)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        fault(line, f"the front matter is not YAML: {error.problem}", "Mend the indentation or the quotes")
        return {}, {}, match.end()
    lines: dict[tuple[str, ...], int] = {}
    for path, key in _keys(node):
        if path in lines:
            fault(key.start_mark.line + 2, f"the key {path[-1]!r} stands twice", "Keep one of the two")
        lines[path] = key.start_mark.line + 2
    for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(meta):
        path = tuple(str(p) for p in error.absolute_path)
        if error.validator == "additionalProperties":
            unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
            for key in unknown:
                fault(
                    lines.get((*path, key), 1),
                    f"unknown key {key!r}",
                    "Known are " + ", ".join(error.schema["properties"]),
                )
            continue
        known = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)
        fault(known, f"{'.'.join(path) or 'front matter'}: {error.message}", "See the front matter in CONTRIBUTING.md")
    return (meta if isinstance(meta, dict) else {}), lines, match.end()


def _keys(node: yaml.Node | None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key
            yield from _keys(value, here)


def read_sources(root: Path) -> dict[str, dict[str, str]]:
    """docs/sources.yaml by id: {area, ask}, in the file's order."""
    rows = yaml.load((root / "docs/sources.yaml").read_text(encoding="utf-8"), Loader=YAML)
    return {row["id"]: row for row in rows}


def plain(markdown: str) -> str:
    """Markdown as a reader would speak it: no links, footnote marks, emphasis or code ticks."""
    text = re.sub(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)\s]*\)", r"\1", markdown)
    text = re.sub(r"\[\^[^\]]+\]", "", text)
    return re.sub(r"\s+", " ", re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", text)).strip()
