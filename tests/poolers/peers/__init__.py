"""Poolers, and servers behind them, started and ended for the tests: one product a file."""
