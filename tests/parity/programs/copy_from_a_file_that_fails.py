"""COPY FROM a file whose read() raises."""


class Bad:
    def read(self, size=-1):
        raise ZeroDivisionError("mine")


cur = conn.cursor()
cur.execute("create temporary table c (a int, b text)")
attempt(lambda: cur.copy_from(Bad(), "c"))
conn.rollback()
