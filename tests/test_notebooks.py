"""Reading, executing, normalizing and comparing notebooks."""

from __future__ import annotations

import copy
from pathlib import Path

import nbformat
import pytest
from conftest import executed, write_notebook
from handbook import notebooks
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TITLE = new_markdown_cell("# Title\n\nClaim.")


def problems(root: Path, *cells) -> list[str]:
    path = root / "notebooks/cuda/new.ipynb"
    write_notebook(path, [TITLE, *cells])
    return [p.what for p in notebooks.check(notebooks.read(path, root))]


def test_values(tiny):
    labels = notebooks.read(tiny / "notebooks/cuda/tiny.ipynb", tiny).labels
    assert labels["bytes"].value == 16
    assert labels["shares"].value == {"optimizer": 0.75}
    assert "<table" in labels["parts"].rich("text/html")


def test_each_value_of_a_mapping_has_its_place_in_the_text(tiny):
    source = "#| label: x\nx"
    value = {"größe": "2 µm, 'wide'", "b": {"c": 2.0, "long-name": -1e-05}, "of many words " * 5: True, "d": 3}
    write_notebook(tiny / "notebooks/cuda/new.ipynb", [TITLE, executed(source, value), executed(source, 3)])
    cells = notebooks.read(tiny / "notebooks/cuda/new.ipynb", tiny).cells
    found = {name: cells[1].result[start:end] for name, start, end in cells[1].entries}
    assert found["x.größe"] == "\"2 µm, 'wide'\""
    assert found["x.b.c"] == "2.0"
    assert found["x.b.long-name"] == "-1e-05"
    assert (found["x.d"], len(found)) == ("3", 5)
    assert list(cells[2].entries) == []


@pytest.mark.parametrize("value", [3, -2.5, True, "text", {"a": 1, "b": {"c": 2.0}}])
def test_value_types(tiny, value):
    assert problems(tiny, executed("#| label: x\nx", value)) == []


@pytest.mark.parametrize("value", [[1], (1,), None, {1: 2}, {}, 1j])
def test_other_values_are_refused(tiny, value):
    assert any("ends in no value" in what for what in problems(tiny, executed("#| label: x\nx", value)))


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("#| label: Bad_Label\n1", "kebab-case"),
        ("#| lable: x\n1", "unknown directive"),
        ("#| label: x\n#| varies: maybe\n1", "varies"),
        ("#| label: x\n#| tolerance: wide\n1", "tolerance"),
    ],
)
def test_bad_directives(tiny, source, cause):
    assert any(cause in what for what in problems(tiny, executed(source, 1)))


def test_repeated_label(tiny):
    assert any(
        "stands twice" in what for what in problems(tiny, executed("#| label: x\n1", 1), executed("#| label: x\n1", 1))
    )


def test_an_error_output_is_refused(tiny):
    failed = new_code_cell("1 / 0", outputs=[new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])])
    assert any("raised an error" in what for what in problems(tiny, failed))


def test_a_warning_in_an_output_is_refused(tiny):
    warned = new_code_cell("x", outputs=[new_output("stream", name="stderr", text="/tmp/1.py: UserWarning")])
    assert any("error stream" in what for what in problems(tiny, warned))


def test_changed_code_or_data_is_stale(tiny):
    path = tiny / "notebooks/cuda/new.ipynb"
    data = tiny / "notebooks/data/table.csv"
    data.write_text("a\n1\n")
    write_notebook(path, [TITLE, executed("open('../data/table.csv').read()", "a\n1\n")])
    assert not notebooks.read(path, tiny).stale
    data.write_text("a\n2\n")
    assert notebooks.read(path, tiny).stale
    data.write_text("a\n1\n")
    path.write_text(path.read_text().replace(".read()", ".read( )"))
    assert notebooks.read(path, tiny).stale


def test_a_hand_edited_output_is_found(tiny):
    path = tiny / "notebooks/cuda/tiny.ipynb"
    path.write_text(path.read_text().replace('"16"', '"17"'))
    assert any("edited by hand" in p.what for p in notebooks.check(notebooks.read(path, tiny)))


def test_a_broken_file_names_itself(tiny):
    path = tiny / "notebooks/cuda/tiny.ipynb"
    path.write_text(path.read_text()[:-30])
    with pytest.raises(notebooks.BrokenNotebook) as broken:
        notebooks.read(path, tiny)
    assert broken.value.problem.file == "notebooks/cuda/tiny.ipynb"


def test_lines_of_cells(tiny):
    path = tiny / "notebooks/cuda/tiny.ipynb"
    rows = path.read_text().splitlines()
    for cell in notebooks.read(path, tiny).cells:
        assert '"source"' in rows[cell.line - 1] and cell.source.splitlines()[0][:10] in rows[cell.line]


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "same"),
    [
        ("loss 0.25", "loss 0.2500001", 1e-6, True),
        ("loss 0.25", "loss 0.2501", 1e-6, False),
        ("{'n': 16}", "{'n': 17}", 1e-9, False),
        ("1e-17", "0.0", 1e-9, True),
        ("a b", "a  b", 1e-9, True),
        ("HMMA.16816", "HMMA.16817", 0.1, False),
        ("step 3 of 10", "step 3 off 10", 1, False),
    ],
)
def test_same_text(a, b, tolerance, same):
    assert notebooks.same_text(a, b, tolerance) is same


def run(tmp_path: Path, *sources: str) -> nbformat.NotebookNode:
    path = tmp_path / "notebooks/cuda/run.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[TITLE, *map(new_code_cell, sources)]), path)
    return notebooks.execute(path, limit=60)


def test_execution_is_repeatable_and_comparison_sees_a_change(tmp_path):
    sources = (
        "import os\nprint('a'); print('b')\nos.path.basename(os.getcwd())",
        "#| label: x\n#| tolerance: 1e-3\n{'loss': 0.5}",
        "#| varies: true\n0.125",
    )
    first, second = run(tmp_path, *sources), run(tmp_path, *sources)
    assert first == second and notebooks.compare(first, second) == []
    changed = copy.deepcopy(first)
    changed.cells[2].outputs[0].data["text/plain"] = "{'loss': 0.5004}"  # within the cell's tolerance
    changed.cells[3].outputs[0].data["text/plain"] = "77.0"  # varies
    assert notebooks.compare(first, changed) == []
    changed.cells[2].outputs[0].data["text/plain"] = "{'loss': 0.6}"
    (message,) = notebooks.compare(first, changed)
    assert "(x)" in message and "0.5" in message and "0.6" in message
    changed.cells[2].outputs = []
    assert notebooks.compare(first, changed)


def test_a_failing_cell_is_named(tmp_path):
    with pytest.raises(notebooks.ExecutionFailed, match="cell 1(?s:.*)ZeroDivisionError"):
        run(tmp_path, "1 / 0")


def test_the_time_limit_bites(tmp_path):
    path = tmp_path / "notebooks/cuda/run.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=[new_code_cell("import time; time.sleep(60)")]), path)
    with pytest.raises(notebooks.ExecutionFailed, match="not done after"):
        notebooks.execute(path, limit=4)


def test_a_missing_tool_keeps_the_committed_output(tmp_path):
    path = tmp_path / "notebooks/cuda/run.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=[executed("#| label: x\n#| needs: no-such-tool\n1 / 0", 7)]), path)
    fresh = notebooks.execute(path, limit=60)
    assert fresh.cells[0].outputs[0].data["text/plain"] == "7"
    assert notebooks.missing_tool(fresh.cells[0].source) == "no-such-tool"


def test_a_tool_of_another_release_counts_as_missing(tmp_path, monkeypatch):
    tool = tmp_path / "odd-compiler"
    tool.write_text("#!/bin/sh\necho release 1.0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(notebooks, "RELEASES", {"odd-compiler": "release 2.0"})
    assert notebooks.missing_tool("#| needs: odd-compiler\n1") == "odd-compiler"
