"""Measure the built site's search in Chromium on tests/queries.yaml. Run `make build` before.

Usage: python scripts/search_report.py [--misses] [--copies 10]

Prints, for each list of queries, how often the right question is first and among the first three; the median and the
95th percentile of the milliseconds from a query to its results, with the parts of the index already loaded and
without; and the kilobytes that a first query fetches, compressed as the publishing server does it (gzip).
With --copies, measures an index of that many books of this size: the book, and copies of it whose subjects are other ones,
because the words that make a subject are changed (see `copies`). Only the book's own questions count as right; a second
table counts the copies of a right question too where a query has common words alone.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import statistics
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import chromium
import yaml
from handbook import chapters, notebooks, search
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
QUERIES = ROOT / "tests/queries.yaml"
PAGE = "offline.html"  # where queries are typed: a light page

# In the page: types a query and waits for its results.
ASK = """
query => new Promise(resolve => {
  const input = document.querySelector("[role=combobox]"), list = document.querySelector("[role=listbox]")
  const start = performance.now()
  const done = () => {
    if (list.dataset.query !== query) return
    watch.disconnect()
    resolve({ms: performance.now() - start, found: [...list.children].map(option => option.href)})
  }
  const watch = new MutationObserver(done)
  delete list.dataset.query
  watch.observe(list, {attributes: true})
  input.value = query
  input.dispatchEvent(new Event("input"))
})
"""


@dataclass(frozen=True)
class Query:
    """A row of tests/queries.yaml: a query and the ids of the questions that answer it."""

    set: str  # tuned or held_out
    kind: str
    text: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What the site showed for a query: addresses, best first, and the milliseconds until they stood there."""

    query: Query
    found: tuple[str, ...]
    ms: float

    @property
    def rank(self) -> int:
        """The place of the first right result, from 1; 0 where there is none."""
        names = [address.partition("#")[2] for address in self.found]
        return next((place for place, name in enumerate(names, 1) if name in self.query.ids), 0)


def read_queries(path: Path = QUERIES) -> list[Query]:
    """Every query, in the file's order."""
    lists = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return [
        Query(name, kind, text, tuple(ids))
        for name, kinds in lists.items()
        for kind, rows in kinds.items()
        for text, *ids in rows
    ]


def ask(page: Page, queries: list[Query]) -> list[Answer]:
    """Type each query into the search box of an open page."""
    answers = []
    for query in queries:
        shown = page.evaluate(ASK, query.text)
        answers.append(Answer(query, tuple(shown["found"]), shown["ms"]))
    return answers


def first_query(browser: Browser, address: str, query: Query) -> tuple[float, list[str]]:
    """The milliseconds of a query on a page that was just opened, and the files that it fetched."""
    context = browser.new_context(service_workers="allow")
    context.add_init_script("delete Navigator.prototype.serviceWorker")
    page = context.new_page()
    page.goto(address + PAGE)
    page.wait_for_load_state("networkidle")  # what the page itself fetches when it is drawn
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url.removeprefix(address)))
    (answer,) = ask(page, [query])
    context.close()
    return answer.ms, fetched


def hits(answers: list[Answer], most: int) -> float:
    """The share of the queries whose right question is among the first `most` results."""
    return sum(0 < answer.rank <= most for answer in answers) / len(answers)


@cache
def weight(file: Path) -> int:
    """A file's bytes as they are sent."""
    return len(gzip.compress(file.read_bytes(), 6))


# ---- a larger book ---------------------------------------------------------------------------


TOPIC = 0.02  # a word in at most this share of the units makes a subject; a more common one belongs to all
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]+")


def read_units() -> list[search.Unit]:
    """The book's questions, chapters and notebooks' sections, as a build indexes them."""
    book = chapters.read_all(ROOT)
    known = {question.id for chapter in book for question in chapter.questions}
    words = search.read_vocabulary(ROOT, known).words
    units = [u for c in book for u in search.chapter_units(c, words, c.name.removesuffix(".md") + ".html")]
    for path in notebooks.paths(ROOT):
        notebook = notebooks.read(path, ROOT)
        units += search.notebook_units(notebook, [f"h{n}" for n in range(99)], "notebook.html")
    return units


def common_words(units: list[search.Unit]) -> set[str]:
    """The book's words that belong to no subject: all but the rare ones, and but the rarest of each title."""
    counted = Counter(word for u in units for word in {w.lower() for w in WORD.findall(" ".join(u.fields.values()))})
    common = {word for word, number in counted.items() if number > TOPIC * len(units)}
    for unit in units:
        title = [w.lower() for w in WORD.findall(unit.fields["title"])]
        common -= {min(title, key=counted.__getitem__)} if title else set()
    return common


def copies(count: int) -> list[search.Unit]:
    """The book's units, and those of count - 1 copies about other subjects.

    A plain copy of a question could not be told from it by any query. So a copy keeps the book's common words, sentences
    and lengths, and gets subjects of its own: each rare word, and at least the rarest of a title, has another form
    in each copy. A query then meets `count` times as many questions with its common words, and its rare words only
    where they were.
    """
    units = read_units()
    common = common_words(units)

    def changed(text: str, copy: int) -> str:
        return WORD.sub(lambda m: m[0] if m[0].lower() in common else m[0] + "qxjvkwzyuh"[copy % 10] * 2, text)

    others = [
        replace(u, url=f"{u.url}--{copy}", fields={k: changed(v, copy) for k, v in u.fields.items()})
        for copy in range(1, count)
        for u in units
    ]
    return units + others


def alike(queries: list[Query], count: int) -> list[Query]:
    """The queries, with what is right where a query names no subject.

    Where all its words are common, the copies of a right question have them as well and cannot be told from it: one
    of them is right, too.
    """
    common = common_words(read_units())
    names = {q: q.ids + tuple(f"{i}--{n}" for i in q.ids for n in range(1, count)) for q in queries}
    return [replace(q, ids=names[q]) if all(w.lower() in common for w in WORD.findall(q.text)) else q for q in queries]


def one_page(folder: Path, units: list[search.Unit], synonyms: Sequence[Sequence[str]]) -> None:
    """Put into a folder one page of the built site, with an index of these units."""
    shutil.copytree(SITE / "assets", folder / "assets", ignore=shutil.ignore_patterns("*.map"))
    for name in (PAGE, "sitemap.xml", "manifest.webmanifest"):
        shutil.copy(SITE / name, folder / name)
    search.write(folder, search.index(units, synonyms, folder / "search-index"))


# ---- the report ------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def report(site: Path, misses: bool, count: int = 1) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        queries = read_queries()
        page = browser.new_page()
        page.goto(address + PAGE)
        answers = ask(page, queries)
        warm = [answer.ms for answer in ask(page, queries)]
        print(f"{'queries':24}{'number':>7}{'first':>9}{'in three':>10}")
        for name in dict.fromkeys(query.set for query in queries):
            mine = [answer for answer in answers if answer.query.set == name]
            for kind in [*dict.fromkeys(answer.query.kind for answer in mine), ""]:
                rows = [answer for answer in mine if kind in ("", answer.query.kind)]
                label = f"  {kind}" if kind else f"{name}, all"
                print(f"{label:24}{len(rows):7}{hits(rows, 1):9.1%}{hits(rows, 3):10.1%}")
        if count > 1:
            again = [replace(a, query=q) for a, q in zip(answers, alike(queries, count), strict=True)]
            number = sum(a.query != b.query for a, b in zip(answers, again, strict=True))
            print(f"where {number} queries, of common words alone, may lead to a copy of the right question:")
            for name in dict.fromkeys(query.set for query in queries):
                rows = [answer for answer in again if answer.query.set == name]
                print(f"{name + ', all':24}{len(rows):7}{hits(rows, 1):9.1%}{hits(rows, 3):10.1%}")
        if misses:
            for answer in answers:
                if answer.rank != 1 and answer.query.set == "tuned":
                    names = [a.partition("#")[2] for a in answer.found[:3]]
                    print(
                        f"  {answer.query.text!r} wants {', '.join(answer.query.ids)}: place {answer.rank}, first {names}"
                    )
        cold = [first_query(browser, address, query) for query in queries[:: max(1, len(queries) // 50)]]
        browser.close()
    server.shutdown()
    times = [ms for ms, _ in cold]
    sizes = [sum(weight(site / name) for name in names) / 1000 for _, names in cold]
    print(
        f"milliseconds, index in memory: median {statistics.median(warm):.1f}, 95 % {statistics.quantiles(warm, n=20)[18]:.1f}"
    )
    print(f"milliseconds, first query of a page: median {statistics.median(times):.0f}, most {max(times):.0f}")
    print(
        f"kB fetched by a first query: median {statistics.median(sizes):.1f}, most {max(sizes):.1f}, "
        f"in {statistics.median(len(n) for _, n in cold):.0f} files"
    )
    parts = list((site / "search").glob("*.js"))
    print(f"the whole index: {sum(map(weight, parts)) / 1000:.0f} kB in {len(parts)} files")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", action="store_true", help="list the tuned queries whose question is not first")
    parser.add_argument("--copies", type=int, default=1, help="measure an index of so many books of this size")
    options = parser.parse_args()
    if not (SITE / PAGE).is_file():
        print("There is no built site. Run `make build`.", file=sys.stderr)
        return 1
    if options.copies > 1:
        book = chapters.read_all(ROOT)
        synonyms = search.read_vocabulary(ROOT, {q.id for c in book for q in c.questions}).synonyms
        with tempfile.TemporaryDirectory() as folder:
            one_page(Path(folder), copies(options.copies), synonyms)
            report(Path(folder), options.misses, options.copies)
    else:
        report(SITE, options.misses)
    return 0


if __name__ == "__main__":
    sys.exit(main())
