"""What the pools of `psycoxide.aio` and of `psycoxide.sync` have in common."""
