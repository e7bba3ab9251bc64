"""Which edition a book is, and where the finished files lie; needs nothing but the standard library."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

KINDS = ("pdf", "epub")
CONTENT = ("docs", "notebooks", "mkdocs.yml")  # what a reader reads; code does not make an edition


@dataclass(frozen=True)
class Edition:
    """The moment of the newest change of the content, and its commit."""

    when: datetime
    version: str

    @property
    def date(self) -> str:
        """`November 26, 2026`"""
        return f"{self.when:%B} {self.when.day}, {self.when.year}"

    @property
    def label(self) -> str:
        return f"edition of {self.date}, version {self.version}"


def of(root: Path) -> Edition:
    """The edition of the content below `root`: equal as long as nothing changed, so that books are too.

    Its time is SOURCE_DATE_EPOCH where that is set, else that of the last commit to the content, else (without
    git) that of the newest file. Changes that are not committed are told in the version.
    """
    log = _git(root, "log", "-1", "--format=%ct %h", "--", *CONTENT).split()
    if log:
        seconds, version = int(log[0]), log[1]
        version += " with changes" if _git(root, "status", "--porcelain", "--", *CONTENT).strip() else ""
    else:
        files = [p for name in CONTENT for p in [root / name, *(root / name).rglob("*")] if p.is_file()]
        seconds, version = int(max(p.stat().st_mtime for p in files)), "without a commit"
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", seconds))
    return Edition(datetime.fromtimestamp(seconds, UTC), version)


def _git(root: Path, *arguments: str) -> str:
    try:
        run = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, encoding="utf-8")
    except FileNotFoundError:
        return ""
    return run.stdout if run.returncode == 0 else ""


def name(title: str, kind: str) -> str:
    """`worked-answers.pdf`"""
    return f"{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}.{kind}"


def folder(root: Path) -> Path:
    """Where finished books lie, safe from a new build of the site."""
    return root / "build/download"


def stamp(file: Path, edition: Edition) -> None:
    """Gives a file the edition's time: the home page shows it."""
    os.utime(file, (edition.when.timestamp(),) * 2)


def downloads(root: Path) -> list[dict[str, str]]:
    """The finished books for the home page: kind, address below the site's root, size, date."""
    found = []
    for kind in KINDS:
        for file in sorted(folder(root).glob(f"*.{kind}")):
            made = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            size = f"{file.stat().st_size / 1e6:.1f} MB"
            found.append(
                {"kind": kind.upper(), "url": f"download/{file.name}", "size": size, "date": f"{made:%Y-%m-%d}"}
            )
    return found


def publish(root: Path, site: Path | None = None) -> None:
    """Copies the finished books into the built site, where there is one."""
    site = site or root / "site"
    if site.is_dir() and folder(root).is_dir():
        shutil.copytree(folder(root), site / "download", dirs_exist_ok=True)
