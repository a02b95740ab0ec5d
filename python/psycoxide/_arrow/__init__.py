"""Arrow data to and from tables: what `aio`, `sync` and the drop-in API have in common."""
