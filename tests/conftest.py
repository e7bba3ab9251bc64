"""Fixtures: the project's root, and a tiny project that tests may break."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from handbook import notebooks
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

pytest_plugins = ["browsing"]

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="renew the pictures that test_pictures.py compares with")


CHAPTER = """\
---
title: Tiny memory
description: A chapter of one question, as small as the rules allow.
questions:
  tiny-bytes:
    level: core
    asked: [list-01]
    reviewed: 2026-11-22
---

# Tiny memory

What the chapter is about, with $N$ ranks.

## How many bytes does a parameter need? { #tiny-bytes }

Mixed-precision Adam keeps [16 bytes](../../notebooks/cuda/tiny.ipynb#bytes) for every parameter, of which the
optimizer owns [75 %](../../notebooks/cuda/tiny.ipynb#shares.optimizer). The weights and the gradients take two bytes each,
and the master copy with both moments takes the rest, all of it in single precision, on every rank of the job.[^adam]

| part | bytes |
| --- | --- |
| all | [16](../../notebooks/cuda/tiny.ipynb#bytes) |

![The bytes of a parameter by part](../../notebooks/cuda/tiny.ipynb#parts)

> [!WARNING]
> **Often said, but wrong:** "Adam costs 12 bytes." That is the optimizer alone; see [bytes](#tiny-bytes).[^adam]

> [!TIP]
> **What a strong answer adds:** activations are not in it.

**Follow-ups**

- *And with $N = 64$ ranks?* A share of it.
- *And without Adam?* Less.

[^adam]: Kingma, Ba. "Adam". [arXiv:1412.6980](https://arxiv.org/abs/1412.6980), algorithm 1.
"""

CONFIG = """\
site_name: Tiny
site_url: https://example.org/
repo_url: https://github.com/example/tiny
theme: {name: material, font: false}
exclude_docs: "sources.yaml\\npublished-ids.txt\\n"
hooks: [scripts/hooks.py]
plugins:
  - search
  - mkdocs-jupyter: {execute: false, allow_errors: false, include_source: true, cache: false}
markdown_extensions: [tables, footnotes, attr_list, admonition, pymdownx.superfences, handbook.evidence, handbook.mathematics, pymdownx.quotes: {callouts: true}]
"""


def executed(source: str, value: object, html: str | None = None) -> nbformat.NotebookNode:
    """A code cell as if it had run and ended in `value`."""
    data = {"text/plain": repr(value)} | ({"text/html": html} if html else {})
    return new_code_cell(source, outputs=[new_output("execute_result", data, execution_count=1)], execution_count=1)


def write_notebook(path: Path, cells: list[nbformat.NotebookNode]) -> None:
    """Write a notebook, normalized and stamped as an execution would leave it."""
    node = new_notebook(cells=cells)
    notebooks.normalize(node)
    node.metadata["handbook"] = {"code": notebooks.code_hash(node, path), "outputs": notebooks.output_hash(node)}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(node, path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the shared browser go last: until it is closed, no other event loop can run in this process.

    Executing a notebook needs a loop of its own, and so does a browser that a test opens for itself.
    """
    items.sort(key=lambda item: "browser" in item.fixturenames)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A whole project with one chapter and one notebook, in a folder of its own."""
    (tmp_path / "docs/cuda").mkdir(parents=True)
    (tmp_path / "notebooks/data").mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/hooks.py", tmp_path / "scripts/hooks.py")
    (tmp_path / "mkdocs.yml").write_text(CONFIG)
    (tmp_path / "docs/index.md").write_text("# Tiny\n\nA tiny handbook: [memory](cuda/memory.md).\n")
    (tmp_path / "docs/cuda/memory.md").write_text(CHAPTER)
    (tmp_path / "docs/published-ids.txt").write_text("tiny-bytes\n")
    shutil.copy(ROOT / "docs/sources.yaml", tmp_path / "docs/sources.yaml")
    table = '<div>\n<table border="1" class="dataframe"><thead><tr><th>part</th></tr></thead><tbody><tr><td>weights</td></tr></tbody></table>\n</div>'
    write_notebook(
        tmp_path / "notebooks/cuda/tiny.ipynb",
        [
            new_markdown_cell(
                "# Tiny proof\n\nSixteen bytes, $2+2+12$. Cited by [bytes](../../docs/cuda/memory.md#tiny-bytes)."
            ),
            executed("#| label: bytes\n2 + 2 + 12", 16),
            executed("#| label: shares\n{'optimizer': 12 / 16}", {"optimizer": 0.75}),
            executed("#| label: parts\nframe", "frame", table),
        ],
    )
    return tmp_path
