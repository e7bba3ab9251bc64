"""What the handbook does at each event of MkDocs; the work is in the package `handbook`."""

from __future__ import annotations

from pathlib import Path

from handbook import chapters, content, mathematics, notebooks, pages, questions, rendering
from jinja2 import Environment, FileSystemBytecodeCache
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).resolve().parent.parent
_book: dict[str, chapters.Chapter] = {}  # by path below docs/, read anew for each build
_citing: dict[str, list[tuple[chapters.Chapter, str, str]]] = {}  # notebook: the questions that cite it


def on_pre_build(config: MkDocsConfig) -> None:
    """Stop with every problem of the content, each with file and line."""
    problems = content.check(ROOT) + mathematics.prepare(ROOT)
    if problems:
        raise PluginError(f"{len(problems)} problems in the content\n" + "\n".join(map(str, problems)))
    _book.clear()
    _book.update({c.name: c for c in chapters.read_all(ROOT)})
    _citing.clear()
    _citing.update(pages.citing(list(_book.values())))
    config.extra["handbook"] = {**questions.statistics(list(_book.values())), "proof": pages.home_proof(ROOT)}


@event_priority(100)  # before mkdocs-jupyter looks for notebooks among the files
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the notebooks, which live beside docs/, and the generated pages."""
    books = {p.relative_to(ROOT).as_posix(): notebooks.read(p, ROOT) for p in notebooks.paths(ROOT)}
    for uri in books:
        files.append(File(uri, str(ROOT), config.site_dir, config.use_directory_urls))
    for uri, text in pages.generated(list(_book.values()), chapters.read_sources(ROOT), books).items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """End an area's front page with its chapters; have each page rendered from the cache where it is there."""
    uri = page.file.src_uri
    if uri.endswith(".ipynb"):
        page.meta["search"] = {"boost": 0.2}  # an answer ranks above its proof
        page.render = lambda config, files: _render_notebook(page, config, files)
        return markdown
    page.render = lambda config, files: rendering.render_markdown(page, config, files, ROOT)
    area, _, name = uri.partition("/")
    is_front = name == "index.md" and area in chapters.AREAS
    return markdown + pages.chapter_list(list(_book.values()), area) if is_front else markdown


def _render_notebook(page: Page, config: MkDocsConfig, files: Files) -> None:
    """The page of a notebook, with links to the questions that cite it."""
    uri, repository = page.file.src_uri, config.repo_url.rstrip("/")
    cited = _citing.get(uri, [])

    def make(files: Files) -> str:
        resolve = _resolver(page, files)
        links = [(title, resolve(chapter.name) + anchor) for chapter, title, anchor in cited]
        notebook = notebooks.read(ROOT / uri, ROOT)
        html = pages.notebook_page(notebook, links, repository, Path(uri).name, resolve)
        return mathematics.typeset_html(html, uri)

    citing = [f"{chapter.name}{anchor} {title}" for chapter, title, anchor in cited]
    rendering.render_notebook(page, files, ROOT, [(ROOT / uri).read_text(encoding="utf-8"), repository, *citing], make)


def _resolver(page: Page, files: Files) -> pages.Resolve:
    return lambda target: get_relative_url(files.get_file_from_path(target).url, page.url)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Complete a chapter's questions."""
    chapter = _book.get(page.file.src_uri)
    repository = config.repo_url.rstrip("/")
    return pages.with_question_meta(html, chapter, repository, _resolver(page, files)) if chapter else html


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> None:
    """Spare what the last build already did: compiled templates, and under serve pages that are the same."""
    compiled = ROOT / ".cache/templates"
    compiled.mkdir(parents=True, exist_ok=True)
    env.bytecode_cache = FileSystemBytecodeCache(str(compiled))
    rendering.reuse_finished(env, config, files)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> None:
    """Keep the page for the next build under serve."""
    rendering.keep_finished(page, output)


def on_post_build(config: MkDocsConfig) -> None:
    """Complete the style sheet of the formulas: only the glyphs that this build shows."""
    mathematics.write_assets(Path(config.site_dir))
