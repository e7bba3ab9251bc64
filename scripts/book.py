"""Make the book: the whole handbook as PDF and EPUB, in build/download/ and site/download/.

Usage: python scripts/book.py [pdf] [epub] [--copies N]

Without a name both are made. `mkdocs build` links on the home page what lies in build/download/ and copies it
into the site. The command fails where a book is over its budget of memory or size.

--copies N sets the handbook N times over, into a temporary folder, to see how time, memory and size grow.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from handbook import book, chapters, content, edition, mathematics, printing
from handbook.problems import HandbookError

ROOT = Path(__file__).resolve().parent.parent
BUDGETS = {"memory of the largest process": 3e9, "size": 20e6}  # bytes; seconds depend on the machine: only told


def processor() -> float:
    """Seconds that this process and the ended ones that it started have used of a processor."""
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def peak() -> int:
    """The most memory in bytes that this process, or the largest of the ended ones that it started, ever held."""
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def over_budget(memory: float, size: float) -> list[str]:
    """What exceeds its budget, in bytes, as lines to print.

    >>> over_budget(3.1e9, 9e6)
    ['memory of the largest process: 3,100 MB of at most 3,000 MB']
    """
    measured = zip(BUDGETS.items(), (memory, size), strict=True)
    return [f"{what}: {n / 1e6:,.0f} MB of at most {most / 1e6:,.0f} MB" for (what, most), n in measured if n > most]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="pdf|epub", help="which; default: both")
    parser.add_argument("--copies", type=int, default=1, metavar="N", help="measure with N copies of all pages")
    arguments = parser.parse_args()
    kinds = arguments.kinds or list(edition.KINDS)
    if unknown := set(kinds) - set(edition.KINDS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(edition.KINDS)}")

    try:
        return make(kinds, arguments.copies)
    except (HandbookError, RuntimeError) as error:  # a link that leads nowhere; what pandoc or Typst refuses
        print(error, file=sys.stderr)
        return 1


def make(kinds: list[str], copies: int) -> int:
    """Makes the books and tells each stage; returns the command's exit code."""
    start = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - start:6.1f} s  {line}", flush=True)

    problems = content.check(ROOT) + mathematics.prepare(ROOT)
    if problems:
        print("\n".join(map(str, problems)), file=sys.stderr)
        return 1
    say("checked the content")
    whole = book.build(ROOT, say)
    this = edition.of(ROOT)
    folder = edition.folder(ROOT)
    if copies > 1:
        whole = book.copies(whole, copies)
        folder = Path(tempfile.mkdtemp(prefix="book-"))
    over: list[str] = []
    for kind in kinds:
        target = folder / edition.name(whole.title, kind)
        begun, used = time.monotonic(), processor()
        write = printing.pdf if kind == "pdf" else printing.epub
        pages = write(whole, target, ROOT / "build/book", this, say)
        edition.stamp(target, this)
        memory, size, seconds = peak(), target.stat().st_size, time.monotonic() - begun
        work = f"{seconds:.0f} s, {processor() - used:.0f} s of a processor, {memory / 1e9:.2f} GB of memory"
        say(f"{target.name}: {pages:,} pages, {size / 1e6:.1f} MB; {work}")
        over += [f"{target.name} is over its budget, {line}" for line in over_budget(memory, size)]
    if copies > 1:
        shutil.rmtree(folder)
    else:
        edition.publish(ROOT)
    say(f"{len(chapters.read_all(ROOT))} chapters, {this.label}")
    print("".join(f"{line}\n" for line in over), end="", file=sys.stderr)
    return 1 if over and copies == 1 else 0


if __name__ == "__main__":
    sys.exit(main())
