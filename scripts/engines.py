"""Build the site with ProperDocs and Zensical too, and name how their pages differ from the site that MkDocs built.

Usage: python scripts/engines.py [--all]     --all: name each page, file and link that a known difference touches

Compared with site/, as `make build` leaves it: the list of files; of each page the title, description, headings, claims,
links, text with formulas, images, ids and tabs; the sitemap's addresses; of other files the content.
docs/decisions/0006-two-engines.yaml holds what differs and is known, as exact rules: they are applied to both sites, and then
nothing may differ. So the command fails on a new difference, on a known one that is gone from some pages only, and on a rule
that no longer does anything.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from lxml import etree, html

ROOT = Path(__file__).resolve().parent.parent
KNOWN = ROOT / "docs/decisions/0006-two-engines.yaml"
PACKAGES = ROOT / ".venv/engines"  # the two engines alone; what they need is the site's own environment
COMMANDS = {
    "properdocs": ["properdocs", "build", "--quiet", "--config-file", "mkdocs.yml"],
    "zensical": ["zensical", "build"],
}
INLINE = {
    "a",
    "b",
    "br",
    "code",
    "em",
    "i",
    "mark",
    "s",
    "span",
    "strong",
    "sub",
    "sup",
    "time",
    "wbr",
    "mjx-container",
}

Parts = dict[str, list[str]]  # what is compared of a page or another file, by name: rows in their order
Hits = dict[tuple[str, str], list[str]]  # what each pattern of the record was found to touch, by its kind and itself


# ---- building --------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """A copy of what the site is made from, with the formulas that MkDocs' build typeset, but no page that it made."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
    for name in ("docs", "notebooks", "scripts", "vendor", "build/download", ".cache/mathematics"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=skip)
    shutil.copy(ROOT / "mkdocs.yml", folder)


def build(engine: str, stops: list[dict[str, str]]) -> tuple[Path, list[str]]:
    """The site that an engine makes of a copy of the project, and the known errors that it no longer stops at.

    `stops` are the errors that it is known to stop at: each is seen to occur before what causes it is taken away from
    the copy. Raises RuntimeError where it stops at another.
    """
    folder, left = ROOT / ".cache/engines" / engine, list(stops)
    prepare(folder)
    path = os.pathsep.join([str(PACKAGES), str(folder / "scripts")])
    environment = {**os.environ, "PYTHONPATH": path, "NO_MKDOCS_2_WARNING": "1"}
    while True:
        command = [sys.executable, "-m", *COMMANDS[engine]]
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
        if not run.returncode:
            return folder / "site", [stop["error"] for stop in left]
        output = (run.stdout + run.stderr).strip()
        stop = next((stop for stop in left if stop["error"] in output.splitlines()[-1]), None) if output else None
        if not stop:
            raise RuntimeError(f"{engine} stopped at an error that {KNOWN.name} does not know:\n{output[-2000:]}")
        left.remove(stop)
        take_away(folder / stop["file"], stop.get("line"))


def take_away(file: Path, line: str | None) -> None:
    """Remove a line from a file, or where none is given the file."""
    if line is None:
        file.unlink()
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(row for row in lines if row.rstrip("\n") != line), encoding="utf-8")


# ---- reading ---------------------------------------------------------------------------------


def read(site: Path, rules: list[dict], is_mkdocs: bool) -> tuple[dict[str, Parts], Hits]:
    """What is compared of each file of a site, after the rules for its side; and what each of their patterns touched."""
    files: dict[str, Parts] = {}
    hits: Hits = defaultdict(list)
    gone = "missing" if is_mkdocs else "added"
    for path in sorted(path for path in site.rglob("*") if path.is_file()):
        name = path.relative_to(site).as_posix()
        patterns = [p for rule in rules for p in rule.get(gone, []) if fnmatchcase(name, p)]
        for pattern in patterns:
            hits[gone, pattern].append(name)
        if patterns:
            continue
        if name.endswith(".html"):
            files[name] = read_page(
                path, name, [r for r in rules if fnmatchcase(name, r.get("pages", ""))], is_mkdocs, hits
            )
        elif name == "sitemap.xml":
            addresses = re.findall("<loc>(.*?)</loc>", path.read_text(encoding="utf-8"))
            without = [f"*/{p}" for rule in rules for p in rule.get(gone, [])]
            files[name] = {"addresses": sorted(a for a in addresses if not any(fnmatchcase(a, p) for p in without))}
        else:
            files[name] = {"content": [hashlib.sha256(path.read_bytes()).hexdigest()[:16]]}
    return files, hits


def read_page(path: Path, name: str, rules: list[dict], is_mkdocs: bool, hits: Hits) -> Parts:
    """One page of a built site: its article, and of the frame the title, the description and the navigation."""
    tree = html.parse(str(path), html.HTMLParser(encoding="utf-8")).getroot()
    side = "lacks" if is_mkdocs else "adds"
    patterns = [pattern for rule in rules for pattern in rule.get(side, [])]
    for pattern, elements in [
        (pattern, tree.xpath(pattern)) for pattern in patterns
    ]:  # all found before any is removed
        for element in elements:
            is_attribute = getattr(element, "is_attribute", False)
            owner = element.getparent() if is_attribute else element
            hits[side, pattern].append(f"{name}: {describe(owner)}")
            if is_attribute:
                del owner.attrib[element.attrname]
            else:
                element.drop_tree()
    article = next(iter(tree.xpath("//article")), tree)
    for formula in article.xpath(".//mjx-container"):
        for child in list(formula):
            formula.remove(child)
        formula.text = f"${formula.get('data-tex')}$"
    for link in article.find_class("headerlink"):
        link.drop_tree()

    def shown(link: html.HtmlElement, kind: str = "leads") -> str:
        to = leads_to(name, link.get("href"))
        for pattern, replacement in [rule[kind] for rule in rules if is_mkdocs and kind in rule]:
            if re.search(pattern, to):
                hits[kind, pattern].append(f"{name}: {to}")
                to = re.sub(pattern, replacement, to)
        return f"[{text_of(link)}]({to})"

    links = [("claim" in link.classes, shown(link)) for link in article.xpath(".//a[@href]")]
    pictures = article.xpath(".//img | .//svg[@role='img']")
    return {
        "title": [text_of(e) for e in tree.xpath("//head/title")],
        "description": tree.xpath("//head/meta[@name='description']/@content"),
        "headings": [f"{h.tag} #{h.get('id')} {text_of(h)}" for h in article.iter("h1", "h2", "h3", "h4", "h5", "h6")],
        "claims": [row for is_claim, row in links if is_claim],
        "links": [row for is_claim, row in links if not is_claim],
        "text": blocks(article),
        "images": [f"{e.tag} {e.get('src', '')} {e.get('alt') or e.get('aria-label')}" for e in pictures],
        # Names that begin with two underscores are the theme's.
        "ids": [identity for identity in article.xpath(".//@id") if not identity.startswith("__")],
        "tabs": [shown(link, "tabs") for link in tree.xpath("//a[@href][contains(@class, 'md-tabs__link')]")],
    }


def leads_to(name: str, address: str) -> str:
    """Where a link on the page `name` leads: a path in the site with its anchor, or another host's address."""
    if re.match(r"[a-z]+:", address):
        return address
    path, hash_, anchor = address.partition("#")
    return (posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name) + hash_ + anchor


def text_of(element: html.HtmlElement) -> str:
    return " ".join("".join(element.itertext()).split())


def describe(element: html.HtmlElement) -> str:
    marks = "".join(f" {key}={element.get(key)!r}" for key in ("id", "class", "href") if element.get(key))
    return f"<{element.tag}{marks}> {text_of(element)[:60]}"


def blocks(article: html.HtmlElement) -> list[str]:
    """The text of an article by paragraphs, cells, items and the like: a row ends where an element that is not inline does."""
    rows = [""]
    for event, element in etree.iterwalk(article, events=("start", "end", "comment")):
        if event != "comment" and element.tag not in INLINE:
            rows.append("")
        rows[-1] += (element.text if event == "start" else element.tail if element is not article else "") or ""
    return [row for row in (" ".join(row.split()) for row in rows) if row]


# ---- comparing -------------------------------------------------------------------------------


def compare(expected: dict[str, Parts], got: dict[str, Parts]) -> list[str]:
    """How an engine's site differs from MkDocs': one line a difference, repeated as often as it occurs."""
    found = [f"{name}: missing" for name in expected if name not in got]
    found += [f"{name}: added" for name in got if name not in expected]
    for name in expected.keys() & got.keys():
        for part in expected[name]:
            rows, new_rows = expected[name][part], got[name][part]
            old, new = Counter(rows), Counter(new_rows)
            if part == "content" and old != new:
                found.append(f"{name}: another content")
                continue
            found += [f"{name}: {part}: lacks {row}" for row in (old - new).elements()]
            found += [f"{name}: {part}: adds {row}" for row in (new - old).elements()]
            if old == new and rows != new_rows:
                found.append(f"{name}: {part}: another order")
    return sorted(found)


def judge(mkdocs: Path, other: Path, rules: list[dict]) -> tuple[list[str], Hits, list[str]]:
    """Differences that no rule knows; what each rule's patterns touched; and the patterns that touched nothing."""
    rules = applying(mkdocs, rules)
    expected, hits = read(mkdocs, rules, is_mkdocs=True)
    got, more = read(other, rules, is_mkdocs=False)
    hits.update(more)
    new = []
    for difference in compare(expected, got):
        name, _, what = difference.partition(": ")
        known = [p for r in rules for p in r.get("changed", []) if what == "another content" and fnmatchcase(name, p)]
        for pattern in known:
            hits["changed", pattern].append(name)
        new += [] if known else [difference]
    for rule in rules:
        for pattern in rule.get("adds", []):  # unlike the others, not seen to be all or none until here
            having = {hit.partition(": ")[0] for hit in hits["adds", pattern]}
            names = [name for name in got if fnmatchcase(name, rule["pages"])]
            new += [f"{name}: lacks the known {pattern}" for name in names if having and name not in having]
    return new, hits, [f"{kind} {p}" for rule in rules for kind, p in patterns_of(rule) if not hits.get((kind, p))]


def applying(site: Path, rules: list[dict]) -> list[dict]:
    """The rules without those whose `needs`, a path in MkDocs' site, is not there: the book is not made each time."""
    return [rule for rule in rules if (site / rule.get("needs", "")).exists()]


def patterns_of(rule: dict) -> list[tuple[str, str]]:
    """Each pattern of a rule with its kind."""
    found = [(kind, p) for kind in ("missing", "added", "changed", "lacks", "adds") for p in rule.get(kind, [])]
    return found + [(kind, rule[kind][0]) for kind in ("leads", "tabs") if kind in rule]


def report(rules: list[dict], hits: Hits, show_all: bool) -> None:
    """Print the known differences, grouped: each pattern of each rule with how much it touches."""
    for rule in rules:
        print(f"- {rule['why']}")
        for kind, pattern in patterns_of(rule):
            rows = hits.get((kind, pattern), [])
            pages = {row.partition(": ")[0] for row in rows}
            where = f" {rule['pages']}:" if "pages" in rule else ""
            change = f" -> {rule[kind][1]}" if kind in ("leads", "tabs") else ""
            extent = f"{len(rows)} on {len(pages)} pages" if "pages" in rule else f"{len(rows)}"
            print(f"    {extent}:{where} {kind} {pattern}{change}")
            for row in rows if show_all else []:
                print(f"        {row}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--all", action="store_true", help="name each page, file and link that a known difference touches"
    )
    show_all = parser.parse_args().all
    site = ROOT / "site"
    if not (site / "index.html").is_file():
        sys.exit("There is no built site to compare with. Run `make engines`, which builds it.")
    record = yaml.safe_load(KNOWN.read_text(encoding="utf-8"))
    with ThreadPoolExecutor() as pool:
        builds = {engine: pool.submit(build, engine, record[engine]["stops"]) for engine in COMMANDS}
    failed = False
    for engine in COMMANDS:
        rules = applying(site, record[engine]["differs"])
        try:
            folder, passed = builds[engine].result()
        except RuntimeError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        new, hits, gone = judge(site, folder, rules)
        counts = [len(list(where.rglob("*.html"))) for where in (folder, site)]
        print(f"\n{engine}: {counts[0]} pages, MkDocs {counts[1]}; new differences: {len(new)}; known:")
        for stop in record[engine]["stops"]:
            cut = f"the line {stop['line']!r} of {stop['file']}" if "line" in stop else stop["file"]
            print(f"- {stop['why']}\n    stops at {stop['error']!r}; built without {cut}")
        report(rules, hits, show_all)
        for difference in new:
            print(f"NEW in {engine}: {difference}", file=sys.stderr)
        for pattern in gone + passed:
            print(f"GONE from {engine}: {pattern!r} applies no more: take it out of {KNOWN.name}", file=sys.stderr)
        failed = failed or bool(new or gone or passed)
    return failed


if __name__ == "__main__":
    sys.exit(main())
