"""What the finished site needs to be safe and to be read without a network: its policy, its list of files, its worker.

Everything here reads the built files and knows nothing of MkDocs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

# The page may load its own files and nothing else. Two things inline are allowed: style attributes, by which
# MathJax places glyphs, and the theme's few inline scripts, each by its hash. Fonts stand in style sheets (data:).
# The same policy, as a header and with `frame-ancestors 'none'`, for servers that can send one:
# docs/decisions/0005-search-and-offline.md.
POLICY = (
    "default-src 'none'; script-src 'self' {hashes}; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'self'"
)
MARK = "@POLICY@"  # what docs/.overrides/main.html writes where the policy goes
EDITION = "@EDITION@"  # in docs/sw.js

_INLINE = re.compile(r"<script(?![^>]*\b(?:src|type)=)[^>]*>(.*?)</script>", re.S)
_LEFT_OUT = (".map", ".ipynb", ".gz", ".pdf", ".epub", ".txt", ".pptx", ".apkg", ".csv")  # not read in the browser
_CORE = ("assets/javascripts/", "assets/stylesheets/", "assets/js/", "assets/css/", "assets/fonts/")


def finish(site: Path) -> None:
    """Put the policy into each page, and the list of files and its hash beside them. Once for each build."""
    write_policy(site)
    write_edition(site)


def write_policy(site: Path) -> str:
    """Replace the mark in each page by one policy for all, and return it.

    One for all, because instant navigation keeps the policy of the page that was opened first.
    """
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    scripts = {script for text in pages.values() for script in _INLINE.findall(text)}
    digests = sorted(base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    policy = POLICY.format(hashes=" ".join(f"'sha256-{digest}'" for digest in digests))
    for path, text in pages.items():
        if MARK in text:
            path.write_text(text.replace(MARK, policy), encoding="utf-8")
    return policy


def write_edition(site: Path) -> str:
    """Write edition.json, put its hash into sw.js, and return the hash.

    edition.json holds `files`, by path [hash, bytes], and `core`, the files that every page uses.
    """
    files = {}
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and not name.endswith(_LEFT_OUT) and name not in ("sw.js", "edition.json", "404.html"):
            content = path.read_bytes()
            files[name] = [digest(content), len(content)]
    first = ("index.html", "offline.html", "sitemap.xml", "manifest.webmanifest", "search/directory.js")
    core = [name for name in files if name.startswith(_CORE) or name in first]
    text = json.dumps({"core": core, "files": files}, separators=(",", ":"))
    (site / "edition.json").write_text(text, encoding="utf-8")
    edition = digest(text.encode())
    worker = site / "sw.js"
    if worker.is_file():
        worker.write_text(worker.read_text(encoding="utf-8").replace(EDITION, edition), encoding="utf-8")
    return edition


def digest(content: bytes) -> str:
    """The first 16 hexadecimal digits of SHA-256: what sw.js compares."""
    return hashlib.sha256(content).hexdigest()[:16]
