"""The pools of `psycoxide.aio`."""
