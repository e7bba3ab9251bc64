"""What the handbook does at each event of MkDocs; the work is in the package `handbook`."""

from __future__ import annotations

from pathlib import Path

from handbook import chapters, content, edition, mathematics, notebooks, pages, questions
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import get_toc
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
    config.extra["handbook"] = {
        **questions.statistics(list(_book.values())),
        "proof": pages.home_proof(ROOT),
        "downloads": edition.downloads(ROOT),
    }


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
    """End an area's front page with its chapters."""
    area, _, name = page.file.src_uri.partition("/")
    is_front = name == "index.md" and area in chapters.AREAS
    return markdown + pages.chapter_list(list(_book.values()), area) if is_front else markdown


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Complete a chapter's questions; make a notebook's page light and link it to what cites it."""
    uri = page.file.src_uri
    repository = config.repo_url.rstrip("/")

    def resolve(target: str) -> str:
        return get_relative_url(files.src_uris[target].url, page.url)

    if uri in _book:
        return pages.with_question_meta(html, _book[uri], repository, resolve)
    if uri.endswith(".ipynb"):
        cited = [(title, resolve(chapter.name) + anchor) for chapter, title, anchor in _citing.get(uri, [])]
        notebook = notebooks.read(ROOT / uri, ROOT)
        html = pages.notebook_page(html, notebook, cited, repository, Path(uri).name, resolve)
        html = mathematics.typeset_html(html, uri)
        page.meta["search"] = {"boost": 0.2}  # an answer ranks above its proof
        page.toc = get_toc(pages.headings(html))  # mkdocs-jupyter's own has other ids than its headings
        return html
    return html


def on_post_build(config: MkDocsConfig) -> None:
    """Complete the style sheet of the formulas: only the glyphs that this build shows. Add the finished books."""
    mathematics.write_assets(Path(config.site_dir))
    edition.publish(ROOT, Path(config.site_dir))
