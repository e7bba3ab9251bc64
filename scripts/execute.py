"""Execute notebooks in fresh kernels, two at a time.

Usage: python scripts/execute.py             the stale ones, written back
       python scripts/execute.py FILE ...    these, written back
       python scripts/execute.py --check     all (or FILE ...), compared with what is committed; writes nothing
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
from handbook import notebooks
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent


def run(path: Path, check: bool) -> tuple[str, float]:
    """Execute one notebook; returns what went wrong ('' where nothing did) and the seconds it took."""
    start = time.perf_counter()
    message = ""
    try:
        fresh = notebooks.execute(path)
        if check:
            differences = notebooks.compare(nbformat.read(path, as_version=4), fresh)
            message = "\n".join(f"{path.relative_to(ROOT)}: {d}" for d in differences)
        else:
            # Written beside and renamed, so that an interruption leaves the old notebook whole.
            draft = path.with_suffix(".ipynb.tmp")
            nbformat.write(fresh, draft)
            os.replace(draft, path)
    except notebooks.ExecutionFailed as failure:
        message = str(failure)
    return message, time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with the committed outputs, write nothing")
    arguments = parser.parse_args()
    paths = [f.resolve() for f in arguments.files] or notebooks.paths(ROOT)
    if not arguments.check and not arguments.files:
        paths = [p for p in paths if notebooks.read(p, ROOT).stale]
    for path in paths:
        for cell in notebooks.read(path, ROOT).cells:
            if tool := notebooks.missing_tool(cell.source):
                print(
                    f"{path.relative_to(ROOT)}: cell {cell.index} needs {tool}, which is not here, or of another release: its committed output is kept"
                )
    failed = []
    with ProcessPoolExecutor(max_workers=2) as pool:
        jobs = {pool.submit(run, path, arguments.check): path for path in paths}
        for job in tqdm(as_completed(jobs), total=len(jobs), unit="notebook", disable=not jobs):
            message, seconds = job.result()
            tqdm.write(
                f"{'failed' if message else 'ok':6} {seconds:6.1f} s  {jobs[job].relative_to(ROOT)}", file=sys.stdout
            )
            if message:
                failed.append(message)
    print(*failed, sep="\n\n", file=sys.stderr)
    done = "compared" if arguments.check else "executed"
    print(f"{len(paths)} notebooks {done}, {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
