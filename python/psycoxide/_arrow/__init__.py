"""What `psycoxide.arrow` is made of: what `aio`, `sync` and the drop-in API have in common."""
