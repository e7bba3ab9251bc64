"""The rule by which a text agrees with a value."""

from __future__ import annotations

import pytest
from handbook.agreement import Disagreement, agree

AGREE = [
    ("16 bytes", 16),
    ("131,072 B", 131072),
    ("131 072", 131072),
    ("131\u202f072", 131072),
    ("120.0 GB", 120.0),
    ("1.9 GB", 1.875),
    ("1.9", 1.85),
    ("$2.1\\times10^{5}$", 209_715),
    ("2.1×10⁵", 209_715),
    ("2.10e5", 209_715),
    ("1.5e-3", 0.0015),
    ("$3.2 \\times 10^{-4}$ s", 0.00032),
    ("37 %", 0.37),
    ("37%", 0.374),
    ("$12.5\\,\\%$", 0.125),
    ("-3 dB", -3),
    ("−0.5", -0.5),
    ("0", 0),
    ("1.5×", 1.5),
    ("$1.5\\times$", 1.5),
    ("≈3×", 3.6),
    ("≈100", 80.1),
    ("$\\approx 40$ ms", 38.0),
    ("twelve sectors", 12),
    ("Four", 4),
    ("yes", True),
    ("No", False),
    ("`HMMA.16816.F32`", "HMMA.16816.F32"),
    ("round  robin", "round robin"),
    ("9 m²", 9),
    ("$8{,}192$", 8192),
    ("1000 MB", 1000.4),
]
DISAGREE = [
    ("17 bytes", 16),
    ("131,073 B", 131072),
    ("1.90", 1.85),
    ("1.9", 1.8499),
    ("2.1×10⁵", 216_000),
    ("2.1×10⁴", 209_715),
    ("3.2e4", 3.2e5),
    ("37 %", 37),
    ("37", 0.37),
    ("38 %", 0.374),
    ("3", -3),
    ("-3", 3),
    ("≈3×", 4.1),
    ("three", 4),
    ("one or two", 1),
    ("yes", False),
    ("1", True),
    ("HMMA", "HGMMA"),
    ("5 of 8", 5),
    ("many", 5),
    ("5", float("nan")),
    ("5", {"a": 5}),
    ("100", 100.6),
    ("1,00", 100.4),
]


@pytest.mark.parametrize(("text", "value"), AGREE)
def test_agrees(text, value):
    agree(text, value)


@pytest.mark.parametrize(("text", "value"), DISAGREE)
def test_disagrees(text, value):
    with pytest.raises(Disagreement):
        agree(text, value)


def test_every_changed_digit_of_an_exact_number_is_caught():
    for position in range(6):
        for digit in "0123456789":
            changed = "131072"[:position] + digit + "131072"[position + 1 :]
            if changed != "131072":
                with pytest.raises(Disagreement):
                    agree(changed, 131072)
