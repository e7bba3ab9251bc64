"""What did not change is not rendered again: pages are kept in .cache/pages between builds, and in memory under serve.

In .cache/pages a page's entry is one file. Its first line is JSON: the key, a hash of everything that the page was made from;
the addresses of the other pages that it links to; the page's headings and the like. The HTML follows.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import markdown
from jinja2 import ChoiceLoader, DictLoader, Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink, get_toc
from mkdocs.utils import CountHandler

from . import pages

ROOT = Path(__file__).resolve().parents[2]
CACHE = ".cache/pages"  # below the project's folder

Result = dict[str, object]  # what JSON can hold; `html` is the page


def _version() -> str:
    """A hash of what every page is made with: the installed packages, by name and version, and the project's code."""
    digest = hashlib.sha256()
    for package in sorted(Path(markdown.__file__).parents[1].glob("*.dist-info")):
        digest.update(package.name.encode())
    for code in sorted((ROOT / "scripts").glob("handbook/*.py")):
        digest.update(code.read_bytes())
    for code in (ROOT / "scripts/typeset.mjs", ROOT / "vendor/mathjax/package.json"):
        digest.update(code.read_bytes())
    return digest.hexdigest()


VERSION = _version()  # once: this process keeps to the code that it has read, also where a file changes under serve


class _Watched:
    """MkDocs' files; notes each look-up of a path, and the address that was found for it."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.seen: dict[str, str | None] = {}

    def get_file_from_path(self, path: str) -> File | None:
        self.seen[path] = _address(self.files, path)
        return self.files.get_file_from_path(path)

    def __getattr__(self, name: str) -> object:
        return getattr(self.files, name)


def _address(files: Files, path: str) -> str | None:
    file = files.get_file_from_path(path)
    return file.url if file else None


def remembered(
    root: Path, file: File, files: Files, made_from: Iterable[str], make: Callable[[Files], Result]
) -> Result:
    """What `make` returned for a page, from the cache where nothing differs that it was made from.

    `made_from` are all texts that `make` depends on, the project's code and packages apart. Where the page
    leads is noted while `make` looks it up in the files that it is given. A result is not kept where making
    it logged a warning, which the next build must give again.
    """
    key = hashlib.sha256("\0".join([VERSION, file.src_uri, file.url, *made_from]).encode()).hexdigest()
    entry = root / CACHE / (re.sub(r"[^\w.-]", "+", file.src_uri) + ".page")
    if entry.is_file():
        head, _, html = entry.read_text(encoding="utf-8").partition("\n")
        known = json.loads(head)
        if known["key"] == key and all(_address(files, p) == url for p, url in known["leads to"].items()):
            return {**known["result"], "html": html}
    watched, warnings, log = _Watched(files), CountHandler(level=logging.WARNING), logging.getLogger("mkdocs")
    log.addHandler(warnings)
    try:
        result = make(watched)
    finally:
        log.removeHandler(warnings)
    if warnings.get_counts():
        return result
    rest = {name: value for name, value in result.items() if name != "html"}
    head = json.dumps({"key": key, "leads to": watched.seen, "result": rest})
    entry.parent.mkdir(parents=True, exist_ok=True)
    new = entry.with_suffix(f".{os.getpid()}")  # a build that is stopped here, or beside another, leaves no half entry
    new.write_text(f"{head}\n{result['html']}", encoding="utf-8")
    new.replace(entry)
    return result


def render_markdown(page: Page, config: MkDocsConfig, files: Files, root: Path) -> None:
    """What `Page.render` does, from the cache where the page, its notebooks and the configuration are the same."""

    def make(watched: Files) -> Result:
        Page.render(page, config, watched)
        return {
            "html": page.content,
            "toc": [_token(item) for item in page.toc],
            "title": page._title_from_render,
            "anchors": sorted(page.present_anchor_ids),
            "links": {file.src_uri: links for file, links in (page.links_to_anchors or {}).items()},
        }

    cited = sorted(set(re.findall(r"notebooks/[\w./-]+\.ipynb", page.markdown)))
    proofs = [(root / file).read_text(encoding="utf-8") for file in cited if (root / file).is_file()]
    result = remembered(root, page.file, files, [page.markdown, _settings(config), *cited, *proofs], make)
    page.content = result["html"]
    page.toc = get_toc(result["toc"])
    page._title_from_render = result["title"]
    page.present_anchor_ids = set(result["anchors"])
    page.links_to_anchors = {files.get_file_from_path(uri): links for uri, links in result["links"].items()}


def _settings(config: MkDocsConfig) -> str:
    """The part of the configuration that Markdown is rendered by."""
    chosen = [config.markdown_extensions, config.mdx_configs, config.use_directory_urls, str(config.validation)]
    return json.dumps(chosen, default=lambda function: f"{function.__module__}.{function.__qualname__}")


def _token(item: AnchorLink) -> dict[str, object]:
    return {"name": item.title, "id": item.id, "level": item.level, "children": [_token(c) for c in item.children]}


def render_notebook(
    page: Page, files: Files, root: Path, made_from: Iterable[str], make: Callable[[Files], str]
) -> None:
    """Puts into a notebook's page the HTML that `make` returns, from the cache where `made_from` is the same."""
    page.content = remembered(root, page.file, files, made_from, lambda watched: {"html": make(watched)})["html"]
    page.toc = get_toc(pages.headings(page.content))
    page.title = next((item.title for item in page.toc), page.file.name)


# ---- the theme's frame around them, under serve -----------------------------------------------

_finished: dict[str, tuple[str, str]] = {}  # by path: the key of a page and the whole page, from the last build
_keys: dict[str, str] = {}  # by path: the key that the page has in this build


def reuse_finished(env: Environment, config: MkDocsConfig, files: Files) -> None:
    """Spares each page its template where the last build of this process made it from the same."""
    env.loader = ChoiceLoader([env.loader, DictLoader({"finished.html": "{{ page.finished }}"})])
    pages_ = [file.page for file in files.documentation_pages()]
    shared = hashlib.sha256(Path(config.config_file_path).read_bytes())
    if config.theme.custom_dir:
        for file in sorted(path for path in Path(config.theme.custom_dir).rglob("*") if path.is_file()):
            shared.update(file.read_bytes())
    # The navigation follows from the configuration, and from each page's title, address and front matter.
    shared.update(_json([config.site_url, config.extra, [(page.title, page.url, page.meta) for page in pages_]]))
    for page in pages_:
        own = [page.content, page.title, page.meta, page.url, page.edit_url, [_token(item) for item in page.toc]]
        beside = [(near.title, near.url) for near in (page.previous_page, page.next_page) if near]
        key = hashlib.sha256(shared.digest() + _json([own, beside])).hexdigest()
        uri = page.file.src_uri
        _keys[uri] = key
        known, whole = _finished.get(uri, ("", ""))
        if key == known:
            page.meta["template"], page.finished = "finished.html", whole


def keep_finished(page: Page, whole: str) -> None:
    """Keeps a page that came out of its template."""
    _finished[page.file.src_uri] = (_keys[page.file.src_uri], whole)


def _json(value: object) -> bytes:
    return json.dumps(value, default=str).encode()
