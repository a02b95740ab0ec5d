# Generated from tests/aio/test_begin.py by tools/generate_sync.py: do not edit.
"""A BEGIN that fails: what follows it must not run outside the transaction."""

import pytest
from fixtures.messages import error, ready
from fixtures.relay import Conversation, MessageRelay, pass_on
from fixtures.tasks import gather

from psycoxide import errors, sync

REFUSED = error(S="ERROR", V="ERROR", C="25006", M="cannot begin now")


def refuse_begin(conversation: Conversation, kind: bytes, body: bytes) -> None:
    """A server that refuses each BEGIN, and skips what comes up to the Sync."""
    if conversation.kept:
        if kind == b"S":
            conversation.kept = b""
            conversation.to_client(ready())
    elif kind == b"Q" and body.startswith(b"BEGIN"):
        conversation.to_client(REFUSED + ready())
    elif kind == b"P" and b"BEGIN" in body:
        conversation.kept = b"skipping"
        conversation.to_client(REFUSED)
    else:
        pass_on(conversation, kind, body)


@pytest.fixture
def peer(message_relay, server) -> MessageRelay:
    address = (server.parameters["host"], int(server.parameters["port"]))
    return message_relay(address, refuse_begin)


def test_nothing_is_sent_behind_a_begin_before_it_has_succeeded(conn, peer, server):
    conn.execute("drop table if exists begun; create table begun (a int)")
    with sync.connect(server.dsn, **peer.options) as other:

        def insert():
            with pytest.raises(errors.ReadOnlySqlTransaction):
                other.execute("insert into begun values (1)")

        with other.transaction(shared=True):
            gather(*[insert] * 5)
        assert other.fetchval("select count(*) from begun") == 0
    conn.execute("drop table begun")
