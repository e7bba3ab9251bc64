"""What the handbook does at each event of MkDocs; the work is in the package `handbook`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from handbook import chapters, content, edition, mathematics, notebooks, offline, pages, questions, rendering, search
from jinja2 import Environment, FileSystemBytecodeCache
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from mkdocs.utils.templates import TemplateContext

if TYPE_CHECKING:
    from mkdocs.livereload import LiveReloadServer

log = logging.getLogger("mkdocs.handbook")

ROOT = Path(__file__).resolve().parent.parent
_book: dict[str, chapters.Chapter] = {}  # by path below docs/, read anew for each build
_citing: dict[str, list[pages.Citation]] = {}  # notebook: the questions that cite it
_captions: dict[str, dict[str, str]] = {}  # notebook: by label what chapters write below its figures
_units: dict[str, list[search.Unit]] = {}  # what search finds, by the page's path
_vocabulary = search.Vocabulary()
_generated: set[str] = set()  # pages that only list what stands elsewhere: found by their titles
_serving = False
_index: Callable[[], dict[str, str]] = dict  # makes the search index of the last build
_served: search.Served | None = None  # under serve, after its first build: who answers for the index


def on_startup(command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
    """Remember whether this is `serve`, whose pages carry a script that no policy would allow."""
    global _serving, _served
    _serving, _served = command == "serve", None


def on_pre_build(config: MkDocsConfig) -> None:
    """Stop with every problem of the content, each with file and line."""
    problems = content.check(ROOT) + mathematics.prepare(ROOT)
    if problems:
        raise PluginError(f"{len(problems)} problems in the content\n" + "\n".join(map(str, problems)))
    _book.clear()
    _book.update({c.name: c for c in chapters.in_order(chapters.read_all(ROOT), config.nav)})
    _citing.clear()
    _citing.update(pages.citing(list(_book.values())))
    _captions.clear()
    _captions.update(pages.captions(list(_book.values())))
    config.extra["handbook"] = {
        **questions.statistics(list(_book.values())),
        "proof": pages.home_proof(ROOT),
        "published": not _serving,
        "downloads": edition.downloads(ROOT),
    }
    _units.clear()
    global _vocabulary
    _vocabulary = search.read_vocabulary(ROOT, {q.id for c in _book.values() for q in c.questions})


@event_priority(100)  # before mkdocs-jupyter looks for notebooks among the files
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the notebooks, which live beside docs/, and the generated pages."""
    for uri in [
        uri for uri in files.src_uris if uri.startswith(("assets/javascripts/lunr/", "assets/javascripts/workers/"))
    ]:
        files.remove(files.src_uris[uri])  # Material's search, which this site does not use
    books = {p.relative_to(ROOT).as_posix(): notebooks.read(p, ROOT) for p in notebooks.paths(ROOT)}
    for uri in books:
        files.append(File(uri, str(ROOT), config.site_dir, config.use_directory_urls))
    generated = pages.generated(list(_book.values()), chapters.read_sources(ROOT), books)
    _generated.update(generated)
    for uri, text in generated.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """End an area's front page with its chapters; have each page rendered from the cache where it is there."""
    uri = page.file.src_uri
    if uri.endswith(".ipynb"):
        page.render = lambda config, files: _render_notebook(page, config, files)
        return markdown
    page.render = lambda config, files: rendering.render_markdown(page, config, files, ROOT)
    area, _, name = uri.partition("/")
    is_front = name == "index.md" and area in chapters.AREAS
    if not is_front:
        return markdown
    return markdown + pages.chapter_list(list(_book.values()), area, chapters.read_sources(ROOT))


def _render_notebook(page: Page, config: MkDocsConfig, files: Files) -> None:
    """The page of a notebook, with links to the questions that cite it."""
    uri, repository = page.file.src_uri, config.repo_url.rstrip("/")
    cited, captions = _citing.get(uri, []), _captions.get(uri, {})

    def make(files: Files) -> str:
        resolve = _resolver(page, files)
        notebook = notebooks.read(ROOT / uri, ROOT)
        html = pages.notebook_page(notebook, cited, captions, repository, Path(uri).name, resolve)
        return mathematics.typeset_html(html, uri)

    citing = [
        f"{c.chapter.name}{c.anchor} {c.title} {[(claim.name, claim.text, claim.embedded) for claim in c.claims]}"
        for c in cited
    ]
    rendering.render_notebook(
        page, files, ROOT, [(ROOT / uri).read_text(encoding="utf-8"), repository, *citing, *captions.values()], make
    )


def _resolver(page: Page, files: Files) -> pages.Resolve:
    return lambda target: get_relative_url(files.get_file_from_path(target).url, page.url)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Complete a chapter's questions, and tables and blocks of code everywhere."""
    chapter = _book.get(page.file.src_uri)
    repository = config.repo_url.rstrip("/")
    if chapter:
        html = pages.complete_questions(html, chapter, repository, _resolver(page, files))
        page.present_anchor_ids |= pages.wrong_anchors(html)
    html = pages.with_breaking_code(pages.with_copy_buttons(pages.with_scrolling_tables(html)))
    return pages.with_stops(pages.with_kept_words(html))


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> None:
    """Spare what the last build already did: compiled templates, and under serve pages that are the same."""
    compiled = ROOT / ".cache/templates-trimmed"
    compiled.mkdir(parents=True, exist_ok=True)
    env.bytecode_cache = FileSystemBytecodeCache(str(compiled))
    env.trim_blocks = env.lstrip_blocks = True  # else the templates' blank lines are a hundredth of each page
    rendering.reuse_finished(env, config, files)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> None:
    """Keep the page for the next build under serve."""
    rendering.keep_finished(page, output)


def on_page_context(context: TemplateContext, page: Page, config: MkDocsConfig, nav: Navigation) -> None:
    """Note what search finds on the page."""
    uri = page.file.src_uri
    if uri in _book:
        _units[uri] = search.chapter_units(_book[uri], _vocabulary.words, page.url)
    elif uri.endswith(".ipynb"):
        anchors = [item.id for top in page.toc for item in (top, *top.children)]
        _units[uri] = search.notebook_units(notebooks.read(ROOT / uri, ROOT), anchors, page.url)
    elif not page.is_homepage:
        text = "" if uri in _generated else page.markdown or ""
        _units[uri] = search.page_units(text, page.title, page.meta.get("description", ""), page.url)


def on_post_build(config: MkDocsConfig) -> None:
    """Complete the formulas' style sheet with the glyphs shown; add the search index and the finished books."""
    site = Path(config.site_dir)
    mathematics.write_assets(site)
    units = [unit for units in _units.values() for unit in units]
    global _index
    _index = partial(search.index, units, _vocabulary.synonyms, ROOT / search.CACHE)
    if _served:
        _served.renew(_index)
    else:
        search.write(site, _index())
    edition.publish(ROOT, site)
    if not _serving:
        offline.finish(site)


def on_serve(server: LiveReloadServer, config: MkDocsConfig, builder: Callable[[], None]) -> LiveReloadServer:
    """From the second build on, have the search index made when a page asks for it: no rebuild waits for it."""
    global _served
    _served = search.Served()
    _served.renew(_index)
    server.set_app(_served.before(server.get_app()))
    return server
