"""What a replication connection says before it streams."""

from psycopg2.extras import LogicalReplicationConnection

c = psycopg2.connect(dsn, connection_factory=LogicalReplicationConnection)
cur = c.cursor()
attempt(lambda: cur.create_replication_slot("differ_slot", output_plugin="test_decoding"))
attempt(lambda: cur.create_replication_slot("differ_slot"))
attempt(
    lambda: cur.create_replication_slot(
        "differ_slot", slot_type=extras.REPLICATION_PHYSICAL, output_plugin="x"
    )
)
attempt(lambda: cur.create_replication_slot("differ_slot", slot_type=5))
attempt(lambda: cur.drop_replication_slot("differ_slot"))
attempt(lambda: cur.drop_replication_slot('differ "slot'))
attempt(lambda: cur.start_replication("differ_nope", options={"a": "b'c", "d": None}, start_lsn=77))
attempt(lambda: cur.start_replication("differ_nope", start_lsn="0/12"))
attempt(lambda: cur.start_replication("differ_nope", start_lsn="nonsense"))
attempt(lambda: cur.start_replication("differ_nope", timeline=2))
attempt(lambda: cur.start_replication("differ_nope", status_interval=0.5))
attempt(lambda: cur.start_replication())
attempt(
    lambda: cur.start_replication(
        "differ_nope", slot_type=extras.REPLICATION_PHYSICAL, timeline=1, start_lsn=12
    )
)
attempt(lambda: cur.start_replication_expert("START_REPLICATION nonsense"))
attempt(lambda: cur.start_replication_expert(3))
attempt(cur.send_feedback)
attempt(lambda: cur.fileno() > 0)
attempt(lambda: c.autocommit)
attempt(lambda: cur.execute("IDENTIFY_SYSTEM"))
attempt(lambda: len(cur.fetchall()))
show((c.status, c.info.transaction_status))
c.close()
