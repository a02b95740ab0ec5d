"""Statements in batches, over a cursor that only notes what it is told."""

import pytest

from psycoxide.extras import _paginate, _split_sql, execute_batch, execute_values


class Noting:
    """A cursor that keeps the statements, and fetches their lengths."""

    encoding = "UTF8"

    def __init__(self):
        self.statements = []

    @property
    def connection(self):
        return self

    def mogrify(self, query, arguments):
        return query % tuple(b"%d" % a for a in arguments)

    def execute(self, query):
        self.statements.append(query)

    def fetchall(self):
        return [len(self.statements)]


@pytest.mark.parametrize(
    ("items", "pages"),
    [([], []), ([1], [[1]]), ([1, 2], [[1, 2]]), (iter([1, 2, 3]), [[1, 2], [3]])],
)
def test_pages(items, pages):
    assert list(_paginate(items, 2)) == pages


@pytest.mark.parametrize("size", [0, -1])
def test_a_page_holds_something(size):
    with pytest.raises(ValueError):
        list(_paginate([1], size))


@pytest.mark.parametrize(
    ("query", "before", "after"),
    [
        (b"values %s", b"values ", b""),
        (b"%s", b"", b""),
        (b"a %% %s b %%", b"a % ", b" b %"),
        (b"a %s 100%", b"a ", b" 100%"),
    ],
)
def test_splitting(query, before, after):
    assert tuple(map(b"".join, _split_sql(query))) == (before, after)


@pytest.mark.parametrize("query", [b"", b"none", b"%s %s", b"%(a)s", b"%d %s"])
def test_a_query_has_one_place(query):
    with pytest.raises(ValueError):
        _split_sql(query)


def test_execute_batch_joins_statements():
    cur = Noting()
    execute_batch(cur, b"f(%s)", [(1,), (2,), (3,)], page_size=2)
    assert cur.statements == [b"f(1);f(2)", b"f(3)"]


def test_execute_values_joins_rows():
    cur = Noting()
    assert execute_values(cur, "insert %s é", [(1, 2), (3, 4), (5, 6)], page_size=2) is None
    assert cur.statements == ["insert (1,2),(3,4) é".encode(), "insert (5,6) é".encode()]


def test_execute_values_with_a_template():
    cur = Noting()
    execute_values(cur, b"values %s", [(1,), (2,)], template=b"(%s, now())")
    assert cur.statements == [b"values (1, now()),(2, now())"]


def test_execute_values_fetches_every_page():
    assert execute_values(Noting(), b"%s", [(1,), (2,), (3,)], page_size=1, fetch=True) == [1, 2, 3]


def test_nothing_is_sent_for_nothing():
    cur = Noting()
    execute_batch(cur, b"f(%s)", [])
    assert execute_values(cur, b"%s", [], fetch=True) == []
    assert cur.statements == []
