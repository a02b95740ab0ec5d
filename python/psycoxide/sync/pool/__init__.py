# Generated from python/psycoxide/aio/pool/__init__.py by tools/generate_sync.py: do not edit.
"""The pools of `psycoxide.sync`."""
