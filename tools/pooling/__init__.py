"""Runs the scenarios through connection poolers and writes the manual's table."""
