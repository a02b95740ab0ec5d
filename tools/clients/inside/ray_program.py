"""Reads a table with Ray Data in one of several ways, and compares it with the server."""

import os
import sys

import psycopg2
import ray

ROWS = 20_000


def connect():
    return psycopg2.connect("")


@ray.remote
def read(partition):
    """The rows of a partition, as a table of pyarrow."""
    from psycoxide import sync

    with sync.connect("") as conn:
        cursor = conn.cursor()
        cursor.arrow = True
        return cursor.adbc_read_partition(partition).fetch_arrow_table()


def counted(data):
    """The number and the sum that Ray computes."""
    return data.count(), int(data.sum("id"))


def by_partitions():
    from psycoxide import sync

    with sync.connect("") as conn, conn.transaction(read_only=True):
        partitions, _ = conn.cursor().adbc_execute_partitions("item", partitions=4)
        with sync.connect("") as other:
            other.execute("update item set id = 0 where id % 2 = 0")
        tables = [read.remote(partition) for partition in partitions]
        return counted(ray.data.from_arrow_refs(tables))


def main(way):
    conn = connect()
    cursor = conn.cursor()
    cursor.execute("drop table if exists item")
    cursor.execute("create table item as select generate_series(1, %s) as id", [ROWS])
    cursor.execute("select count(*), sum(id) from item")
    expected = cursor.fetchone()
    conn.commit()
    # The folder of its sockets has to have a short name.
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=10**8)
    try:
        if way == "partitions":
            found = by_partitions()
        elif way == "sharded":
            data = ray.data.read_sql(
                "select * from item", connect, shard_keys=["id"], shard_hash_fn="hashint4",
                override_num_blocks=2,
            )  # fmt: skip
            found = counted(data)
        else:
            found = counted(ray.data.read_sql("select * from item", connect))
    finally:
        ray.shutdown()
    same = "same as" if found == tuple(expected) else f"and {expected} on"
    print(f"{found[0]} rows, sum {found[1]}, {same} the server")


if __name__ == "__main__":
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    main(sys.argv[1])
