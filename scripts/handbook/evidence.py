"""Numbers and their proofs: the rule of agreement, claims, unsupported numbers, the Markdown extension.

A claim is `[text](…/notebooks/a/b.ipynb#label)`, with `#label.key` for one entry of a mapping;
`![caption](…ipynb#label)` embeds the cell's figure or table. Everything here is the same code under
`mkdocs build`, `make check` and the tests.
"""

from __future__ import annotations

import html
import math
import re
import xml.etree.ElementTree as etree
from dataclasses import dataclass
from pathlib import Path

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from . import chapters, notebooks
from .notebooks import Value
from .problems import HandbookError, Problem

APPROXIMATE = 0.25  # what ≈ allows, relative to the value

# ---- the rule --------------------------------------------------------------------------------

_MANTISSA = r"(?P<sign>[+\-−]?)(?P<digits>\d{1,3}(?:[, \u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)(?P<decimals>\.\d+)?"
_EXPONENT = r"(?:[eE](?P<e>[+\-−]?\d+)|\s*[×x*]\s*10(?:\^\{?(?P<caret>[+\-−]?\d+)\}?|(?P<super>[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)))?"
_NUMBER = re.compile(_MANTISSA + _EXPONENT + r"(?P<percent>\s*%)?")
_SUPERSCRIPT = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_WORDS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())}
_TEX = [
    (re.compile(r"\\(?:text|mathrm|operatorname|textbf|mathbf)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])"), "×"),
    (re.compile(r"\\approx(?![a-zA-Z])"), "≈"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\[,;: ]|~"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"[$`*]"), ""),
]


class Disagreement(Exception):
    """The text does not say what the notebook says; the message gives the reason."""


def agree(text: str, value: Value) -> None:
    """Raise Disagreement unless `text`, as a chapter writes it, says `value`, as a notebook computed it.

    The rule, whole:

    1. *Stripped* from the text: math dollars, code ticks, emphasis, TeX's `\\text{}`, `\\,` and the
       like (`\\times` is `×`, `\\approx` is `≈`, `\\%` is `%`).
    2. A **string** agrees with the same string, spaces folded. A **boolean** agrees with yes, no, true
       or false, in any case.
    3. A **number** agrees with a text that holds exactly one number: an optional sign, digits with or
       without thousands separators (comma, space, thin or non-breaking space), decimals, and an
       exponent as `e5`, `×10^5`, `×10^{5}` or `×10⁵`. A text without digits may hold one of the words
       zero to twelve. What stands around the number (a unit, a trailing `×`) is not read, but may
       hold no other digit than a superscript. Units are not converted: the cell gives the value in
       the unit that the chapter prints.
    4. **Percent**: with `%` behind it the number is a fraction: `37 %` agrees with 0.37.
    5. **Precision**: the printed number and the value may differ by half a unit of the last place
       that is printed, the exponent and the percent included: `1.9` agrees with 1.85 to 1.95, `1.90`
       with 1.895 to 1.905, `2.1×10^5` with 205,000 to 215,000, `131,072` with that number alone.
    6. **`≈`** in front: within 25 % of the value instead, whatever the digits.
    7. The sign counts. A value that is not finite agrees with nothing.
    8. A **mapping** agrees with nothing: the claim names one of its keys.
    """
    said = text
    for pattern, replacement in _TEX:
        said = pattern.sub(replacement, said)
    said = " ".join(said.replace("\u00a0", " ").split()) if not re.search(r"\d", said) else said.strip()
    if isinstance(value, dict):
        raise Disagreement(f"the cell holds a mapping; name one of its keys: {', '.join(value)}")
    if isinstance(value, bool):
        if said.lower() not in (("yes", "true") if value else ("no", "false")):
            raise Disagreement(f"the notebook says {'yes' if value else 'no'}")
        return
    if isinstance(value, str):
        if " ".join(said.split()) != " ".join(value.split()):
            raise Disagreement(f"the notebook says {value!r}")
        return
    _agree_number(said, value)


def _agree_number(said: str, value: int | float) -> None:
    shown, unit = _read_number(said)
    if not math.isfinite(value):
        raise Disagreement(f"the notebook's value is {value}")
    if said.startswith("≈"):
        if abs(shown - value) > APPROXIMATE * abs(value):
            raise Disagreement(f"the notebook says {value:g}, which is not within {APPROXIMATE:.0%}")
    # The slack is for binary fractions: 1.85 is a hair below 1.85.
    elif abs(shown - value) > unit / 2 + 1e-9 * max(abs(value), unit):
        raise Disagreement(f"the notebook says {value!r}")


def _read_number(said: str) -> tuple[float, float]:
    """The one number of a cleaned text, and the unit of its last printed place."""
    matches = list(_NUMBER.finditer(said))
    if not matches:
        words = [_WORDS[w] for w in re.findall(r"[a-z]+", said.lower()) if w in _WORDS]
        if len(words) != 1:
            raise Disagreement(f"{said!r} holds no number to compare")
        return float(words[0]), 1.0
    match = matches[0]
    if len(matches) > 1 or re.search(r"\d", said[: match.start()] + said[match.end() :].translate(_NO_SUPERSCRIPT)):
        raise Disagreement(f"{said!r} holds more than one number; make each a claim of its own")
    sign = -1 if match["sign"] in ("-", "−") and match["sign"] else 1
    if match["sign"] and match.start() and said[match.start() - 1].isalnum():
        sign = 1  # a hyphen inside a word, not a minus
    decimals = match["decimals"] or ""
    exponent = match["e"] or match["caret"] or (match["super"] or "0").translate(_SUPERSCRIPT)
    power = int(exponent.replace("−", "-"))
    if match["percent"]:
        power -= 2
    digits = re.sub(r"\D", "", match["digits"])
    return sign * float(f"{digits}{decimals}e{power}"), 10.0 ** (power - max(len(decimals) - 1, 0))


_NO_SUPERSCRIPT = str.maketrans("", "", "⁰¹²³⁴⁵⁶⁷⁸⁹")

# ---- claims ----------------------------------------------------------------------------------

_TARGET = re.compile(r"(?P<up>(?:\.\./)+)(?P<file>notebooks/[^#]+\.ipynb)(?:#(?P<label>[^.#]*)(?P<keys>(?:\.[^.]+)*))?$")


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


def claims(text: str) -> list[Claim]:
    """The claims of a Markdown text, in order; links to a whole notebook are none."""
    found = []
    for link in chapters.links(text):
        match = _TARGET.match(link.target)
        if match and match["label"] is not None:
            keys = tuple(k for k in match["keys"].split(".") if k)
            found.append(Claim(link.text, match["file"], match["label"], keys, link.image, link.line))
    return found


def resolve(claim: Claim, root: Path) -> tuple[notebooks.Cell, Value | None]:
    """The cell that a claim names, and the value under its keys; raises Disagreement where there is none."""
    path = root / claim.notebook
    if not path.is_file():
        raise Disagreement(f"there is no notebook {claim.notebook}")
    notebook = notebooks.read(path, root)
    cell = notebook.labels.get(claim.label)
    if cell is None:
        raise Disagreement(f"{claim.notebook} has no cell labeled {claim.label!r}; it has {', '.join(notebook.labels) or 'none'}")
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
            remedy = "Write ≈ before the number" if "varies by run" in str(reason) else f"Correct the text or the notebook ({where})"
            problems.append(Problem(file, claim.line, f"{claim.text!r} is not proven: {reason}", remedy))
        except notebooks.BrokenNotebook as broken:
            problems.append(Problem(file, claim.line, f"{claim.text!r} is not proven: {broken.problem.what}", f"Mend {claim.notebook}"))
    return problems


# ---- unsupported numbers ---------------------------------------------------------------------

# A number behind one of these words is part of a name, a version or a reference, not a quantity.
NAMES = (
    "Algorithm Appendix Chapter Definition Equation Eq Figure Fig Lemma Level Listing Page Part Proposition Section Sections Step Table "
    "Tables Theorem Version version capability opset IEEE ISO RFC "
    "CUDA CUTLASS CuTe DeepSpeed Debian GCC JAX Keras LightGBM Linux NCCL NumPy ONNX PTX PyTorch Python SciPy TensorFlow TensorRT "
    "Triton TVM XGBoost CatBoost cuBLAS cuDNN numba nvcc torch torchao torchvision transformers vLLM "
    "InfiniBand NVLink NVSwitch PCIe RTX GTX GeForce Tesla Quadro Llama GPT Phi Qwen Gemma Mistral Mixtral DeepSeek"
).split()
_FREE = [
    re.compile(r"\b(?:" + "|".join(NAMES) + r")\.?\s+v?\d+(?:\.\d+)*(?:[\s–-]+(?:and|to)?\s*\d+(?:\.\d+)*)?\b"),
    re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b"),  # dates
    re.compile(r"(?<![\d.,])(?:19[5-9]\d|20[0-3]\d)s?(?!\d|,\d|\.\d|\s?[%×])"),  # years
    re.compile(r"\b(?:8|16|32|64|128)-bit\b"),  # names of types
    re.compile(r"[A-Za-z_][\w+]*(?:[-‑.]\w+)*\d[\w.]*"),  # A100, FP8, sm_90, ResNet-50
]
_BARE_NUMBER = re.compile(r"(?<![\w.^])(?:\d{1,3}(?:[,\u2009\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?(?:\s*%|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|\^[\d{}-]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?:[\"”)*_]*)(?:\[\^[^\]]+\])*\s+(?=[\"“*(\[]*[A-Z0-9\[])")
_FOOTNOTE = re.compile(r"\[\^[^\]]+\](?!:)")
_DEFINITION = re.compile(r"^\[\^[^\]]+\]:.*(?:\n[ \t]+\S.*)*", re.M)


def unsupported(chapter: chapters.Chapter) -> list[Problem]:
    """Numbers of prose and tables that nothing proves: no claim, no formula or code, no footnote beside them.

    Not counted: whole numbers up to 12, years, dates, names and versions (NAMES), headings, which
    state what is given, and the front matter. A footnote covers its sentence or its table row.
    """
    text = _blank_span(chapter.text, 0, chapter.body_start)
    text = chapters.without_math(chapters.without_code(text))
    text = chapters.blank(text, re.compile(r"^#{1,6} .*$", re.M), _DEFINITION, re.compile(r"\{\s*#[^}]*\}"))
    for link in chapters.links(text):
        start, end = link.span
        match = _TARGET.match(link.target)
        inner = start + (2 if link.image else 1)
        stop = inner if link.image or (match and match["label"]) else inner + len(link.text)
        text = _blank_span(_blank_span(text, start, inner), stop, end)
    problems = []
    for offset, unit in _units(text):
        if _FOOTNOTE.search(unit):
            continue
        bare = chapters.blank(unit, *_FREE)
        for match in _BARE_NUMBER.finditer(bare):
            number = match[0].strip()
            if re.fullmatch(r"[0-9]+", number) and int(number) <= 12:
                continue
            problems.append(
                Problem(
                    chapter.file,
                    chapters.line_of(text, offset + match.start()),
                    f"the number {number} is unsupported",
                    "Link it to a notebook cell, cite its source in the same sentence, or leave it out",
                )
            )
    return problems


def _blank_span(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def _units(text: str) -> list[tuple[int, str]]:
    """What one footnote covers: a sentence of a paragraph or list item, or a table row; with offsets."""
    units = []
    block_start = None
    pieces: list[tuple[int, int]] = []
    position = 0
    for line in [*text.splitlines(keepends=True), "\n"]:
        stripped = re.sub(r"^[\s>]*", "", line)
        is_row = stripped.startswith("|")
        begins_item = re.match(r"(?:[-*+]|\d+[.)])\s", stripped)
        if (not stripped or is_row or begins_item) and block_start is not None:
            pieces.append((block_start, position))
            block_start = None
        if is_row:
            pieces.append((position, position + len(line)))
        elif stripped and block_start is None:
            # An ordered list's own number is no quantity: the piece begins behind it.
            marker = re.match(r"[\s>]*(?:\d+[.)]\s)?", line)
            block_start = position + (marker.end() if marker else 0)
        position += len(line)
    for start, end in pieces:
        block = text[start:end]
        at = 0
        if not block.lstrip(" >").startswith("|"):
            for stop in _SENTENCE_END.finditer(block):
                units.append((start + at, block[at : stop.end()]))
                at = stop.end()
        units.append((start + at, block[at:]))
    return units


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
        for element in list(tree.iter()):
            if element.tag == "p" and len(element) == 1 and element[0].tag == "img" and not (element.text or "").strip():
                self._embed(element, element[0])
            elif element.tag == "a":
                self._mark(element)
            elif element.tag == "div" and element.get("class", "").startswith("admonition"):
                _title_from_lead(element)

    def _target(self, url: str) -> tuple[re.Match[str], str] | None:
        match = _TARGET.match(url)
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
        title = notebooks.read(self.root / match["file"], self.root).title
        link.set("href", f"{url}#{match['label']}")
        link.set("class", "claim")
        link.set("title", f"Proven by the notebook “{title}”")

    def _embed(self, paragraph: etree.Element, image: etree.Element) -> None:
        found = self._target(image.get("src", ""))
        if found is None or found[0]["label"] is None:
            return
        match, url = found
        cell = notebooks.read(self.root / match["file"], self.root).labels[match["label"]]
        shown = etree.Element("div", {"class": "evidence-output"})
        shown.text = self.md.htmlStash.store(figure(cell, image.get("alt", ""), match["label"]))
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
        box[1].text = (lead.tail or "").lstrip()
        box[1].remove(lead)


def figure(cell: notebooks.Cell, caption: str, name: str) -> str:
    """A cell's figure as inline SVG, in the page's text color, or its table; as HTML."""
    svg = cell.rich("image/svg+xml")
    if svg is None:
        return table(cell.rich("text/html") or "")
    return inline_svg(svg, caption, name)


INK = "#737373"  # notebooks/handbook.mplstyle draws text and axes in it


def inline_svg(svg: str, caption: str, name: str) -> str:
    """An SVG made fit for a page: text color, a name for screen readers, ids that do not collide.

    Matplotlib's style attributes become presentation attributes, and its style sheet, which would
    apply to the whole page, attributes of the root: no inline style is left for a strict
    Content-Security-Policy to refuse.
    """
    prefix = re.sub(r"[^a-z0-9]+", "-", name.lower())
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    svg = svg.replace(INK, "currentColor")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", svg)
    svg = re.sub(r'style="([^"]*)"', lambda m: _attributes(m[1]), svg)
    label = html.escape(caption, quote=True)
    root = f'<svg role="img" aria-label="{label}" stroke-linejoin="round" stroke-linecap="butt" '
    return re.sub(r"<svg ", root, svg, count=1).strip()


def _attributes(style: str) -> str:
    """CSS declarations as presentation attributes; of the shorthand `font`, which is none, the size."""
    found = dict(part.strip().split(":", 1) for part in style.split(";") if ":" in part)
    if font := found.pop("font", None):
        found["font-size"] = next(iter(re.findall(r"[\d.]+px", font)), "10px")
    found.pop("font-family", None)  # the page's own
    return " ".join(f'{key.strip()}="{value.strip()}"' for key, value in found.items())


def table(markup: str) -> str:
    """A DataFrame's HTML without what pandas adds for a notebook's own look."""
    markup = re.sub(r"<style.*?</style>|<p>\d+ rows × \d+ columns</p>|</?div>", "", markup, flags=re.S)
    return re.sub(r'<table border="1" class="dataframe">', '<table class="dataframe">', markup).strip()


def makeExtension(**settings: object) -> EvidenceExtension:  # noqa: N802  (Python-Markdown's name)
    """Python-Markdown's entry point."""
    return EvidenceExtension(**settings)
