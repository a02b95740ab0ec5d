"""What works through connection poolers: runs the scenarios and writes the manual's table."""
