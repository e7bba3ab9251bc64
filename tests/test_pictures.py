"""The look: six pages in both schemes and two widths, against the pictures and boxes in tests/pictures.

The pages are of a small book with this theme, so that no chapter's text changes them. A block that stands elsewhere
fails; pictures are compared and reported, because glyphs differ by machine. `make pictures` renews both.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from browsing import NO_WORKER, lay_out_all, serve, stop
from conftest import CHAPTER, ROOT, executed, write_notebook
from nbformat.v4 import new_markdown_cell
from PIL import Image, ImageChops

FOLDER = ROOT / "tests/pictures"
PAGES = {
    "home": "index.html",
    "chapter": "cuda/memory.html",
    "notebook": "notebooks/cuda/tiny.html",
    "area": "cuda/index.html",
    "questions": "questions.html",
    "wrong": "wrong.html",
}
WIDTHS = {"wide": (1280, 900), "narrow": (360, 740)}
SIDE, HEIGHT = 2, 8  # pixels by which a block may stand elsewhere or be wider, and lower or higher
COLORS = 48
BOXES = """() => [...document.querySelectorAll(
  ".md-header, .md-tabs, .md-sidebar, .md-content, .md-footer, article > *, .answer > *, article figure svg, article mjx-container, .home > *, .home-hero > *"
)].filter((block) => block.checkVisibility()).map((block) => {
  const { x, y, width, height } = block.getBoundingClientRect()
  return [block.tagName.toLowerCase() + (block.id ? "#" + block.id : ""), ...[x, y + scrollY, width, height].map(Math.round)]
})"""


@pytest.fixture(scope="module")
def small_book(tmp_path_factory) -> Iterator[str]:
    """The address of a book with one chapter and one notebook, in the real theme."""
    root = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copytree(ROOT / "docs", root / "docs", ignore=lambda folder, names: unwanted(Path(folder), names))
    shutil.copytree(ROOT / "notebooks/data", root / "notebooks/data")
    for page in (root / "docs").rglob("*.md"):  # what they prove, this small book's one notebook proves
        text = page.read_text(encoding="utf-8")
        up = "../" * len(page.relative_to(root).parent.parts)
        text = re.sub(
            r"(?<!!)\[[^\]]*\]\((\.\./)+notebooks/[^)]+\)", f"[16]({up}notebooks/cuda/tiny.ipynb#bytes)", text
        )
        page.write_text(text, encoding="utf-8")
    (root / "docs/cuda/memory.md").write_text(CHAPTER + "\n$$\n\\sum_{i=1}^N \\frac{x_i}{\\sqrt{d_k}} = 16\n$$\n")
    (root / "docs/published-ids.txt").write_text("tiny-bytes\n")
    table = "<table><thead><tr><th>part</th><th>bytes</th></tr></thead><tbody><tr><td>weights</td><td>2</td></tr></tbody></table>"
    cells = [new_markdown_cell("# Tiny proof\n\nSixteen bytes, $2+2+12$.\n\n## Count\n\nBy part.")]
    cells += [executed("#| label: bytes\n2 + 2 + 12", 16)]
    cells += [executed("#| label: shares\n{'optimizer': 12 / 16}", {"optimizer": 0.75})]
    cells += [executed("#| label: parts\nframe", "frame", table)]
    write_notebook(root / "notebooks/cuda/tiny.ipynb", cells)
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config = re.sub(r"^ +- \w+/(?!index\.md)[\w-]+\.md\n", "", config, flags=re.M)
    (root / "mkdocs.yml").write_text(config.replace("cuda/index.md\n", "cuda/index.md\n      - cuda/memory.md\n"))
    run = subprocess.run([sys.executable, "-m", "mkdocs", "build", "-q"], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    server = serve(root / "site")
    yield f"http://127.0.0.1:{server.server_port}/"
    stop(server)


def unwanted(folder: Path, names: list[str]) -> set[str]:
    """Of docs/ the chapters, and what names their questions."""
    chapters = {n for n in names if folder.parent == ROOT / "docs" and n.endswith(".md") and n != "index.md"}
    return chapters | {"search.yaml", "decisions"}


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", list(PAGES))
def test_the_layout_is_as_it_was(browser, small_book, request, kind, scheme, width, capsys):
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    context = browser.new_context(base_url=small_book, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    context.add_init_script(NO_WORKER)
    page = context.new_page()
    page.goto(PAGES[kind])
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => null)")
    lay_out_all(page)
    boxes, picture = page.evaluate(BOXES), Image.open(BytesIO(page.screenshot())).convert("RGB")
    context.close()
    name = f"{kind}-{scheme}-{width}"
    if request.config.getoption("--renew"):
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json").write_text("[\n" + ",\n".join(map(json.dumps, boxes)) + "\n]\n")
        picture.quantize(COLORS).save(FOLDER / f"{name}.png", optimize=True)
        return
    share = different(Image.open(FOLDER / f"{name}.png").convert("RGB"), picture)
    if share > 0.01:
        with capsys.disabled():
            print(f"\n{name}: {share:.1%} of the picture differs")
    assert moved(json.loads((FOLDER / f"{name}.json").read_text()), boxes) == []


def moved(expected: list[list], got: list[list]) -> list[str]:
    """The blocks that stand elsewhere, came or went."""
    if [row[0] for row in expected] != [row[0] for row in got]:
        return [f"the blocks were {[row[0] for row in expected]}, now {[row[0] for row in got]}"]
    limits = (SIDE, HEIGHT, SIDE, HEIGHT)
    return [
        f"{old[0]}: x, y, width, height were {old[1:]}, now {new[1:]}"
        for old, new in zip(expected, got, strict=True)
        if any(abs(a - b) > limit for a, b, limit in zip(old[1:], new[1:], limits, strict=True))
    ]


def different(expected: Image.Image, got: Image.Image) -> float:
    """The share of pixels that differ by more than an eighth in any channel; 1 where the sizes do."""
    if expected.size != got.size:
        return 1.0
    worst = ImageChops.difference(expected, got).split()
    both = ImageChops.lighter(ImageChops.lighter(worst[0], worst[1]), worst[2])
    return sum(both.histogram()[32:]) / (expected.size[0] * expected.size[1])


def test_a_moved_block_is_told():
    boxes = [["h1", 10, 20, 300, 40], ["p", 10, 70, 300, 60]]
    assert moved(boxes, [["h1", 10, 22, 300, 41], ["p", 11, 74, 300, 60]]) == []
    assert len(moved(boxes, [["h1", 10, 20, 300, 40], ["p", 10, 90, 300, 60]])) == 1
    assert len(moved(boxes, boxes[:1])) == 1


def test_another_picture_is_told():
    one, other = Image.new("RGB", (10, 10), "white"), Image.new("RGB", (10, 10), "white")
    other.paste((0, 0, 0), (0, 0, 5, 10))
    assert different(one, one) == 0
    assert different(one, other) == 0.5
