"""Check the content: chapters, claims, numbers, notebooks, links, ids. Builds and executes nothing.

Usage: python scripts/check.py [docs/area/chapter.md ...]     all of it, or only some chapters' own problems
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from handbook import chapters, content, evidence

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="chapters, notebooks; default: everything")
    wanted = {Path(f).resolve().relative_to(ROOT).as_posix() for f in parser.parse_args().files}
    problems = [p for p in content.check(ROOT) if not wanted or p.file in wanted]
    for problem in problems:
        print(problem, file=sys.stderr)
    book = [c for c in chapters.read_all(ROOT) if not wanted or c.file in wanted]
    claims = sum(len(evidence.claims(c.text)) for c in book)
    print(
        f"{len(book)} chapters, {sum(len(c.questions) for c in book)} questions, {claims} claims: {len(problems)} problems"
    )
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
