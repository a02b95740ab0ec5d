"""What waits, on gevent: psycopg2's API in green mode, and gevent's own web server."""
