"""Measure the build: cold, warm, and one chapter edited under serve; for the book as it is and for a larger one.

Usage: python scripts/benchmark.py [--times 10]

A copy of the project in a temporary folder is built there, with a cache of its own. For the larger book every chapter
is copied under new ids; its notebooks stay as they are, and so do its distinct formulas. "Edited under serve" is from
saving a chapter until the server delivers the new text, its half second of polling included.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handbook import chapters, notebooks

ROOT = Path(__file__).resolve().parent.parent
EDITS = 3  # of which the median counts
PATIENCE = 1800  # seconds


def copy_project(to: Path, times: int) -> None:
    """The project below `to`, with each chapter `times` times."""
    skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info")
    for name in ("docs", "notebooks", "scripts", "vendor"):
        shutil.copytree(ROOT / name, to / name, ignore=skip)
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    ids = []
    for chapter in chapters.read_all(ROOT):
        entry = re.search(rf"^ *- {re.escape(chapter.name)}\n", config, re.M)
        rows = [entry[0]]
        for number in range(2, times + 1):
            name = chapter.name.replace(".md", f"-{number}.md")
            text = chapter.text.replace(f"title: {chapter.title}", f"title: {chapter.title}, copy {number}", 1)
            new = {question.id: f"{question.id}-{number}" for question in chapter.questions}
            ids += new.values()
            (to / "docs" / name).write_text(renamed(text, new), encoding="utf-8")
            rows.append(entry[0].replace(chapter.name, name))
        config = config.replace(entry[0], "".join(rows))
    (to / "mkdocs.yml").write_text(config, encoding="utf-8")
    with (to / "docs/published-ids.txt").open("a", encoding="utf-8") as published:
        published.writelines(f"{identifier}\n" for identifier in ids)


def renamed(text: str, new: dict[str, str]) -> str:
    """A chapter under new ids: in the front matter, in its headings, and in links within the page.

    Links to other files stay: a notebook's label may have the same name.
    """
    for old, identifier in new.items():
        text = re.sub(rf"^  {re.escape(old)}:$", f"  {identifier}:", text, count=1, flags=re.M)
        text = re.sub(rf"(?<=[( ]#){re.escape(old)}(?=[) ])", identifier, text)
    return text


def mkdocs(root: Path, *arguments: str) -> subprocess.Popen:
    """MkDocs at work in `root`, on that folder's own code; what it prints goes to mkdocs.log there."""
    environment = {**os.environ, "PYTHONPATH": str(root / "scripts"), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", *arguments]
    with (root / "mkdocs.log").open("w") as log:
        return subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT)


def end(process: subprocess.Popen, root: Path, expected: tuple[int, ...] = (0,)) -> float:
    """Waits for a process; returns the MB of memory that it needed. Exits with its log where it failed."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expected:
        sys.exit(f"MkDocs ended with {process.returncode}:\n{(root / 'mkdocs.log').read_text()[-4000:]}")
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def build(root: Path) -> tuple[float, float]:
    """Seconds and MB of one build."""
    start = time.perf_counter()
    memory = end(mkdocs(root, "build", "--strict"), root)
    return time.perf_counter() - start, memory


@contextmanager
def serving(root: Path) -> Iterator[tuple[str, list[float]]]:
    """`mkdocs serve` in `root`: its address, and a list that will hold its MB once it has ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process, memory = mkdocs(root, "serve", "--strict", "--dev-addr", f"127.0.0.1:{port}"), []
    try:
        wait_for(root / "mkdocs.log", "Serving on", process)
        yield re.search(r"Serving on (\S+)", (root / "mkdocs.log").read_text())[1], memory
    finally:
        process.terminate()
        memory.append(end(process, root, expected=(0, -15, 1)))


def wait_for(log: Path, words: str, process: subprocess.Popen) -> None:
    """Returns when the log holds `words`; exits where the process ends before, or after long waiting."""
    for _ in range(10 * PATIENCE):
        if words in log.read_text():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"MkDocs did not come to serve:\n{log.read_text()[-4000:]}")


def edit(root: Path, address: str, chapter: chapters.Chapter, number: int) -> float:
    """Seconds from saving a chapter with a new sentence until the server delivers it."""
    path = root / chapter.file
    mark = f"Edited for the {number}th measurement"
    path.write_text(path.read_text(encoding="utf-8") + f"\n{mark}.\n", encoding="utf-8")
    start = time.perf_counter()
    while time.perf_counter() - start < PATIENCE:
        with urllib.request.urlopen(address + chapter.name.removesuffix(".md") + ".html") as answer:
            if mark in answer.read().decode():
                return time.perf_counter() - start
        time.sleep(0.02)
    sys.exit(f"The edited chapter never came:\n{(root / 'mkdocs.log').read_text()[-4000:]}")


def measure(times: int) -> dict[str, float]:
    """All figures of the book with its chapters `times` times, by name."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copy_project(root, times)
        book = chapters.read_all(root)
        figures = {"chapters": len(book), "notebooks": len(notebooks.paths(root))}
        figures["cold build, s"], figures["cold build, MB"] = build(root)
        figures["warm build, s"], figures["warm build, MB"] = build(root)
        with serving(root) as (address, memory):
            edits = sorted(edit(root, address, book[len(book) // 2], number) for number in range(EDITS))
        figures["chapter edited under serve, s"] = edits[EDITS // 2]
        figures["serve, MB"] = memory[0]
        return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10, help="how often the larger book holds each chapter; 1: none")
    times = parser.parse_args().times
    small = measure(1)
    large = measure(times) if times > 1 else None
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores{load}")
    print("| what | the book |" + (f" chapters × {times} | growth |" if large else ""))
    print("| --- | ---: |" + (" ---: | ---: |" if large else ""))
    for name, value in small.items():
        shown = [f"{value:.1f}" if name.endswith("s") and "," in name else f"{value:.0f}"]
        if large:
            shown += [f"{large[name]:.1f}" if name.endswith(", s") else f"{large[name]:.0f}"]
            shown += [f"{large[name] / value:.1f}×"]
        print(f"| {name} | {' | '.join(shown)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
