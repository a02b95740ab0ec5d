#!/bin/sh
# `Decimal(1) == numpy.int64(1)` raises TypeError, and `numpy.int64(1) == Decimal(1)` is True.
#
# Seen: numpy 2.4.6, CPython 3.11, November 2026.
#
# Every driver reads a numeric column as Decimal, and programs compare it with numbers from numpy or
# pandas. Whether the equality test raises depends on which number is on the left: numpy's integers are
# registered as `numbers.Rational`, so Decimal takes their `numerator` for a Python int, but it is a
# numpy integer again. With numpy's floats and its bool, and with fractions.Fraction, the same
# comparison works; `in` raises or not by which of the two is in the list, while a dict whose key has
# the same hash finds it. One would think that == between numbers is False at worst.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
"${PYTHON:-python3}" -m venv "$FOLDER/venv"
"$FOLDER/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6
"$FOLDER/venv/bin/python" - <<'PYTHON'
from decimal import Decimal
from fractions import Fraction

import numpy

COMPARISONS = {
    "Decimal(1) == numpy.int64(1)": "TypeError: argument must be an integer",
    "Decimal(1) < numpy.uint8(1)": "TypeError: argument must be an integer",
    "numpy.int64(1) in [Decimal(1)]": "TypeError: argument must be an integer",
    "numpy.int64(1) == Decimal(1)": "True",
    "Decimal(1) in [numpy.int64(1)]": "True",
    "Decimal(1) in {numpy.int64(1): None}": "True",
    "Decimal(1) == numpy.float32(1)": "True",
    "Decimal(1) == numpy.bool_(True)": "True",
    "Decimal(1) + numpy.int64(1)": "2",
    "Fraction(1) == numpy.int64(1)": "True",
}


def outcome(expression):
    try:
        return str(eval(expression))
    except TypeError as error:
        return f"TypeError: {error}"


seen = {expression: outcome(expression) for expression in COMPARISONS}
for expression, result in seen.items():
    print(f"{expression:40} {result}")
assert seen == COMPARISONS, "this has changed"
PYTHON
