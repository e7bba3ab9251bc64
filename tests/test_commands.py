"""The commands: what they print, write and return."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import benchmark
import chromium
import pytest
from conftest import CHAPTER, ROOT


@pytest.fixture
def project(tiny: Path) -> Path:
    """The tiny project with commands of its own: each works on the folder above it."""
    for name in ("check.py", "ids.py", "execute.py"):
        (tiny / "scripts" / name).write_text((ROOT / "scripts" / name).read_text())
    return tiny


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=project, capture_output=True, text=True)


def test_check_counts_and_fails_with_file_and_line(project):
    done = run(project, "scripts/check.py")
    assert (done.returncode, done.stdout) == (0, "1 chapters, 1 questions, 4 claims: 0 problems\n")
    (project / "docs/cuda/memory.md").write_text(CHAPTER.replace("[75 %]", "[57 %]"))
    done = run(project, "scripts/check.py", "docs/cuda/memory.md")
    assert done.returncode == 1
    assert done.stderr.startswith("docs/cuda/memory.md:")


def test_ids_appends_and_check_writes_nothing(project):
    listed = project / "docs/published-ids.txt"
    listed.write_text("")
    done = run(project, "scripts/ids.py", "--check")
    assert (done.returncode, done.stdout, listed.read_text()) == (1, "+tiny-bytes\n", "")
    assert run(project, "scripts/ids.py").returncode == 0
    assert listed.read_text() == "tiny-bytes\n"


def test_execute_writes_the_stale_and_compares_all(project):
    path = project / "notebooks/cuda/tiny.ipynb"
    node = json.loads(path.read_text())
    node["cells"] = node["cells"][:3]  # the table's cell was never real code
    node["cells"][1]["source"] = "#| label: bytes\n2 + 2 + 13"
    path.write_text(json.dumps(node))
    assert run(project, "scripts/execute.py", "--check").returncode == 1
    assert '"17"' not in path.read_text()
    assert run(project, "scripts/execute.py").returncode == 0
    assert '"17"' in path.read_text()
    done = run(project, "scripts/execute.py", "--check")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 notebooks compared, 0 failed")


def test_a_failing_notebook_keeps_its_old_file(project):
    path = project / "notebooks/cuda/tiny.ipynb"
    node = json.loads(path.read_text())
    node["cells"][1]["source"] = "1 / 0"
    before = json.dumps(node)
    path.write_text(before)
    done = run(project, "scripts/execute.py")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert path.read_text() == before


def test_a_given_browser_is_used(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/somewhere/chromium")
    assert chromium.find() == "/somewhere/chromium"


def test_the_benchmark_copies_a_chapter_under_new_ids():
    text = "questions:\n  mixup:\n    level: core\n\n## What is mixup? { #mixup }\n\n[it](#mixup), [a cell](../../notebooks/a/b.ipynb#mixup)\n"
    copy = benchmark.renamed(text, {"mixup": "mixup-2"})
    assert "  mixup-2:\n" in copy
    assert "## What is mixup? { #mixup-2 }" in copy
    assert "[it](#mixup-2), [a cell](../../notebooks/a/b.ipynb#mixup)" in copy
