"""Find the numbers of a chapter that nothing proves."""

from __future__ import annotations

import re

from . import chapters, evidence
from .problems import Problem

# A number behind one of these words is part of a name, a version or a reference, not a quantity.
NAMES = (
    "Algorithm Appendix Chapter Definition Equation Eq Figure Fig Lemma Level Listing Page Part Proposition Section Sections Step Table "
    "Tables Theorem Version version capability opset IEEE ISO RFC "
    "CUDA CUTLASS CuTe DeepSpeed Debian GCC JAX Keras LightGBM Linux NCCL NumPy ONNX PTX PyTorch Python SciPy TensorFlow TensorRT "
    "Triton TVM XGBoost CatBoost cuBLAS cuDNN numba nvcc torch torchao torchvision transformers vLLM "
    "InfiniBand NVLink NVSwitch PCIe RTX GTX GeForce Tesla Quadro Llama GPT Phi Qwen Gemma Mistral Mixtral DeepSeek"
).split()
_FREE = [
    re.compile(r"\b(?:" + "|".join(NAMES) + r")\.?\s+v?\d+(?:\.\d+)*(?:[\s–-]+(?:and|to)?\s*\d+(?:\.\d+)*)?\b"),
    re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b"),  # dates
    re.compile(r"(?<![\d.,])(?:19[5-9]\d|20[0-3]\d)s?(?!\d|,\d|\.\d|\s?[%×])"),  # years
    re.compile(r"\b(?:8|16|32|64|128)-bit\b"),  # names of types
    re.compile(r"[A-Za-z_][\w+]*(?:[-‑.]\w+)*\d[\w.]*"),  # A100, FP8, sm_90, ResNet-50
]
_BARE_NUMBER = re.compile(
    r"(?<![\w.^])(?:\d{1,3}(?:[,\u2009\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?(?:\s*%|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|\^[\d{}-]+)?"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])(?:[\"”)*_]*)(?:\[\^[^\]]+\])*\s+(?=[\"“*(\[]*[A-Z0-9\[])")
_FOOTNOTE = re.compile(r"\[\^[^\]]+\](?!:)")
_DEFINITION = re.compile(r"^\[\^[^\]]+\]:.*(?:\n[ \t]+\S.*)*", re.M)


def check(chapter: chapters.Chapter) -> list[Problem]:
    """Numbers of prose and tables that nothing proves: no claim, no formula or code, no footnote beside them.

    Not counted: whole numbers up to 12, years, dates, names and versions (NAMES), headings, which
    state what is given, and the front matter. A footnote covers its sentence or its table row.
    """
    text = _blank_span(chapter.text, 0, chapter.body_start)
    text = chapters.without_math(chapters.without_code(text))
    text = chapters.blank(text, re.compile(r"^#{1,6} .*$", re.M), _DEFINITION, re.compile(r"\{\s*#[^}]*\}"))
    for link in chapters.links(text):
        start, end = link.span
        match = evidence.TARGET.match(link.target)
        inner = start + (2 if link.image else 1)
        stop = inner if link.image or (match and match["label"]) else inner + len(link.text)
        text = _blank_span(_blank_span(text, start, inner), stop, end)
    problems = []
    for offset, unit in _units(text):
        if _FOOTNOTE.search(unit):
            continue
        bare = chapters.blank(unit, *_FREE)
        for match in _BARE_NUMBER.finditer(bare):
            number = match[0].strip()
            if re.fullmatch(r"[0-9]+", number) and int(number) <= 12:
                continue
            problems.append(
                Problem(
                    chapter.file,
                    chapters.line_of(text, offset + match.start()),
                    f"the number {number} is unsupported",
                    "Link it to a notebook cell, cite its source in the same sentence, or leave it out",
                )
            )
    return problems


def _blank_span(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def _units(text: str) -> list[tuple[int, str]]:
    """What one footnote covers: a sentence of a paragraph or list item, or a table row; with offsets."""
    units = []
    block_start = None
    pieces: list[tuple[int, int]] = []
    position = 0
    for line in [*text.splitlines(keepends=True), "\n"]:
        stripped = re.sub(r"^[\s>]*", "", line)
        is_row = stripped.startswith("|")
        begins_item = re.match(r"(?:[-*+]|\d+[.)])\s", stripped)
        if (not stripped or is_row or begins_item) and block_start is not None:
            pieces.append((block_start, position))
            block_start = None
        if is_row:
            pieces.append((position, position + len(line)))
        elif stripped and block_start is None:
            # An ordered list's own number is no quantity: the piece begins behind it.
            marker = re.match(r"[\s>]*(?:\d+[.)]\s)?", line)
            block_start = position + (marker.end() if marker else 0)
        position += len(line)
    for start, end in pieces:
        block = text[start:end]
        at = 0
        if not block.lstrip(" >").startswith("|"):
            for stop in _SENTENCE_END.finditer(block):
                units.append((start + at, block[at : stop.end()]))
                at = stop.end()
        units.append((start + at, block[at:]))
    return units
