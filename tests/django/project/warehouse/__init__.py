"""A program of Django's: items."""
