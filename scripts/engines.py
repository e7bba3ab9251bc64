"""Build the site with MkDocs, ProperDocs and Zensical, and compare: pages, headings, claims and links.

Usage: python scripts/engines.py [--all]     --all: name the known differences one by one too

Differences that docs/decisions/0006-two-engines.yaml does not know fail the command, and so does an entry there that
no longer applies. Run it with MkDocs' environment; the other engines stand in .venv-engines (make engines).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml
from lxml import html

ROOT = Path(__file__).resolve().parent.parent
KNOWN = ROOT / "docs/decisions/0006-two-engines.yaml"
OTHERS = ROOT / ".venv-engines/bin"
COMMANDS = {
    "mkdocs": [sys.executable, "-m", "mkdocs", "build", "--quiet"],
    "properdocs": [str(OTHERS / "properdocs"), "build", "--quiet", "--config-file", "mkdocs.yml"],
    "zensical": [str(OTHERS / "zensical"), "build", "--clean"],
}


@dataclass(frozen=True)
class Page:
    """What must be the same under any engine; each part in the page's order."""

    headings: list[str]  # level, id and words
    claims: list[str]  # words and where they lead
    links: list[str]  # where the others lead, in the site
    files: list[str]  # those of both that lead to a notebook's file in place of its page


def build(engine: str) -> dict[str, Page]:
    """The pages that an engine makes of a copy of the project, by their path. Exits where it fails."""
    folder = ROOT / ".cache/engines" / engine
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
    for name in ("docs", "notebooks", "scripts", "vendor"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    shutil.copy(ROOT / "mkdocs.yml", folder)
    if engine == "zensical":  # its templates are no Jinja, and the home page's needs what they lack
        index = folder / "docs/index.md"
        index.write_text(re.sub(r"^template: .*\n", "", index.read_text(encoding="utf-8"), flags=re.M))
        (folder / "docs/.overrides/sitemap.xml").unlink()  # it knows no `file.page` there; its own will do
    environment = {**os.environ, "PYTHONPATH": str(folder / "scripts"), "NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(COMMANDS[engine], cwd=folder, env=environment, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{engine} failed:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    site = folder / "site"
    return {path.relative_to(site).as_posix(): read(path) for path in sorted(site.rglob("*.html"))}


def read(path: Path) -> Page:
    """One page of a built site, without its frame."""
    tree = html.parse(str(path)).getroot()
    article = next(iter(tree.xpath("//article")), tree)
    for noise in article.xpath(".//*[contains(@class, 'headerlink') or self::mjx-assistive-mml]"):
        noise.drop_tree()
    heads = article.xpath(".//h1 | .//h2 | .//h3 | .//h4")
    headings = [f"{h.tag} #{h.get('id')} {words(h)}" for h in heads]
    anchors = article.xpath(".//a[@href]")
    for link in anchors:  # told once, in `files`, and not again as a claim that is another
        link.set("data-to", re.sub(r"\.ipynb(?=#|$)", ".html", link.get("href")))
    claims = [f"[{words(a)}]({a.get('data-to')})" for a in anchors if "claim" in a.classes]
    inside = [a.get("data-to") for a in anchors if "claim" not in a.classes and not re.match(r"[a-z]+:", a.get("href"))]
    files = [f"{a.get('href')}" for a in anchors if a.get("href") != a.get("data-to") and not a.get("download")]
    return Page(headings, claims, inside, files)


def words(element: html.HtmlElement) -> str:
    return " ".join("".join(element.itertext()).split())


def compare(expected: dict[str, Page], got: dict[str, Page]) -> list[str]:
    """How an engine's pages differ from MkDocs': one line a difference, repeated as often as it occurs."""
    found = [f"{name}: the page is missing" for name in expected if name not in got]
    found += [f"{name}: the page is new" for name in got if name not in expected]
    for name in expected.keys() & got.keys():
        for part in ("headings", "claims", "links", "files"):
            old, new = (Counter(getattr(pages[name], part)) for pages in (expected, got))
            found += [f"{name}: {part}: lacks {row}" for row in (old - new).elements()]
            found += [f"{name}: {part}: adds {row}" for row in (new - old).elements()]
            if old == new and getattr(expected[name], part) != getattr(got[name], part):
                found.append(f"{name}: {part}: another order")
    return sorted(found)


def sort_out(found: list[str], known: list[dict[str, str]]) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Differences by the known pattern that they match; those that match none; and the patterns that match none."""
    matched: dict[str, list[str]] = {row["pattern"]: [] for row in known}
    new = []
    for difference in found:
        pattern = next((p for p in matched if re.fullmatch(p, difference)), None)
        (matched[pattern] if pattern else new).append(difference)
    return matched, new, [pattern for pattern, rows in matched.items() if not rows]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="name the known differences one by one")
    show_all = parser.parse_args().all
    known = yaml.safe_load(KNOWN.read_text(encoding="utf-8"))
    expected, failed = build("mkdocs"), False
    for engine in ("properdocs", "zensical"):
        got = build(engine)
        matched, new, gone = sort_out(compare(expected, got), known[engine])
        print(f"\n{engine}: {len(got)} pages, MkDocs {len(expected)}")
        for row in known[engine]:
            print(f"  known, {len(matched[row['pattern']])}: {row['why']}")
            for difference in matched[row["pattern"]] if show_all else []:
                print(f"    {difference}")
        for difference in new:
            print(f"  NEW: {difference}", file=sys.stderr)
        for pattern in gone:
            print(f"  GONE: nothing matches {pattern!r} any more; remove it from {KNOWN.name}", file=sys.stderr)
        failed = failed or bool(new or gone)
    return failed


if __name__ == "__main__":
    sys.exit(main())
