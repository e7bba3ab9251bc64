"""The rule by which a text agrees with a value. `agree` states it whole; nothing else decides it."""

from __future__ import annotations

import math
import re

from .notebooks import Value

APPROXIMATE = 0.25  # what ≈ allows, relative to the value

_MANTISSA = r"(?P<sign>[+\-−]?)(?P<digits>\d{1,3}(?:[, \u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)(?P<decimals>\.\d+)?"
_EXPONENT = r"(?:[eE](?P<e>[+\-−]?\d+)|\s*[×x*]\s*10(?:\^\{?(?P<caret>[+\-−]?\d+)\}?|(?P<super>[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)))?"
_NUMBER = re.compile(_MANTISSA + _EXPONENT + r"(?P<percent>\s*%)?")
_SUPERSCRIPT = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_WORDS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())}
_TEX = [
    (re.compile(r"\\(?:text|mathrm|operatorname|textbf|mathbf)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])"), "×"),
    (re.compile(r"\\approx(?![a-zA-Z])"), "≈"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\[,;: ]|~"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"[$`*]"), ""),
]


class Disagreement(Exception):
    """The text does not say what the notebook says; the message gives the reason."""


def agree(text: str, value: Value) -> None:
    """Raise Disagreement unless `text`, as a chapter writes it, says `value`, as a notebook computed it.

    The rule, whole:

    1. *Stripped* from the text: math dollars, code ticks, emphasis, TeX's `\\text{}`, `\\,` and the
       like (`\\times` is `×`, `\\approx` is `≈`, `\\%` is `%`).
    2. A **string** agrees with the same string, spaces folded. A **boolean** agrees with yes, no, true
       or false, in any case.
    3. A **number** agrees with a text that holds exactly one number: an optional sign, digits with or
       without thousands separators (comma, space, thin or non-breaking space), decimals, and an
       exponent as `e5`, `×10^5`, `×10^{5}` or `×10⁵`. A text without digits may hold one of the words
       zero to twelve. What stands around the number (a unit, a trailing `×`) is not read, but may
       hold no other digit than a superscript. Units are not converted: the cell gives the value in
       the unit that the chapter prints.
    4. **Percent**: with `%` behind it the number is a fraction: `37 %` agrees with 0.37.
    5. **Precision**: the printed number and the value may differ by half a unit of the last place
       that is printed, the exponent and the percent included: `1.9` agrees with 1.85 to 1.95, `1.90`
       with 1.895 to 1.905, `2.1×10^5` with 205,000 to 215,000, `131,072` with that number alone.
    6. **`≈`** in front: within 25 % of the value instead, whatever the digits.
    7. The sign counts. A value that is not finite agrees with nothing.
    8. A **mapping** agrees with nothing: the claim names one of its keys.
    """
    said = text
    for pattern, replacement in _TEX:
        said = pattern.sub(replacement, said)
    said = " ".join(said.replace("\u00a0", " ").split()) if not re.search(r"\d", said) else said.strip()
    if isinstance(value, dict):
        raise Disagreement(f"the cell holds a mapping; name one of its keys: {', '.join(value)}")
    if isinstance(value, bool):
        if said.lower() not in (("yes", "true") if value else ("no", "false")):
            raise Disagreement(f"the notebook says {'yes' if value else 'no'}")
        return
    if isinstance(value, str):
        if " ".join(said.split()) != " ".join(value.split()):
            raise Disagreement(f"the notebook says {value!r}")
        return
    _agree_number(said, value)


def _agree_number(said: str, value: int | float) -> None:
    shown, unit = _read_number(said)
    if not math.isfinite(value):
        raise Disagreement(f"the notebook's value is {value}")
    if said.startswith("≈"):
        if abs(shown - value) > APPROXIMATE * abs(value):
            raise Disagreement(f"the notebook says {value:g}, which is not within {APPROXIMATE:.0%}")
    # The slack is for binary fractions: 1.85 is a hair below 1.85.
    elif abs(shown - value) > unit / 2 + 1e-9 * max(abs(value), unit):
        raise Disagreement(f"the notebook says {value!r}")


def _read_number(said: str) -> tuple[float, float]:
    """The one number of a cleaned text, and the unit of its last printed place."""
    matches = list(_NUMBER.finditer(said))
    if not matches:
        words = [_WORDS[w] for w in re.findall(r"[a-z]+", said.lower()) if w in _WORDS]
        if len(words) != 1:
            raise Disagreement(f"{said!r} holds no number to compare")
        return float(words[0]), 1.0
    match = matches[0]
    if len(matches) > 1 or re.search(r"\d", said[: match.start()] + said[match.end() :].translate(_NO_SUPERSCRIPT)):
        raise Disagreement(f"{said!r} holds more than one number; make each a claim of its own")
    sign = -1 if match["sign"] in ("-", "−") and match["sign"] else 1
    if match["sign"] and match.start() and said[match.start() - 1].isalnum():
        sign = 1  # a hyphen inside a word, not a minus
    decimals = match["decimals"] or ""
    exponent = match["e"] or match["caret"] or (match["super"] or "0").translate(_SUPERSCRIPT)
    power = int(exponent.replace("−", "-"))
    if match["percent"]:
        power -= 2
    digits = re.sub(r"\D", "", match["digits"])
    return sign * float(f"{digits}{decimals}e{power}"), 10.0 ** (power - max(len(decimals) - 1, 0))


_NO_SUPERSCRIPT = str.maketrans("", "", "⁰¹²³⁴⁵⁶⁷⁸⁹")
