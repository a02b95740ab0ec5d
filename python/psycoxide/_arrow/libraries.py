"""The libraries that Arrow tables are handed to. None of them is needed before that."""

from __future__ import annotations

import importlib
from typing import Any

from psycoxide._exceptions import NotSupportedError


def imported(name: str, method: str, extra: str) -> Any:
    """A module, or an error that says what to install.

    Raises NotSupportedError if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        raise NotSupportedError(
            f"{method} needs {name}: pip install 'psycoxide[{extra}]'. Libraries that know Arrow's "
            "PyCapsule interface take what fetch_arrow() returns, without it"
        ) from missing


def to_pyarrow(table: Any) -> Any:
    """A `pyarrow.Table` of anything with `__arrow_c_stream__`."""
    return imported("pyarrow", "fetch_arrow_table()", "arrow").table(table)


def to_reader(stream: Any) -> Any:
    """A `pyarrow.RecordBatchReader` of the same."""
    pyarrow = imported("pyarrow", "fetch_record_batch()", "arrow")
    return pyarrow.RecordBatchReader.from_stream(stream)


def to_pandas(table: Any) -> Any:
    """A `pandas.DataFrame` of the same."""
    pandas = imported("pandas", "fetch_df()", "pandas")
    imported("pyarrow", "fetch_df()", "pandas")
    if hasattr(pandas.DataFrame, "from_arrow"):
        return pandas.DataFrame.from_arrow(table)
    return to_pyarrow(table).to_pandas()


def to_polars(table: Any) -> Any:
    """A `polars.DataFrame` of the same.

    Raises NotSupportedError for an interval with months, which polars has no type for.
    """
    polars = imported("polars", "fetch_polars()", "polars")
    for name, kind in zip(table.column_names, table.column_types):
        if "Interval" in kind:
            raise NotSupportedError(
                f'polars has no type for the interval in column "{name}", which may have months: '
                'choose ArrowOptions(interval="duration"), or cast it in the query'
            )
    return polars.DataFrame(table)
