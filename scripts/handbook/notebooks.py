"""Read, execute, normalize and compare notebooks (.ipynb, committed with outputs).

A cell may begin with directives: `#| label: kebab-case`, `#| varies: true`, `#| tolerance: 1e-6`,
`#| needs: nvcc`. A labeled cell ends in its value: CONTRIBUTING.md tells which values there are.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import nbformat

from .problems import Problem

Value = bool | int | float | str | dict  # a dict's keys are strings, its values Values again
DIRECTIVES = {"label", "varies", "tolerance", "needs"}
DEFAULT_TOLERANCE = 1e-9  # relative; room for the last bits of a sum in another order
RELEASES = {"nvcc": "release 13.0"}  # another compiler counts other registers and spills
TIME_LIMIT = 180  # seconds for one notebook; well-behaved ones take under 20

_DIRECTIVE = re.compile(r"#\|\s*(\w+)\s*:\s*(.*?)\s*$")
_LABEL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])")


@dataclass(frozen=True)
class Cell:
    """One cell; `line` is where its source begins in the .ipynb file."""

    index: int
    kind: str
    source: str
    directives: dict[str, str]
    outputs: tuple[dict, ...]
    line: int

    @property
    def label(self) -> str | None:
        return self.directives.get("label")

    @property
    def varies(self) -> bool:
        return self.directives.get("varies") == "true"

    @property
    def tolerance(self) -> float:
        return float(self.directives.get("tolerance", DEFAULT_TOLERANCE))

    def rich(self, *types: str) -> str | None:
        """The first output of one of these MIME types; None where there is none."""
        for mime in types:
            for output in self.outputs:
                if mime in output.get("data", {}):
                    return output["data"][mime]
        return None

    @property
    def result(self) -> str:
        """The text of the value in which the cell ends, as its committed output shows it; empty where it ends in none."""
        return next((o["data"].get("text/plain", "") for o in self.outputs if o["output_type"] == "execute_result"), "")

    @cached_property
    def value(self) -> Value | None:
        """The value in which the cell ends, read from its committed output; None where it ends in none."""
        try:
            value = ast.literal_eval(self.result) if self.result else None
        except (ValueError, SyntaxError):
            return None
        return value if _is_value(value) else None

    @property
    def entries(self) -> Iterator[tuple[str, int, int]]:
        """Where the values of a mapping stand in `result`: their name as claims write it (`label.key`), start, end.

        Of an inner mapping its own values. Nothing where the cell ends in no mapping.
        """
        if not isinstance(self.value, dict):
            return
        text = self.result
        lines = [0, *(match.end() for match in re.finditer("\n", text))]

        def at(line: int, column: int) -> int:  # Python counts columns in bytes
            return lines[line - 1] + len(text[lines[line - 1] :].encode()[:column].decode())

        def walk(node: ast.Dict, name: str) -> Iterator[tuple[str, int, int]]:
            for key, value in zip(node.keys, node.values, strict=True):
                inner = f"{name}.{ast.literal_eval(key)}"
                if isinstance(value, ast.Dict):
                    yield from walk(value, inner)
                else:
                    yield inner, at(value.lineno, value.col_offset), at(value.end_lineno, value.end_col_offset)

        yield from walk(ast.parse(text, mode="eval").body, self.label or "")


def _is_value(value: object) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(isinstance(k, str) and _is_value(v) for k, v in value.items())
    return isinstance(value, bool | int | float | str)


@dataclass(frozen=True)
class Notebook:
    """An .ipynb file; `file` is relative to the project's root."""

    file: str
    title: str
    cells: tuple[Cell, ...]
    stamp: dict[str, str]  # hashes that the last execution left in the metadata
    output_hash: str
    data: Path  # the folder of the files that its code may read

    @cached_property
    def labels(self) -> dict[str, Cell]:
        return {cell.label: cell for cell in self.cells if cell.label}

    @property
    def stale(self) -> bool:
        """Code, or a data file that it reads, differs from what was executed."""
        code = [cell.source for cell in self.cells if cell.kind == "code"]
        return self.stamp.get("code") != _hash(code, self.data)


class BrokenNotebook(Exception):
    """The file is no notebook; carries a Problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def paths(root: Path) -> list[Path]:
    """The notebooks below notebooks/, in the order of their names."""
    return sorted(p for p in (root / "notebooks").glob("*/*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def read(path: Path, root: Path) -> Notebook:
    """Read one notebook; kept in memory until the file changes.

    Raises BrokenNotebook where the file is no valid notebook of version 4.
    """
    return _read(path, root, path.stat().st_mtime_ns)


@lru_cache(maxsize=1024)
def _read(path: Path, root: Path, modified: int) -> Notebook:
    file = path.relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    try:
        node = nbformat.reads(text, as_version=4)
        nbformat.validate(node)
    except Exception as error:  # nbformat raises half a dozen unrelated types
        line = getattr(error, "lineno", 1) if not isinstance(error, nbformat.ValidationError) else 1
        what = f"not a notebook: {str(error).splitlines()[0]}"
        raise BrokenNotebook(Problem(file, line, what, "Restore the file or save it anew from Jupyter")) from error
    lines = _source_lines(text)
    cells = tuple(
        Cell(
            i,
            c.cell_type,
            c.source,
            dict(_directives(c.source)) if c.cell_type == "code" else {},
            tuple(c.get("outputs", ())),
            lines[i] if i < len(lines) else 1,
        )
        for i, c in enumerate(node.cells)
    )
    title = next((m[1] for c in cells if c.kind == "markdown" and (m := re.match(r"#\s+(.+)", c.source))), path.stem)
    stamp = dict(node.metadata.get("handbook", {}))
    return Notebook(file, title.strip(), cells, stamp, output_hash(node), path.parent.parent / "data")


def _source_lines(text: str) -> list[int]:
    """The line at which each cell's source begins, in the layout that nbformat writes (indent 1)."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.match(r'   "source":', line)]


def _directives(source: str) -> Iterator[tuple[str, str]]:
    for line in source.splitlines():
        match = _DIRECTIVE.match(line)
        if not match:
            return
        yield match[1], match[2]


def code_hash(node: nbformat.NotebookNode, path: Path) -> str:
    """SHA-256 of the code cells, in order, and of every file of notebooks/data that they name."""
    return _hash([cell.source for cell in node.cells if cell.cell_type == "code"], path.parent.parent / "data")


def _hash(code: list[str], folder: Path) -> str:
    digest = hashlib.sha256("\0".join(code).encode())
    for data in sorted(folder.glob("*")):
        if any(data.name in source for source in code):
            digest.update(data.read_bytes())
    return digest.hexdigest()


def output_hash(node: nbformat.NotebookNode) -> str:
    """SHA-256 of all outputs: shows a hand-edited output at once."""
    outputs = [cell.get("outputs", []) for cell in node.cells if cell.cell_type == "code"]
    return hashlib.sha256(
        nbformat.v4.writes(nbformat.v4.new_notebook(metadata={"outputs": outputs})).encode()
    ).hexdigest()


def check(notebook: Notebook) -> list[Problem]:
    """What is wrong with one notebook, as far as reading shows."""
    problems: list[Problem] = []

    def fault(cell: Cell | None, what: str, remedy: str) -> None:
        problems.append(Problem(notebook.file, cell.line if cell else 1, what, remedy))

    again = f"Run make notebooks, or python scripts/execute.py {notebook.file}"
    if not notebook.cells or not re.match(r"#\s+\S", notebook.cells[0].source) or notebook.cells[0].kind != "markdown":
        fault(
            None,
            "the notebook has no title",
            "Begin with a Markdown cell: # Title, the claim in one sentence, a link to the questions",
        )
    if not notebook.stamp:
        fault(None, "the notebook was never executed by the project's command", again)
    elif notebook.stale:
        fault(None, "the outputs are stale: code or data changed since they were computed", again)
    elif notebook.stamp.get("outputs") != notebook.output_hash:
        fault(None, "an output was edited by hand", again)
    seen: dict[str, Cell] = {}
    for cell in notebook.cells:
        for key, value in cell.directives.items():
            if key not in DIRECTIVES:
                fault(cell, f"unknown directive {key!r}", "Known are " + ", ".join(sorted(DIRECTIVES)))
            if key == "label" and not _LABEL.fullmatch(value):
                fault(cell, f"the label {value!r} is not kebab-case", "Use small letters, digits and single hyphens")
            if key == "varies" and value not in ("true", "false"):
                fault(cell, f"varies: {value!r}", "Write true or false")
            if key == "tolerance" and not re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", value):
                fault(cell, f"tolerance: {value!r} is no number", "Write a relative tolerance such as 1e-6")
        if any(o["output_type"] == "error" for o in cell.outputs):
            fault(cell, "the cell raised an error", "Mend the code and execute the notebook again")
        if any(o.get("name") == "stderr" for o in cell.outputs):
            fault(
                cell,
                "the cell prints to the error stream",
                "Mend what it warns of: a warning names a file of this one run",
            )
        if cell.label in seen:
            fault(cell, f"the label {cell.label!r} stands twice", "Give this cell a label of its own")
        if cell.label:
            seen[cell.label] = cell
            if cell.value is None and cell.rich("image/svg+xml", "text/html") is None:
                fault(
                    cell,
                    f"the cell {cell.label!r} ends in no value",
                    "End it in a number, a string, a dict of them (plain Python: int(), float()), a DataFrame or a figure, and execute",
                )
    return problems


# ---- execution -------------------------------------------------------------------------------


class ExecutionFailed(Exception):
    """A notebook did not run through; the message names the cell."""


def execute(path: Path, limit: float = TIME_LIMIT) -> nbformat.NotebookNode:
    """Run a notebook in a fresh kernel, in its own folder, on one thread; returns it normalized and stamped.

    Cells whose `needs` names a command that is not on PATH keep their committed outputs. Raises
    ExecutionFailed with the cell and its error, or where `limit` seconds are over.
    """
    node = nbformat.read(path, as_version=4)
    asyncio.run(_execute(node, path, limit))
    normalize(node)
    node.metadata["handbook"] = {"code": code_hash(node, path), "outputs": output_hash(node)}
    return node


async def _execute(node: nbformat.NotebookNode, path: Path, limit: float) -> None:
    from nbclient import NotebookClient  # needed to execute only, not to build the site
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",  # two notebooks share the machine; more threads made small ones 20 times slower
        "SOURCE_DATE_EPOCH": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
    }
    client = NotebookClient(
        node, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}, record_timing=False
    )
    deadline = time.monotonic() + limit
    async with client.async_setup_kernel(env=environment):
        for index, cell in enumerate(node.cells):
            if cell.cell_type != "code" or missing_tool(cell.source):
                continue
            client.timeout = max(1, int(deadline - time.monotonic()))
            try:
                await client.async_execute_cell(cell, index)
            except CellTimeoutError:
                raise ExecutionFailed(
                    f"{path}: cell {index}: not done after {limit:.0f} s in all. Make the notebook smaller\n{cell.source}"
                ) from None
            except DeadKernelError:
                raise ExecutionFailed(
                    f"{path}: cell {index}: the kernel died (out of memory?)\n{cell.source}"
                ) from None
            except CellExecutionError as error:
                trace = re.sub(r"\x1b\[[0-9;]*m", "", f"{error.ename}: {error.evalue}\n{error.traceback}")
                raise ExecutionFailed(f"{path}: cell {index}\n{cell.source}\n{trace}") from None


def missing_tool(source: str) -> str | None:
    """The command that a cell needs and this machine lacks; None where the cell can run."""
    tool = dict(_directives(source)).get("needs")
    return tool if tool and not _is_there(tool) else None


@lru_cache
def _is_there(tool: str) -> bool:
    """Whether a command is on PATH, at the release whose results are committed where RELEASES names one."""
    if not shutil.which(tool):
        return False
    if tool not in RELEASES:
        return True
    return RELEASES[tool] in subprocess.run([tool, "--version"], capture_output=True, text=True).stdout


def normalize(node: nbformat.NotebookNode) -> None:
    """Remove from a notebook, in place, whatever would differ on a second run of the same code."""
    node.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    node.nbformat_minor = 5
    count = 0
    ids: set[str] = set()
    for index, cell in enumerate(node.cells):
        directives = dict(_directives(cell.source)) if cell.cell_type == "code" else {}
        label = directives.get("label", "")
        cell.id = label if _LABEL.fullmatch(label) and label not in ids else f"cell-{index}"
        ids.add(cell.id)
        cell.metadata = nbformat.NotebookNode({k: v for k, v in cell.metadata.items() if k == "tags"})
        if cell.cell_type != "code":
            cell.pop("attachments", None)
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            output.pop("transient", None)
            if output.output_type == "execute_result":
                output.execution_count = count
            data = output.get("data", {})
            if "metadata" in output:
                output.metadata = nbformat.NotebookNode()
            if "image/svg+xml" in data:
                svg = re.sub(r"\s*<metadata>.*?</metadata>", "", data["image/svg+xml"], flags=re.S)
                data["image/svg+xml"] = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.S)
                data.pop("text/plain", None)  # <Figure size 680x360 ...> tells nobody anything
            if "text/html" in data:
                data["text/html"] = re.sub(r"<style.*?</style>\s*", "", data["text/html"], flags=re.S)
        cell.outputs = _merged_streams(cell.outputs)


def _merged_streams(outputs: list) -> list:
    """One stream output where the kernel happened to send several in a row."""
    merged: list = []
    for output in outputs:
        if merged and output.output_type == "stream" == merged[-1].output_type and output.name == merged[-1].name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def compare(expected: nbformat.NotebookNode, got: nbformat.NotebookNode) -> list[str]:
    """How a fresh run differs from the committed outputs, a message for each cell; empty where it agrees.

    Text agrees where its words are equal and its numbers are within the cell's relative tolerance.
    Figures agree by being figures. A `varies` cell agrees where the types of its outputs do.
    """
    messages = []
    for index, (old, new) in enumerate(zip(expected.cells, got.cells, strict=True)):
        if old.cell_type != "code":
            continue
        cell = Cell(index, "code", old.source, dict(_directives(old.source)), tuple(old.outputs), 0)
        old_texts, new_texts = _texts(old.outputs), _texts(new.outputs)
        if [kind for kind, _ in old_texts] != [kind for kind, _ in new_texts]:
            difference = f"outputs {[k for k, _ in old_texts]}", f"outputs {[k for k, _ in new_texts]}"
        elif cell.varies:
            continue
        else:
            pairs = zip(old_texts, new_texts, strict=True)
            difference = next(((a, b) for (_, a), (_, b) in pairs if not same_text(a, b, cell.tolerance)), None)
        if difference:
            name = f"cell {index}" + (f" ({cell.label})" if cell.label else "")
            messages.append(
                f"{name}, tolerance {cell.tolerance:g}\n  expected: {difference[0]}\n  got:      {difference[1]}"
            )
    return messages


def _texts(outputs: list) -> list[tuple[str, str]]:
    found = []
    for output in outputs:
        if output.output_type == "stream":
            found.append((f"stream/{output.name}", output.text))
        for mime, text in sorted(output.get("data", {}).items()):
            found.append((mime, "" if mime.startswith("image/") else str(text)))
    return found


def same_text(a: str, b: str, tolerance: float) -> bool:
    """Equal words, and numbers equal within the relative tolerance (whole numbers exactly).

    >>> same_text("loss 0.25", "loss 0.2500001", 1e-6)
    True
    """
    # A table may pad a longer number: compare the words without their spacing.
    if [s.split() for s in _NUMBER.split(a)] != [s.split() for s in _NUMBER.split(b)]:
        return False
    for x, y in zip(_NUMBER.findall(a), _NUMBER.findall(b), strict=True):
        exact = tolerance <= DEFAULT_TOLERANCE and x.lstrip("+-").isdigit() and y.lstrip("+-").isdigit()
        if x != y and (exact or not math.isclose(float(x), float(y), rel_tol=tolerance, abs_tol=tolerance * 1e-3)):
            return False
    return True
