"""Append the ids of new questions to docs/published-ids.txt, which is only ever added to.

Usage: python scripts/ids.py            append
       python scripts/ids.py --check    write nothing; fail where an id is missing or gone
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from handbook import chapters, questions

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    present = [question.id for _, question in questions.all_questions(chapters.read_all(ROOT))]
    listed = questions.published(ROOT)
    new = [identifier for identifier in present if identifier not in listed]
    gone = [identifier for identifier in listed if identifier not in present]
    for identifier in gone:
        print(f"{questions.PUBLISHED}: the published question {identifier!r} is gone. Restore it.", file=sys.stderr)
    if check:
        print(*(f"+{identifier}" for identifier in new), sep="\n")
        return bool(new or gone)
    (ROOT / questions.PUBLISHED).write_text(
        "".join(f"{identifier}\n" for identifier in [*listed, *new]), encoding="utf-8"
    )
    print(f"{len(new)} ids added, {len(listed) + len(new)} in all")
    return bool(gone)


if __name__ == "__main__":
    sys.exit(main())
