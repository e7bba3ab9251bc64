"""The whole handbook as one tree: parts, chapters, questions, and the notebooks that the answers cite.

The chapters' own Markdown and the notebooks go through pandoc once. What comes back, pandoc's tree as JSON,
is completed here: formulas, claims, links, notes, figures and tables become elements with a class of their
own. `printing` turns these into Typst (PDF) or HTML (EPUB), so both books hold the same.

    mkdocs.yml, chapters, notebooks  ->  Book (blocks, formulas, figures)  ->  printing

Levels of headings: 1 parts, 2 chapters and notebooks, 3 questions, 4 and deeper what stands within.
"""

from __future__ import annotations

import json
import os
import posixpath
import pprint
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pypandoc
import yaml

from . import chapters, evidence, figures, mathematics, notebooks, pages
from .chapters import Chapter
from .notebooks import Cell, Notebook
from .problems import HandbookError, Problem
from .typesetting import Formula

Node = dict  # one element of pandoc's tree: {"t": type, "c": content}

API = [1, 23, 1]  # the version of pandoc's tree
READER = "gfm-gfm_auto_identifiers-tex_math_dollars-tex_math_gfm-emoji-yaml_metadata_block+attributes"
LONG_CODE = 14  # lines; a longer cell of a notebook shows its first SHOWN_CODE ones in the appendix
SHOWN_CODE = 9
# What the site needs and a book has in another form.
LEFT_OUT = {
    "index.md": "the title page",
    "questions.md": "the contents",
    "evidence.md": "the appendix, which lists for each cell the questions that cite it",
    "offline.md": "the file itself",
}
EXPLANATION = "conventions.md"  # stands before the first part
TITLES = {"Index": "Wrong answers and sources"}  # of parts that hold less than on the site


@dataclass(frozen=True)
class Source:
    """One file of the book, as Markdown; `name` is its path below docs/, or that of a notebook."""

    name: str
    level: int  # of its first heading
    text: str
    file: str  # for errors
    line: int = 1  # at which `text` begins in that file


@dataclass(frozen=True)
class Heading:
    """An entry of the book's outline."""

    level: int
    title: str
    anchor: str


@dataclass
class Book:
    """All of it; the lists are in the order of the pages, formulas and figures without repetition."""

    title: str
    subtitle: str
    address: str
    repository: str = ""
    holder: str = ""  # of the rights
    blocks: list[Node] = field(default_factory=list)
    formulas: dict[Formula, int] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)  # anchor of the cell: SVG
    outline: list[Heading] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))


# ---- order -----------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """mkdocs.yml may hold tags of MkDocs' own, which say nothing about the order."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def configuration(root: Path) -> dict:
    """mkdocs.yml as a mapping."""
    return yaml.load((root / "mkdocs.yml").read_text(encoding="utf-8"), Loader=_Loader)


def order(root: Path) -> list[tuple[str, list[str]]]:
    """The navigation of mkdocs.yml as parts: title, and its pages by their paths below docs/.

    Raises HandbookError where mkdocs.yml has no navigation: a book needs an order.
    """
    nav = configuration(root).get("nav")
    if not nav:
        raise HandbookError([Problem("mkdocs.yml", 1, "there is no nav", "List the pages: a book needs an order")])

    parts = [
        (title, list(chapters.listed(value)))
        for entry in nav
        if isinstance(entry, dict)
        for title, value in entry.items()
    ]
    return [
        (TITLES.get(title, title), [p for p in found if p not in LEFT_OUT and p != EXPLANATION])
        for title, found in parts
    ]


def anchor(page: str, label: str = "") -> str:
    """The name of a place in the book: `cuda-matmul--tiling`, `notebooks-cuda-timing--peak`."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", re.sub(r"\.(md|ipynb)$", "", page)).strip("-")
    return f"{name}--{re.sub('[^A-Za-z0-9]+', '-', label)}" if label else name


# ---- sources ---------------------------------------------------------------------------------


def gather(root: Path) -> tuple[list[Source], list[Source], list[Chapter]]:
    """The pages in order (a part's first heading is its title), the notebooks that they cite, and the chapters."""
    book = {c.name: c for c in chapters.read_all(root)}
    read = {p.relative_to(root).as_posix(): notebooks.read(p, root) for p in notebooks.paths(root)}
    generated = pages.generated(list(book.values()), chapters.read_sources(root), read)
    in_order = chapters.in_order(book.values(), configuration(root).get("nav"))
    generated["wrong.md"] = _wrong(in_order)
    sources = [_page(root, EXPLANATION, 2)] if (root / "docs" / EXPLANATION).is_file() else []
    for title, names in order(root):
        front = next((n for n in names if n.endswith("/index.md")), None)
        rest = [n for n in names if n != front]
        if not rest:  # an area that is still to be written
            continue
        text = _page(root, front) if front else Source(f"part {title}", 1, f"# {title}\n", "mkdocs.yml")
        sources.append(text)
        for name in rest:
            if name in generated:
                sources.append(Source(name, 2, _clean(generated[name]), f"(generated) {name}"))
            else:
                sources.append(_page(root, name, 2))
    cited = {claim.notebook for s in sources for claim in evidence.claims(s.text)}
    proofs = [Source(file, 2, _notebook(notebook), file) for file, notebook in read.items() if file in cited]
    return sources, proofs, list(book.values())


def _page(root: Path, name: str, level: int = 1) -> Source:
    text = (root / "docs" / name).read_text(encoding="utf-8")
    match = re.match(r"---\n.*?\n---\n", text, re.S)
    start = match.end() if match else 0
    return Source(name, level, for_book(text[start:]), f"docs/{name}", chapters.line_of(text, start))


def for_book(text: str) -> str:
    """A page without what only the site shows, and with what only the book does.

    No line of a paragraph begins with such a comment: Markdown would end the paragraph there.

    >>> for_book("A <!-- site -->green<!-- /site --><!-- book: plain --> number.")
    'A plain number.'
    """
    text = re.sub(r"<!-- site -->.*?<!-- /site -->", "", text, flags=re.S)
    return re.sub(r"<!-- book: (.*?) -->", r"\1", text, flags=re.S)


def _clean(text: str) -> str:
    """A generated page as plain Markdown: without front matter, attribute lists and HTML."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"<(?!br>)[^>]*>", "", text).replace("<br>", "\\")
    # Python-Markdown's attributes of a list's item: what is kept of them is the anchor.
    text = re.sub(r"^- (\S+)((?:(?!^- ).)*?)^\{: #(\S+).*?\}$", r"- \1<!-- anchor \3 -->\2", text, flags=re.M | re.S)
    return re.sub(r"^\{:.*\}\n", "", text, flags=re.M)


def _wrong(book: list[Chapter]) -> str:
    """The list of wrong answers: the question that corrects each; the boxes themselves stand there."""
    from . import questions

    text = [
        "# Often said, but wrong\n",
        "Answers that circulate and do not hold. What is true, and why, stands in a box of the question below each.\n",
    ]
    chapter = None
    for box in questions.wrong_boxes(book):
        if box.chapter is not chapter:
            chapter = box.chapter
            text.append(f"\n## {chapter.title}\n")
        words = "\\\n  ".join([*box.said, "Corrected under"])
        text.append(f"- {words} “[{box.question.title}]({chapter.name}#{box.question.id})”")
    return "\n".join(text) + "\n"


def _notebook(notebook: Notebook) -> str:
    """A notebook as Markdown; each code cell is a marker that `_Builder` replaces by the cell."""
    parts = []
    for cell in notebook.cells:
        if cell.kind == "markdown":
            parts.append(cell.source)
        elif cell.kind == "code":
            parts.append(f"<!-- cell {cell.index} -->")
    return "\n\n".join(parts) + "\n"


def curled(text: str, bare: str) -> str:
    """`text` with curly quotation marks where `bare`, the same text with code and formulas blanked, has straight ones."""
    done = list(text)
    for match in re.finditer(r"(?<=\w)'|\"", bare):
        opens = match[0] == '"' and (match.start() == 0 or re.match(r"[\s(\[*_—-]", text[match.start() - 1]))
        done[match.start()] = "’" if match[0] == "'" else "“" if opens else "”"
    return "".join(done)


# ---- pandoc ----------------------------------------------------------------------------------


def pandoc(arguments: list[str], given: str = "", folder: Path | None = None, **environment: str) -> str:
    """Run the packaged pandoc; raises RuntimeError with what it printed."""
    run = subprocess.run(
        [pypandoc.get_pandoc_path(), *arguments],
        input=given,
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, **environment},
    )
    if run.returncode or run.stderr.strip():
        raise RuntimeError(f"pandoc {' '.join(arguments)}: {run.stderr.strip() or run.returncode}")
    return run.stdout


def _parse(texts: list[str]) -> list[list[Node]]:
    """Each text's blocks. One run of pandoc; no text sees another's footnotes or unclosed fences."""
    mark = "<!-- end of text -->"
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{number}.md" for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            Path(folder, name).write_text(f"{text}\n\n{mark}\n", encoding="utf-8")
        tree = json.loads(pandoc(["-f", READER, "-t", "json", "--file-scope", *names], folder=Path(folder)))
    parsed: list[list[Node]] = [[]]
    for block in tree["blocks"]:
        if block["t"] == "RawBlock" and block["c"][1].strip() == mark:
            parsed.append([])
        else:
            parsed[-1].append(block)
    return parsed[:-1]


def _tables(markups: list[str]) -> list[list[Node]]:
    """HTML tables as pandoc's."""
    if not markups:
        return []
    page = "".join(f"<div>{markup}</div>" for markup in markups)
    return [div["c"][1] for div in json.loads(pandoc(["-f", "html", "-t", "json"], page))["blocks"]]


# ---- the tree --------------------------------------------------------------------------------


def element(kind: str, content: object = None) -> Node:
    """A node of pandoc's tree."""
    return {"t": kind} if content is None else {"t": kind, "c": content}


def span(classes: str, inlines: list[Node], **attributes: str) -> Node:
    return element("Span", [["", classes.split(), list(attributes.items())], inlines])


def div(classes: str, blocks: list[Node], identifier: str = "", **attributes: str) -> Node:
    return element("Div", [[identifier, classes.split(), list(attributes.items())], blocks])


def words(text: str) -> list[Node]:
    """Plain text as pandoc's inlines."""
    inlines: list[Node] = []
    for word in text.split():
        inlines += [element("Space")] if inlines else []
        inlines.append(element("Str", word))
    return inlines


def text_of(node: object) -> str:
    """The text of a tree, formulas as their TeX; what a screen reader is told of a figure."""
    if isinstance(node, list):
        return "".join(map(text_of, node))
    match node.get("t"):
        case "Str":
            return node["c"]
        case "Space" | "SoftBreak" | "LineBreak":
            return " "
        case "Code" | "Math":
            return node["c"][1]
        case "Span" if "formula" in node["c"][0][1]:
            return dict(node["c"][0][2])["tex"]
        case "Note" | "RawInline":
            return ""
        case "Span" | "Link" | "Quoted" | "Image":
            return text_of(node["c"][1])
    return text_of(node["c"]) if isinstance(node.get("c"), list) else ""


def walk(node: object, change: Callable[[Node], list[Node] | None]) -> object:
    """A tree with each node replaced by what `change` says, from the leaves up; None keeps it."""
    if isinstance(node, list):
        done: list = []
        for item in node:
            new = walk(item, change)
            if isinstance(item, dict) and "t" in item:
                changed = change(new)
                done += [new] if changed is None else changed
            else:
                done.append(new)
        return done
    if isinstance(node, dict):
        return {key: walk(value, change) if key != "t" else value for key, value in node.items()}
    return node


def build(root: Path, say: Callable[[str], None] = lambda line: None) -> Book:
    """The book below `root`; `say` is told each stage.

    Raises HandbookError with every link that leads nowhere in the book.
    """
    config = configuration(root)
    title, subtitle = str(config["site_name"]), str(config.get("site_description", "")).strip()
    book = Book(title, subtitle, str(config["site_url"]), str(config.get("repo_url", "")), _holder(root) or title)
    sources, proofs, read = gather(root)
    say(f"read {len(read)} chapters and {len(proofs)} notebooks")
    builder = _Builder(book, root, [*sources, *proofs], read)
    texts = [builder.without_formulas(source) for source in builder.sources]
    trees = _parse(texts)
    say(f"parsed; {len(book.formulas)} different formulas")
    for source, tree in zip(sources, trees, strict=False):
        builder.page(source, tree)
    if proofs:
        builder.heading(1, words("Notebooks"), "notebooks")
        builder.paragraph(
            "Every notebook that an answer cites, with its outputs as committed and checked. Long code is cut; "
            "the whole stands in the repository, at the address below each title."
        )
        for source, tree in zip(proofs, trees[len(sources) :], strict=True):
            builder.notebook(source, tree)
    builder.check()
    return book


def _holder(root: Path) -> str:
    """`2026 The authors of Worked Answers`, from LICENSE; empty where there is none."""
    file = root / "LICENSE"
    found = re.search(r"Copyright \(c\) (.+)", file.read_text(encoding="utf-8")) if file.is_file() else None
    return found[1] if found else ""


def copies(book: Book, number: int) -> Book:
    """The book `number` times over, each copy with places of its own: to measure how it grows."""
    blocks = list(book.blocks)
    for copy in range(1, number):

        def rename(node: Node, copy: int = copy) -> list[Node] | None:
            if node["t"] not in ("Span", "Div", "Header"):
                return None
            content = json.loads(json.dumps(node["c"]))
            identity = content[1] if node["t"] == "Header" else content[0]
            identity[0] = identity[0] and f"copy{copy}-{identity[0]}"
            identity[2] = [[k, f"copy{copy}-{v}" if k == "to" else v] for k, v in identity[2]]
            return [element(node["t"], content)]

        blocks += walk(book.blocks, rename)
    return replace(book, blocks=blocks)


_MARK = re.compile("\ue000(\\d+)\ue001")


def _without_index(table: Node) -> Node:
    """A table without its first column, where that only counts the rows from 0, as pandas does of itself."""
    if table["t"] != "Table":
        return table
    identity, caption, columns, (attributes, head), bodies, foot = table["c"]
    counted = [text_of(row[1][0][4]).strip() if row[1] else "" for body in bodies for row in body[3]]
    named = any(text_of(row[1][0][4]).strip() for row in head if row[1])
    if named or len(columns) < 2 or counted != [str(n) for n in range(len(counted))]:
        return table

    def rest(rows: list) -> list:
        return [[row[0], row[1][1:]] for row in rows]

    bodies = [[body[0], 0, rest(body[2]), rest(body[3])] for body in bodies]
    return element("Table", [identity, caption, columns[1:], [attributes, rest(head)], bodies, foot])


def _is_lead(block: Node) -> bool:
    """Whether a paragraph is `**Follow-ups**`, the heading of an answer's last part."""
    return block["t"] == "Para" and len(block["c"]) == 1 and block["c"][0]["t"] == "Strong" and (
        text_of(block["c"]) == "Follow-ups"
    )  # fmt: skip


def _with_commas(node: object) -> object:
    """A tree with a comma between two marks of notes, which else would read as one number."""
    if isinstance(node, dict):
        return {key: _with_commas(value) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    done: list = []
    for item in node:
        if _is_noteref(item) and done and _is_noteref(done[-1]):
            done.append(element("Superscript", words(",")))
        done.append(_with_commas(item))
    return done


def _is_noteref(node: object) -> bool:
    return isinstance(node, dict) and node.get("t") == "Span" and "noteref" in node["c"][0][1]


def bare(address: str) -> str:
    """An address as one reads it."""
    return re.sub(r"^https?://(www\.)?", "", address).rstrip("/")


class _Builder:
    """Carries what the parts of a book share: formulas and their places, known anchors, links to check."""

    def __init__(self, book: Book, root: Path, sources: list[Source], read: list[Chapter]) -> None:
        self.book = book
        self.root = root
        self.sources = sources
        self.names = {s.name for s in sources}
        self.formulas: list[Formula] = []
        self.anchors: set[str] = set()
        self.wanted: list[tuple[str, str, str]] = []  # anchor, file, link as written
        self.notes: dict[str, tuple[int, list[Node], list[str]]] = {}  # number, text, places that cite it
        self.citing = self._citing(read)
        self.source = sources[0]

    def _citing(self, read: list[Chapter]) -> dict[tuple[str, str], dict[str, str]]:
        """By notebook and label the questions that cite the cell: anchor and title."""
        found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for chapter in read:
            if chapter.name in self.names:
                for title, place, claim in pages.claims_by_question(chapter):
                    found[claim.notebook, claim.label][anchor(chapter.name, place.lstrip("#"))] = title
        return found

    # -- formulas: found by the site's own rules, before pandoc sees the text

    def without_formulas(self, source: Source) -> str:
        """A source with a mark for each formula, and with typographic quotation marks."""
        bare = chapters.without_code(source.text)

        def mark(_: int, formula: Formula) -> str:
            self.formulas.append(formula)
            self.book.formulas.setdefault(formula, len(self.book.formulas))
            return f"\ue000{len(self.formulas) - 1}\ue001"

        text = curled(source.text, chapters.without_math(bare))
        return mathematics._replace(text, mathematics._spans(bare), mark)

    def _formula(self, number: int) -> Node:
        tex, display = formula = self.formulas[number]
        self.book.counts["formulas"] += 1
        kind = "formula display" if display else "formula inline"
        return span(kind, [], number=str(self.book.formulas[formula]), tex=tex)

    # -- what stands in chapters and notebooks alike

    def _inline(self, node: Node) -> list[Node] | None:
        match node["t"]:
            case "Str" if "\ue000" in node["c"]:
                parts = _MARK.split(node["c"])
                made = [self._formula(int(p)) if i % 2 else element("Str", p) for i, p in enumerate(parts)]
                return [n for n in made if n["t"] != "Str" or n["c"]]
            case "Link":
                return self._link(node)
            case "Note":
                return [self._note(node)]
            case "RawInline" if match := re.match(r"<!-- anchor (\S+) -->", node["c"][1]):
                place = anchor(self.source.name, match[1])
                self.anchors.add(place)
                return [element("Span", [[place, [], []], []])]
            case "RawInline":
                return [element("LineBreak")] if node["c"][1].startswith("<br") else []
        return None

    def _link(self, node: Node) -> list[Node]:
        _, inlines, (target, _) = node["c"]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            self.book.counts["outside links"] += 1
            return [element("Span", [["", ["outside"], [("address", target)]], inlines])]
        path, _, label = target.partition("#")
        label = label if path else label.rsplit("__", 1)[-1]  # pandoc puts the file's name before it
        here = self.source.file if self.source.name.endswith(".ipynb") else f"docs/{self.source.name}"
        # Generated pages' links are true from docs/; a page's own from its folder.
        file = posixpath.normpath(posixpath.join(posixpath.dirname(here), path)) if path else here
        name = file.removeprefix("docs/")
        if name in LEFT_OUT:
            return inlines
        label = label.split(".")[0] if name.endswith(".ipynb") else label
        self.wanted.append((anchor(name, label), self.source.file, target))
        if name.endswith(".ipynb") and label and not self.source.name.endswith(".ipynb"):
            self.book.counts["claims"] += 1
            return [span("claim", inlines, to=anchor(name, label))]
        return [span("inside", inlines, to=anchor(name, label))]

    def _note(self, node: Node) -> Node:
        key, page = json.dumps(node["c"]), anchor(self.source.name)
        number, _, places = self.notes.setdefault(key, (len(self.notes) + 1, node["c"], []))
        places.append(f"{page}--ref-{number}" + (f"-{len(places) + 1}" if places else ""))
        reference = span("noteref", words(str(number)), to=f"{page}--note-{number}", number=str(number))
        reference["c"][0][0] = places[-1]
        return reference

    def _block(self, node: Node) -> list[Node] | None:
        match node["t"]:
            case "Para" if len(node["c"]) == 1 and node["c"][0]["t"] == "Image":
                return [self._figure(node["c"][0])]
            case "Div" if {"warning", "tip", "note", "important", "caution"} & set(node["c"][0][1]):
                return [self._box(node)]
            case "Table":
                self.book.counts["tables"] += 1
                for column in node["c"][2]:
                    column[1] = element("ColWidthDefault")  # as wide as what stands in it
            case "RawBlock":
                return []
        return None

    def _figure(self, image: Node) -> Node:
        _, caption, (target, _) = image["c"]
        match = evidence.TARGET.match(target)
        if not match or not match["label"]:
            what = f"the picture {target!r} is no notebook's figure"
            raise HandbookError([Problem(self.source.file, 1, what, "Embed a labeled cell of a notebook")])
        cell = notebooks.read(self.root / match["file"], self.root).labels[match["label"]]
        place = anchor(match["file"], match["label"])
        self.wanted.append((place, self.source.file, target))
        self.book.counts["figures"] += 1
        return div(
            "evidence", [self._shown(cell, match["file"], text_of(caption)), element("Plain", caption)], to=place
        )

    def _shown(self, cell: Cell, file: str, alternative: str) -> Node:
        """A cell's figure or table."""
        svg = cell.rich("image/svg+xml")
        if svg is None:
            (table,) = _tables([figures.table(cell.rich("text/html") or "")])
            return div("computed", [_without_index(block) for block in table])
        name = anchor(file, cell.label or f"cell-{cell.index}")
        self.book.figures[name] = svg
        return div("drawing", [], name=name, alternative=" ".join(alternative.split()))

    def _box(self, node: Node) -> Node:
        """`**Often said, but wrong:** …` gives a box its title, as on the site."""
        (_, classes, _), blocks = node["c"]
        title, body = blocks[0]["c"][1][0]["c"], blocks[1:]
        kind = next(c for c in classes if c in ("warning", "tip", "note", "important", "caution"))
        if body and body[0]["t"] == "Para" and body[0]["c"][0]["t"] == "Strong":
            lead, *rest = body[0]["c"]
            if text_of([lead]).endswith(":"):
                title = words(text_of([lead]).removesuffix(":"))
                rest = rest[1:] if rest and rest[0]["t"] in ("Space", "SoftBreak") else rest
                if rest and rest[0]["t"] == "Str":
                    rest = [element("Str", rest[0]["c"][:1].upper() + rest[0]["c"][1:]), *rest[1:]]
                body = [element("Para", rest), *body[1:]]
        self.book.counts["boxes"] += 1
        return div(f"box {kind}", [div("title", [element("Plain", title)]), *body])

    # -- pages

    def heading(self, level: int, inlines: list[Node], place: str, **attributes: str) -> None:
        self.anchors.add(place)
        if level <= 3:
            self.book.outline.append(Heading(level, " ".join(text_of(inlines).split()), place))
        self.book.blocks.append(element("Header", [level, [place, [], list(attributes.items())], inlines]))

    def paragraph(self, text: str) -> None:
        self.book.blocks.append(element("Para", words(text)))

    def page(self, source: Source, tree: list[Node]) -> None:
        """A chapter, a part's front page or another page of docs/."""
        self.source, self.notes = source, {}
        chapter = next((c for c in [self._chapter(source)] if c), None)
        questions = {q.id: q for q in chapter.questions} if chapter else {}
        answer_is_next = False
        for block in walk(_with_commas(walk(tree, self._inline)), self._block):
            if _is_lead(block):
                self.book.blocks.append(element("Header", [4, ["", ["unlisted"], []], block["c"][0]["c"]]))
                continue
            if block["t"] != "Header":
                if answer_is_next and block["t"] == "Para":
                    block = div("answer", [block])
                answer_is_next = False
                if block["t"] == "Div" and "evidence" in block["c"][0][1] and "drawing" in block["c"][1][0]["c"][0][1]:
                    block["c"][0][1].append("floats")  # it stands in no list or box
                self.book.blocks.append(block)
                continue
            level, (identifier, _, _), inlines = block["c"]
            identifier = identifier.rsplit("__", 1)[-1]
            place = anchor(source.name, identifier) if level > 1 else anchor(source.name)
            level += source.level - 1
            if level > 2 and not identifier:  # within a question: nothing leads there
                self.book.blocks.append(element("Header", [level, ["", [], []], inlines]))
                continue
            self.heading(level, inlines, place)
            if identifier in questions:
                self.book.counts["questions"] += 1
                answer_is_next = True
                self.book.blocks.append(self._meta(questions[identifier]))
        self._endnotes()

    def _chapter(self, source: Source) -> Chapter | None:
        area = source.name.partition("/")[0]
        if area not in chapters.AREAS or source.name.endswith("/index.md"):
            return None
        return chapters.parse((self.root / source.file).read_text(encoding="utf-8"), source.file)

    def _meta(self, question: chapters.Question) -> Node:
        """The line below a question: level, sources, date of review."""
        line = [span(f"level {question.level}", words(question.level))]
        if question.asked:
            line += words("· asked in")
            line.insert(1, element("Space"))
            for identifier in question.asked:
                self.wanted.append((anchor("sources.md", identifier), self.source.file, identifier))
                line += [element("Space"), span("source", words(identifier), to=anchor("sources.md", identifier))]
        line += [element("Space"), *words(f"· reviewed {question.reviewed}")]
        return div("meta", [element("Plain", line)])

    def _endnotes(self) -> None:
        """A chapter's notes, each once, behind it."""
        if not self.notes:
            return
        level = self.source.level + 1
        self.book.blocks.append(element("Header", [level, ["", ["unlisted"], []], words("Notes and sources")]))
        items = []
        for number, blocks, places in self.notes.values():
            self.book.counts["footnotes"] += 1
            name = f"{anchor(self.source.name)}--note-{number}"
            self.anchors.add(name)
            back = [span("back", words(str(number) if n == 0 else "↩"), to=place) for n, place in enumerate(places)]
            items.append(div("note", [element("Plain", back), *blocks], name, number=str(number)))
        self.book.blocks.append(div("notes", items))

    def notebook(self, source: Source, tree: list[Node]) -> None:
        """A notebook of the appendix, with links back to what cites its cells."""
        self.source, self.notes = source, {}
        notebook = notebooks.read(self.root / source.name, self.root)
        cells = {cell.index: cell for cell in notebook.cells}
        first = True
        blocks = [
            b if b["t"] == "RawBlock" else walk([b], self._block) for b in walk(tree, self._inline)
        ]  # cells' markers are raw blocks
        flat = [x for b in blocks for x in (b if isinstance(b, list) else [b])]
        for block in flat:
            if block["t"] == "RawBlock":
                marker = re.match(r"<!-- cell (\d+) -->", block["c"][1])
                if marker:
                    self._cell(cells[int(marker[1])])
            elif block["t"] == "Header" and first:
                first = False
                self.heading(2, block["c"][2], anchor(source.name))
                shown = span("outside", words(bare(self._address())), address=self._address())
                self.book.blocks.append(div("meta", [element("Plain", [shown])]))
            elif block["t"] == "Header":
                level = max(3, block["c"][0] + 1)
                self.book.blocks.append(element("Header", [level, ["", ["unlisted"], []], block["c"][2]]))
            else:
                self.book.blocks.append(block)

    def _address(self) -> str:
        """Where the notebook that is read stands in the repository."""
        return f"{self.book.repository}/blob/main/{self.source.name}"

    def _cell(self, cell: Cell) -> None:
        file = self.source.name
        code = "\n".join(line for line in cell.source.strip("\n").splitlines() if not line.startswith("#|"))
        lines = code.strip("\n").split("\n")
        inside: list[Node] = []
        place = anchor(file, cell.label) if cell.label else ""
        if len(lines) > LONG_CODE:
            left = len(lines) - SHOWN_CODE
            inside.append(element("CodeBlock", [["", [], []], "\n".join(lines[:SHOWN_CODE])]))
            whole = span("outside", words("the notebook’s file"), address=self._address(), shown="no")
            inside.append(div("cut", [element("Plain", [*words(f"… {left} more lines in"), element("Space"), whole])]))
        else:
            inside.append(element("CodeBlock", [["", [], []], "\n".join(lines)]))
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/svg+xml" in data:
                self.book.counts["notebook figures"] += 1
                inside.append(self._shown(cell, file, f"Figure {cell.label or ''} of the notebook {file}"))
            elif "text/html" in data:
                inside.append(self._shown(cell, file, ""))
            else:
                text = output.get("text") or data.get("text/plain", "")
                if isinstance(cell.value, dict) and "text/plain" in data:
                    # As Jupyter shows it, an entry of an entry takes a line; here each entry that fits takes one.
                    text = pprint.pformat(cell.value, width=80, sort_dicts=False)
                inside.append(div("output", [element("CodeBlock", [["", [], []], text.rstrip("\n")])]))
        if place:
            self.anchors.add(place)
            back: list[Node] = []
            for target, title in self.citing.get((file, cell.label), {}).items():
                back += [element("Str", ";"), element("Space")] if back else [*words("Cited by:"), element("Space")]
                self.wanted.append((target, file, target))
                back.append(span("inside", words(chapters.plain(title)), to=target))
            if back:
                inside.append(div("cited", [element("Plain", back)]))
        self.book.blocks.append(div("cell", inside, place, label=cell.label or ""))

    def check(self) -> None:
        """Raises HandbookError with every link that leads nowhere in the book."""
        wrong = {
            Problem(file, 1, f"in the book the link {target!r} leads nowhere ({place})", "Correct the link")
            for place, file, target in self.wanted
            if place not in self.anchors
        }
        if wrong:
            raise HandbookError(wrong)
