"""What works through connection poolers: the same as through psycopg2, or more."""
