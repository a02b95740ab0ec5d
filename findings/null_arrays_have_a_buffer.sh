#!/bin/sh
# A column without any value leaves polars as an Arrow array with a buffer that the interface says it has not.
#
# Seen: polars 2.1.0, pyarrow 26.0.1, November 2026.
#
# Arrays of Arrow's type Null have only a length: the C data interface gives them no buffers, not even one for
# validity, which all others have. pyarrow exports `n_buffers = 0`. polars makes that type of `[None, None]`, as
# pyarrow does, and exports `n_buffers = 1`, with a pointer that is NULL. pyarrow, the library that most people test
# with, takes it without a word. Readers that go by the interface's text may refuse the whole table for it, and
# with an error that names no column; it then depends on the data whether a program runs: one value that is not None,
# and the column has another type.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import ctypes

import polars
import pyarrow as pa


class Array(ctypes.Structure):
    """ArrowArray of the C data interface."""


Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(Array))),
    ("dictionary", ctypes.POINTER(Array)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]


class Stream(ctypes.Structure):
    """ArrowArrayStream, as far as it is used here."""

    _fields_ = [
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Array))),
    ]


pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
pointer_of.restype = ctypes.c_void_p
pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


def buffers(data):
    """How many buffers the first column's first array has, and what they point to."""
    capsule = data.__arrow_c_stream__()
    address = pointer_of(capsule, b"arrow_array_stream")
    stream = ctypes.cast(address, ctypes.POINTER(Stream)).contents
    batch = Array()
    assert stream.get_next(address, ctypes.byref(batch)) == 0
    column = batch.children[0].contents
    assert (column.length, column.n_children) == (2, 0)
    return [column.buffers[place] for place in range(column.n_buffers)]


frame = polars.DataFrame({"nothing": [None, None]})
table = pa.table({"nothing": [None, None]})
print("types:", frame.schema["nothing"], "and", table.schema.field("nothing").type)
seen = {"polars": buffers(frame), "pyarrow": buffers(table)}
print("buffers:", seen)
assert seen == {"polars": [None], "pyarrow": []}, "this has changed"
print("pyarrow takes polars':", pa.table(frame).to_pydict())
PYTHON
