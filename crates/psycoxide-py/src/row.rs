//! From the raw rows of a result to Python rows.
