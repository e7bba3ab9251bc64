"""Typst in a process that loads nothing else: a book's Typst to PDF, or its cover to PNG.

Usage: python scripts/press/set.py SOURCE TARGET SECONDS FONTS...

SECONDS since 1970 are the date in the PDF; FONTS are folders. Ends with code 1 and Typst's words where it refuses.
"""

import sys
from pathlib import Path

import typst


def main(source: str, target: str, seconds: str, *fonts: str) -> int:
    pdf = target.endswith(".pdf")
    try:
        typst.compile(
            source,
            output=target,
            format="pdf" if pdf else "png",
            ppi=None if pdf else 150,
            root=str(Path(source).parent),
            font_paths=list(fonts),
            ignore_system_fonts=True,
            pdf_standards=["ua-1"] if pdf else [],
            timestamp=int(seconds),
        )
    except typst.TypstError as error:
        print(error.diagnostic or error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
