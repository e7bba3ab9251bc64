"""Claims: numbers, figures and tables that a notebook proves; and the Markdown extension that shows them.

A claim is `[text](…/notebooks/a/b.ipynb#label)`, with `#label.key` for one entry of a mapping;
`![caption](…ipynb#label)` embeds the cell's figure or table. Everything here is the same code under
`mkdocs build`, `make check` and the tests.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as etree
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from . import chapters, notebooks
from .agreement import Disagreement, agree
from .figures import figure
from .notebooks import Value
from .problems import HandbookError, Problem

# ---- claims ----------------------------------------------------------------------------------

TARGET = re.compile(r"(?P<up>(?:\.\./)+)(?P<file>notebooks/[^#]+\.ipynb)(?:#(?P<label>[^.#]*)(?P<keys>(?:\.[^.]+)*))?$")


SHORT = 16  # characters that a line can hold together on a phone


@dataclass(frozen=True)
class Claim:
    """A link to a labeled cell, or an embedded figure or table."""

    text: str
    notebook: str  # file, relative to the root
    label: str
    keys: tuple[str, ...]
    embedded: bool
    line: int

    @property
    def name(self) -> str:
        """`label.key`, as the link writes it."""
        return ".".join((self.label, *self.keys))


@lru_cache(maxsize=1024)
def claims(text: str) -> tuple[Claim, ...]:
    """The claims of a Markdown text, in order; links to a whole notebook are none."""
    found = []
    for link in chapters.links(text):
        match = TARGET.match(link.target)
        if match and match["label"] is not None:
            keys = tuple(k for k in match["keys"].split(".") if k)
            found.append(Claim(link.text, match["file"], match["label"], keys, link.image, link.line))
    return tuple(found)


def resolve(claim: Claim, root: Path) -> tuple[notebooks.Cell, Value | None]:
    """The cell that a claim names, and the value under its keys; raises Disagreement where there is none."""
    path = root / claim.notebook
    if not path.is_file():
        raise Disagreement(f"there is no notebook {claim.notebook}")
    notebook = notebooks.read(path, root)
    cell = notebook.labels.get(claim.label)
    if cell is None:
        raise Disagreement(
            f"{claim.notebook} has no cell labeled {claim.label!r}; it has {', '.join(notebook.labels) or 'none'}"
        )
    value = cell.value
    for key in claim.keys:
        if not isinstance(value, dict) or key not in value:
            known = ", ".join(value) if isinstance(value, dict) else "no keys"
            raise Disagreement(f"the cell {claim.label!r} has no entry {key!r}; it has {known}")
        value = value[key]
    return cell, value


def verify(claim: Claim, root: Path) -> None:
    """Raise Disagreement unless the notebook proves the claim."""
    cell, value = resolve(claim, root)
    if claim.embedded:
        if cell.rich("image/svg+xml", "text/html") is None:
            raise Disagreement(f"the cell {claim.label!r} shows neither an SVG figure nor a table")
        if not claim.text.strip():
            raise Disagreement("the figure has no caption")
        return
    if value is None:
        raise Disagreement(f"the cell {claim.label!r} ends in no value")
    if cell.varies and isinstance(value, int | float) and not re.match(r"[$\s]*(?:≈|\\approx)", claim.text):
        raise Disagreement("the cell varies by run")
    agree(claim.text, value)


def check(text: str, file: str, root: Path) -> list[Problem]:
    """Every claim of a Markdown file that its notebook does not prove."""
    problems = []
    for claim in claims(text):
        try:
            verify(claim, root)
        except Disagreement as reason:
            where = f"{claim.notebook}#{claim.name}"
            remedy = (
                "Write ≈ before the number"
                if "varies by run" in str(reason)
                else f"Correct the text or the notebook ({where})"
            )
            problems.append(Problem(file, claim.line, f"{claim.text!r} is not proven: {reason}", remedy))
        except notebooks.BrokenNotebook as broken:
            problems.append(
                Problem(
                    file, claim.line, f"{claim.text!r} is not proven: {broken.problem.what}", f"Mend {claim.notebook}"
                )
            )
    return problems


# ---- the Markdown extension ------------------------------------------------------------------


class EvidenceExtension(Extension):
    """Checks claims, marks them, points them at the notebooks' pages and embeds figures and tables.

    Config: `root`, the project's folder (default: the working directory).
    """

    def __init__(self, **settings: object) -> None:
        self.config = {"root": [".", "the project's folder"]}
        super().__init__(**settings)

    def extendMarkdown(self, md: Markdown) -> None:
        root = Path(str(self.getConfig("root"))).resolve()
        md.preprocessors.register(_Check(md, root), "evidence-check", 100)
        # Before MkDocs' own resolver of links (priority 0), which must see the paths below docs/.
        md.treeprocessors.register(_Render(md, root), "evidence", 5)


class _Check(Preprocessor):
    """Fails on the first text that its notebook does not prove; MkDocs' hook reports all of them before."""

    def __init__(self, md: Markdown, root: Path) -> None:
        super().__init__(md)
        self.root = root

    def run(self, lines: list[str]) -> list[str]:
        problems = check("\n".join(lines), "(this page, front matter not counted)", self.root)
        if problems:
            raise HandbookError(problems)
        return lines


class _Render(Treeprocessor):
    def __init__(self, md: Markdown, root: Path) -> None:
        super().__init__(md)
        self.root = root

    def run(self, tree: etree.Element) -> None:
        self.figures = 0
        for element in list(tree.iter()):
            if (
                element.tag == "p"
                and len(element) == 1
                and element[0].tag == "img"
                and not (element.text or "").strip()
            ):
                self._embed(element, element[0])
            elif element.tag == "a":
                self._mark(element)
            elif element.tag == "th" and len(element) == 0 and not (element.text or "").strip():
                element.tag = "td"  # a header that says nothing is none
            elif element.tag == "div" and element.get("class", "").startswith("admonition"):
                _title_from_lead(element)

    def _target(self, url: str) -> tuple[re.Match[str], str] | None:
        match = TARGET.match(url)
        # The chapter's path is true on GitHub, where notebooks/ stands beside docs/; on the site
        # notebooks/ is a folder of the site's root, one level nearer.
        return (match, match["up"].removeprefix("../") + match["file"]) if match else None

    def _mark(self, link: etree.Element) -> None:
        found = self._target(link.get("href", ""))
        if found is None:
            return
        match, url = found
        if match["label"] is None:
            link.set("href", url)
            return
        # To the number itself; what tells of it on hover is made of this address (reading.js).
        link.set("href", f"{url}#{match['label']}{match['keys']}")
        link.set("class", "claim")
        if link.text and len(link.text) <= SHORT:
            link.text = link.text.replace(" ", "\u00a0")  # a number stays with its unit

    def _embed(self, paragraph: etree.Element, image: etree.Element) -> None:
        found = self._target(image.get("src", ""))
        if found is None or found[0]["label"] is None:
            return
        match, url = found
        self.figures += 1  # names its ids: cells of two notebooks may have one label
        cell = notebooks.read(self.root / match["file"], self.root).labels[match["label"]]
        shown = etree.Element("div", {"class": "evidence-output"})
        shown.text = self.md.htmlStash.store(figure(cell, image.get("alt", ""), f"f{self.figures}"))
        caption = etree.Element("figcaption")
        caption.text = image.get("alt", "") + " "
        link = etree.SubElement(caption, "a", {"class": "claim-source", "href": f"{url}#{match['label']}"})
        link.text = "Computed here"
        paragraph.tag = "figure"
        paragraph.set("class", "evidence")
        paragraph[:] = [shown, caption]


def _title_from_lead(box: etree.Element) -> None:
    """`**Often said, but wrong:** …` inside a box becomes the box's title, in place of "Warning"."""
    if len(box) < 2 or len(box[1]) == 0 or box[1][0].tag != "strong" or (box[1].text or "").strip():
        return
    lead = box[1][0]
    if (lead.text or "").endswith(":"):
        box[0].text = lead.text.removesuffix(":")
        rest = (lead.tail or "").lstrip()
        box[1].text = rest[:1].upper() + rest[1:]  # it now stands below a title
        box[1].remove(lead)


def makeExtension(**settings: object) -> EvidenceExtension:  # noqa: N802  (Python-Markdown's name)
    """Python-Markdown's entry point."""
    return EvidenceExtension(**settings)
