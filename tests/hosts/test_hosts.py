"""Several hosts, as libpq takes them: a primary, its standby, and hosts that are not well."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from auth.differential import without_surroundings
from fixtures import clusters
from fixtures.connections import wait_for
from fixtures.messages import failure, message
from fixtures.scripted_server import Ended, Session

import psycoxide
from psycoxide import sync

ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
OS_USER = pwd.getpwuid(os.geteuid()).pw_name
HBA = """\
local all all trust
local replication all trust
host all all all trust
"""


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class Pair:
    """A primary and a standby, by their ports."""

    def __init__(self, primary: clusters.Cluster, standby: clusters.Cluster) -> None:
        self.primary = primary
        self.standby = standby
        self.names = {"P": primary.server.port, "S": standby.server.port}
        self.ports = {port: name for name, port in self.names.items()}


@pytest.fixture(scope="module")
def primary() -> Iterator[clusters.Cluster]:
    with clusters.fresh() as cluster:
        cluster.configure(
            listen_addresses="127.0.0.1,::1" if has_ipv6() else "127.0.0.1",
            unix_socket_directories=f"{cluster.server.sockets}, @psycoxide-{cluster.server.port}",
        )
        cluster.admit(HBA)
        cluster.restart()
        yield cluster


@pytest.fixture(scope="module")
def pair(primary: clusters.Cluster) -> Iterator[Pair]:
    with clusters.standby_of(primary) as standby:
        yield Pair(primary, standby)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    without_surroundings(monkeypatch, tmp_path)


@pytest.fixture
def swallowing() -> Iterator[int]:
    """A port whose queue is full: what is sent to it gets no answer at all."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        yield int(port)
        for filler in fillers:
            filler.close()


@pytest.fixture
def failing(scripted: Callable[..., Any]) -> Callable[[str], int]:
    """A function that starts a server which refuses everybody with this SQLSTATE; its port."""

    def start(code: str) -> int:
        def greet(session: Session) -> None:
            session.send(failure(code, f"no: {code}", "FATAL"))
            raise Ended

        return scripted(greet=greet).port

    return start


def options(*ports: int, **more: Any) -> dict[str, Any]:
    given = {
        "host": ",".join(["127.0.0.1"] * len(ports)),
        "port": ",".join(map(str, ports)),
        "user": "tester",
        "dbname": "postgres",
        "connect_timeout": 10,
        "sslmode": "disable",
        "gssencmode": "disable",
        **more,
    }
    return {name: value for name, value in given.items() if value is not None}


def reached(driver: Any, given: dict[str, Any]) -> Any:
    """The port that was connected to, or the text of the refusal."""
    try:
        conn = driver.connect(**given)
    except driver.OperationalError as error:
        return str(error)
    found = conn.info.port
    conn.close()
    return found


def same(given: dict[str, Any]) -> Any:
    ours, theirs = reached(psycoxide, given), reached(psycopg2, given)
    assert ours == theirs
    return ours


@pytest.mark.parametrize("order", ["P", "S", "PS", "SP", "SPS"])
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_kind_of_server(pair, attribute, order):
    ports = [pair.names[name] for name in order]
    found = same(options(*ports, target_session_attrs=attribute))
    wanted = {
        "any": order[0],
        "read-write": "P",
        "primary": "P",
        "read-only": "S",
        "standby": "S",
        "prefer-standby": "S" if "S" in order else "P",
    }[attribute]
    if wanted in order:
        assert pair.ports[found] == wanted
    else:
        assert "failed: " in found


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_kind_of_server_asynchronously(pair, attribute):
    given = options(pair.names["S"], pair.names["P"], target_session_attrs=attribute)
    conn = psycoxide.connect(**given, async_=1)
    wait_for(conn)
    assert conn.info.port == reached(psycopg2, given)
    conn.close()


def test_a_session_that_is_read_only_by_default(pair):
    """What counts is the session, not the server."""
    for attribute in ATTRIBUTES:
        same(
            options(
                pair.names["P"],
                target_session_attrs=attribute,
                options="-c default_transaction_read_only=on",
            )
        )


def test_one_that_refuses_is_passed_over(pair, refusing):
    assert same(options(refusing, pair.names["P"])) == pair.names["P"]
    assert "Connection refused" in same(options(refusing, refusing))


@pytest.mark.parametrize("code", ["57P03", "53300", "28000", "28P01", "3D000", "XX000"])
def test_one_that_says_no(pair, failing, code):
    """Only one that cannot yet, or no longer, take connections leaves room for another."""
    found = same(options(failing(code), pair.names["P"]))
    if code == "57P03":
        assert found == pair.names["P"]
    else:
        assert f"no: {code}" in found


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n", message(b"Z", b"I")])
def test_one_that_is_no_postgresql(pair, scripted, answer):
    def greet(session: Session) -> None:
        session.send(answer)
        raise Ended

    port = scripted(greet=greet).port
    found = [reached(driver, options(port, pair.names["P"])) for driver in (psycoxide, psycopg2)]
    assert all(isinstance(text, str) for text in found), found


@pytest.mark.parametrize("kind", ["silent", "swallowing"])
def test_each_host_has_its_time(pair, request, kind):
    port = request.getfixturevalue(kind)
    given = options(port, port, pair.names["P"], connect_timeout=2)
    begun = time.monotonic()
    assert reached(psycoxide, given) == pair.names["P"]
    assert 3.8 < time.monotonic() - begun < 8
    conn = psycoxide.connect(**given, async_=1)
    conn.close()


def test_load_is_balanced(pair):
    given = options(*pair.names.values(), load_balance_hosts="random")
    found = {reached(psycoxide, given) for _ in range(40)}
    assert found == set(pair.ports)
    given["target_session_attrs"] = "prefer-standby"
    assert {reached(psycoxide, given) for _ in range(10)} == {pair.names["S"]}


def test_a_pool_whose_name_leads_to_another_server_now(pair):
    """An error about a standby makes it replace all connections."""
    leads_to = [pair.names["S"]]
    with sync.ConnectionPool(kwargs=lambda: options(*leads_to), min_size=2, max_size=2) as pool:
        pool.wait()
        leads_to[:] = [pair.names["P"]]
        assert pool.fetchval("select pg_is_in_recovery()")
        with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction):
            pool.execute("create table never ()")
        until = time.monotonic() + 20
        while pool.fetchval("select pg_is_in_recovery()"):
            assert time.monotonic() < until
            time.sleep(0.02)
        with pool.connection() as one, pool.connection() as two:
            assert not any(c.fetchval("select pg_is_in_recovery()") for c in (one, two))
        assert pool.get_stats()["connections_num"] == 4


def test_every_address_of_a_name(primary, refusing):
    """`localhost` usually has two."""
    given = options(primary.server.port, host="localhost")
    assert same(given) == primary.server.port
    found = same(options(refusing, host="localhost"))
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", 1)}
    assert all(f"({address})" in found for address in addresses)


@pytest.mark.skipif(not has_ipv6(), reason="there is no ::1 here")
@pytest.mark.parametrize("where", [{"host": "::1"}, {"host": "x", "hostaddr": "::1"}])
def test_ipv6(primary, where):
    given = options(primary.server.port, **where)
    assert same(given) == primary.server.port
    conn = psycoxide.connect(**given)
    cur = conn.cursor()
    cur.execute("select host(inet_client_addr())")
    assert cur.fetchone() == ("::1",)
    conn.close()


@pytest.mark.skipif(not has_ipv6(), reason="there is no ::1 here")
def test_ipv6_in_a_uri(primary):
    uri = f"postgresql://tester@[::1]:{primary.server.port}/postgres?sslmode=disable"
    psycoxide.connect(uri).close()


def test_unix_sockets(primary):
    port = primary.server.port
    for host in (primary.server.sockets, f"@psycoxide-{port}"):
        given = options(port, host=host)
        assert same(given) == port
        conn = psycoxide.connect(**given)
        assert conn.info.host == host
        conn.close()
    for host in ("/nowhere", "@nowhere", "/" + "x" * 120):
        found = same(options(port, host=host))
        assert isinstance(found, str)


def test_a_mixed_list(primary, refusing):
    port = primary.server.port
    given = options(port, host=f"/nowhere,127.0.0.1,{primary.server.sockets}")
    assert same({**given, "port": f"{port},{refusing},{port}"}) == port


def test_requirepeer(primary):
    account = clusters.cluster.unprivileged() if os.geteuid() == 0 else None
    runs_as = account.pw_name if account else OS_USER
    given = options(primary.server.port, host=primary.server.sockets)
    assert same({**given, "requirepeer": runs_as}) == primary.server.port
    found = same({**given, "requirepeer": "somebody-else"})
    assert 'requirepeer specifies "somebody-else"' in found


@pytest.mark.parametrize(
    "given",
    [
        {"host": "127.0.0.1,127.0.0.1", "port": "1,2,3"},
        {"host": "a,b", "hostaddr": "127.0.0.1"},
        {"host": "127.0.0.1", "port": "70000"},
        {"host": "no-such-name.invalid"},
        {"hostaddr": "no-address"},
        {"target_session_attrs": "master"},
        {"load_balance_hosts": "yes"},
    ],
)
def test_lists_that_are_not_valid(given):
    assert isinstance(same({**options(1), **given}), str)


def test_failover(primary):
    """The primary goes, the standby is promoted: the same connection string goes on."""
    with clusters.standby_of(primary) as standby:
        ports = (primary.server.port, standby.server.port)
        given = options(*ports, target_session_attrs="read-write")
        assert same(given) == primary.server.port
        conn = psycoxide.connect(**given)
        cur = conn.cursor()
        cur.execute("select 1")
        primary.stop()
        try:
            with pytest.raises(psycoxide.OperationalError):
                cur.execute("select 2")
            assert conn.closed == 2
            found = same(given)
            assert "Connection refused" in found and "session is read-only" in found
            standby.sql("select pg_promote()")
            assert same(given) == standby.server.port
            with psycoxide.connect(**given) as conn, conn.cursor() as cur:
                cur.execute("create table after_failover ()")
            conn.close()
        finally:
            primary.resume()
